/* The photograph's luma as area means at the network's size, and from it the lines. */
#include "image/chroma_lines.h"

#include <math.h>
#include <stdlib.h>

static const float FLAT = 0.001f; /* variance of luma up to which an area counts as flat */
static const float BEYOND = 0.02f; /* how far chroma may go beyond what was predicted around a point */

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory to bring colours to a picture's size (host memory ran out; close "
                    "other programs)");
}

/* -- one axis -- */

/* n pixels of the photograph and the points low..high along them; pixel k lies at start + step * k. */
typedef struct axis {
    int n, low, high;
    double start, step;
} axis;

static double position(const vkp_tap *tap)
{
    return (1 - (double)tap->w) * tap->i0 + (double)tap->w * tap->i1;
}

/* Positions are clamped at both ends, so the step is that of the pixels between. */
static axis read_axis(const vkp_tap *taps, int n)
{
    axis a = {.n = n, .low = taps[0].i0, .high = taps[0].i0};
    for (int k = 0; k < n; k++) {
        const int least = taps[k].i0 < taps[k].i1 ? taps[k].i0 : taps[k].i1;
        const int most = taps[k].i0 < taps[k].i1 ? taps[k].i1 : taps[k].i0;
        if (least < a.low) a.low = least;
        if (most > a.high) a.high = most;
    }
    int first = 0, last = n - 1;
    while (first < last && (position(&taps[first]) <= a.low || position(&taps[first]) >= a.high)) first++;
    while (last > first && (position(&taps[last]) <= a.low || position(&taps[last]) >= a.high)) last--;
    if (first == last) {
        first = 0;
        last = n - 1;
    }
    if (last > first) a.step = (position(&taps[last]) - position(&taps[first])) / (last - first);
    a.start = position(&taps[first]) - a.step * first;
    return a;
}

/* Pixels that share a point; 1 where each has its own or more. */
static double pixels_a_point(const axis *a) { return fabs(a->step) < 1 ? 1 / fmax(fabs(a->step), 1e-9) : 1; }

/* The pixels that a point's mean is of: those at the ends by the part that lies in it. */
typedef struct box {
    int first, last;
    float first_weight, last_weight, scale;
} box;

static double clamp(double value, double low, double high) { return fmin(fmax(value, low), high); }

static box make_box(const axis *a, int point)
{
    const double middle = a->step != 0 ? clamp((point - a->start) / a->step, 0, a->n - 1) : 0.5 * (a->n - 1);
    const double half = 0.5 * pixels_a_point(a), end = a->n - 0.5;
    const double from = fmax(middle - half, -0.5), to = fmin(middle + half, end);
    const int first = (int)clamp(floor(from + 0.5), 0, a->n - 1);
    const int last = (int)clamp(ceil(to + 0.5) - 1, first, a->n - 1);
    return (box){.first = first, .last = last,
                 .first_weight = (float)(fmin(first + 0.5, to) - from),
                 .last_weight = (float)(to - fmax(last - 0.5, from)),
                 .scale = (float)(1 / (to - from))};
}

/* -- the photograph's luma at the network's size -- */

enum { LUMA_BITS = 16 }; /* weights of R, G and B below add up to 2^16 */

static void read_luma(const uint8_t *rgba, size_t count, uint32_t *luma)
{
    for (size_t i = 0; i < count; i++)
        luma[i] = 19595u * rgba[4 * i] + 38470u * rgba[4 * i + 1] + 7471u * rgba[4 * i + 2];
}

static float box_mean(const uint32_t *luma, const box *b)
{
    uint64_t inner = 0;
    for (int k = b->first + 1; k < b->last; k++) inner += luma[k];
    float sum = (float)inner + b->first_weight * (float)luma[b->first];
    if (b->last > b->first) sum += b->last_weight * (float)luma[b->last];
    return sum * b->scale / (255.0f * (1 << LUMA_BITS));
}

/* A row of the photograph as means of the points along it; the row before is kept, as two points share it. */
typedef struct reducer {
    const vkp_picture *picture;
    box *boxes;
    int count, row;
    uint32_t *luma;
    float *means;
} reducer;

static void reduce_row(reducer *r, int row)
{
    if (r->row == row) return;
    const size_t width = (size_t)r->picture->width;
    read_luma(r->picture->rgba + (size_t)row * width * 4, width, r->luma);
    for (int i = 0; i < r->count; i++) r->means[i] = box_mean(r->luma, &r->boxes[i]);
    r->row = row;
}

static void add_row(reducer *r, int row, float weight, float *sums)
{
    reduce_row(r, row);
    for (int i = 0; i < r->count; i++) sums[i] += weight * r->means[i];
}

/* The part of the rectangle that a picture fills, and the way from its points to those of the photograph. */
typedef struct field {
    int w, h, start; /* points; the first one's place in the rectangle */
    int src_w;
    axis x, y;       /* along the photograph's rows, and down its columns */
    bool turned;
} field;

static field read_field(const vkp_fit_plan *plan)
{
    field f = {.turned = plan->turned, .src_w = plan->src_w, .x = read_axis(plan->cols, plan->out_w),
               .y = read_axis(plan->rows, plan->out_h)};
    const axis *across = f.turned ? &f.y : &f.x, *down = f.turned ? &f.x : &f.y;
    f.w = across->high - across->low + 1;
    f.h = down->high - down->low + 1;
    f.start = down->low * plan->src_w + across->low;
    return f;
}

/* luma: h x w of the field. */
static void reduce_all(const field *f, reducer *r, float *sums, float *luma)
{
    for (int i = 0; i < r->count; i++) r->boxes[i] = make_box(&f->x, f->x.low + i);
    for (int y = 0; y <= f->y.high - f->y.low; y++) {
        const box b = make_box(&f->y, f->y.low + y);
        for (int i = 0; i < r->count; i++) sums[i] = 0;
        add_row(r, b.first, b.first_weight * b.scale, sums);
        for (int row = b.first + 1; row < b.last; row++) add_row(r, row, b.scale, sums);
        if (b.last > b.first) add_row(r, b.last, b.last_weight * b.scale, sums);
        for (int i = 0; i < r->count; i++)
            luma[f->turned ? (size_t)i * (size_t)f->w + (size_t)y : (size_t)y * (size_t)f->w + (size_t)i] =
                sums[i];
    }
}

static vkp_status reduce(const field *f, const vkp_picture *picture, float *luma)
{
    const int count = f->x.high - f->x.low + 1;
    reducer r = {.picture = picture, .count = count, .row = -1,
                 .boxes = malloc((size_t)count * sizeof *r.boxes),
                 .luma = malloc((size_t)picture->width * sizeof *r.luma),
                 .means = malloc((size_t)count * sizeof *r.means)};
    float *sums = malloc((size_t)count * sizeof *sums);
    const bool room = r.boxes && r.luma && r.means && sums;
    if (room) reduce_all(f, &r, sums, luma);
    free(r.boxes);
    free(r.luma);
    free(r.means);
    free(sums);
    return room ? VKP_OK : no_memory();
}

/* -- the lines -- */

/* [side, 1 - 2 side, side] along both axes; the border repeats. `out` may be `in`; spare: h x w. */
static void smooth(const field *f, const float *in, float across, float down, float *spare, float *out)
{
    const int w = f->w, h = f->h;
    for (int y = 0; y < h; y++) {
        const float *row = in + (size_t)y * (size_t)w;
        float *to = spare + (size_t)y * (size_t)w;
        for (int x = 0; x < w; x++)
            to[x] = row[x] + across * (row[x > 0 ? x - 1 : 0] + row[x < w - 1 ? x + 1 : x] - 2 * row[x]);
    }
    for (int y = 0; y < h; y++) {
        const float *row = spare + (size_t)y * (size_t)w;
        const float *above = y > 0 ? row - w : row, *below = y < h - 1 ? row + w : row;
        float *to = out + (size_t)y * (size_t)w;
        for (int x = 0; x < w; x++) to[x] = row[x] + down * (above[x] + below[x] - 2 * row[x]);
    }
}

enum { LUMA, LUMA_MEAN, VARIANCE, LUMA_SHARP, CHROMA, CHROMA_MEAN, SLOPE, SHARP, SPARE, FIELDS };

static void window(const field *f, float *const v[FIELDS], const float *in, float *out)
{
    smooth(f, in, 1 / 6.0f, 1 / 6.0f, v[SPARE], out);
}

/* S of the header: of two pixels a point on, interpolation moves an eighth to either side. */
static void sharpen(const field *f, float *const v[FIELDS], const float *in, float *out)
{
    const float along_x = (float)(clamp(pixels_a_point(&f->x) - 1, 0, 1) / 8);
    const float along_y = (float)(clamp(pixels_a_point(&f->y) - 1, 0, 1) / 8);
    const size_t count = (size_t)f->w * (size_t)f->h;
    smooth(f, in, f->turned ? along_y : along_x, f->turned ? along_x : along_y, v[SPARE], out);
    for (size_t i = 0; i < count; i++) out[i] = 2 * in[i] - out[i];
}

static void study_luma(const field *f, float *const v[FIELDS])
{
    const size_t count = (size_t)f->w * (size_t)f->h;
    for (size_t i = 0; i < count; i++) v[VARIANCE][i] = v[LUMA][i] * v[LUMA][i];
    window(f, v, v[VARIANCE], v[VARIANCE]);
    window(f, v, v[LUMA], v[LUMA_MEAN]);
    for (size_t i = 0; i < count; i++)
        v[VARIANCE][i] = fmaxf(v[VARIANCE][i] - v[LUMA_MEAN][i] * v[LUMA_MEAN][i], 0);
    sharpen(f, v, v[LUMA], v[LUMA_SHARP]);
}

/* The least and most of the 3x3 points around (x, y). */
static void find_range(const field *f, const float *plane, int x, int y, float range[2])
{
    const int left = x > 0 ? x - 1 : 0, right = x < f->w - 1 ? x + 1 : x;
    const int top = y > 0 ? y - 1 : 0, bottom = y < f->h - 1 ? y + 1 : y;
    range[0] = range[1] = plane[(size_t)y * (size_t)f->w + (size_t)x];
    for (int row = top; row <= bottom; row++)
        for (int column = left; column <= right; column++) {
            const float v = plane[(size_t)row * (size_t)f->w + (size_t)column];
            range[0] = v < range[0] ? v : range[0];
            range[1] = v > range[1] ? v : range[1];
        }
}

/* From one plane of the rectangle to its values of each point, which stand two apart. */
static void draw_lines(const field *f, float *const v[FIELDS], const float *plane, float *points)
{
    const size_t w = (size_t)f->w, count = w * (size_t)f->h;
    for (size_t i = 0; i < count; i++) {
        v[CHROMA][i] = plane[(size_t)f->start + i / w * (size_t)f->src_w + i % w];
        v[SLOPE][i] = v[CHROMA][i] * v[LUMA][i];
    }
    window(f, v, v[SLOPE], v[SLOPE]);
    window(f, v, v[CHROMA], v[CHROMA_MEAN]);
    for (size_t i = 0; i < count; i++)
        v[SLOPE][i] = (v[SLOPE][i] - v[LUMA_MEAN][i] * v[CHROMA_MEAN][i]) / (v[VARIANCE][i] + FLAT);
    window(f, v, v[SLOPE], v[SLOPE]);
    sharpen(f, v, v[CHROMA], v[SHARP]);
    for (size_t i = 0; i < count; i++) {
        float range[2];
        find_range(f, v[CHROMA], (int)(i % w), (int)(i / w), range);
        float *point = points + VKP_LINE_VALUES * ((size_t)f->start + i / w * (size_t)f->src_w + i % w);
        point[VKP_LINE_CR0] = v[SHARP][i] - v[SLOPE][i] * v[LUMA_SHARP][i];
        point[VKP_LINE_CR1] = v[SLOPE][i];
        point[VKP_LINE_CR_LOW] = range[0] - BEYOND;
        point[VKP_LINE_CR_HIGH] = range[1] + BEYOND;
    }
}

static float mean_width(const axis *a) { return (float)clamp(pixels_a_point(a) / 4, 1, 5); }

vkp_status vkp_chroma_lines_make(const vkp_fit_plan *plan, const vkp_picture *original, const float *crcb,
                                 vkp_chroma_lines *lines)
{
    *lines = (vkp_chroma_lines){.points = NULL};
    const field f = read_field(plan);
    const size_t count = (size_t)f.w * (size_t)f.h, plane = (size_t)plan->src_w * (size_t)plan->src_h;
    float *values = malloc(FIELDS * count * sizeof *values);
    float *points = calloc(VKP_LINE_VALUES * plane, sizeof *points);
    vkp_status status = values && points ? VKP_OK : no_memory();
    float *v[FIELDS];
    if (status == VKP_OK) {
        for (int i = 0; i < FIELDS; i++) v[i] = values + (size_t)i * count;
        status = reduce(&f, original, v[LUMA]);
    }
    if (status == VKP_OK) {
        study_luma(&f, v);
        for (size_t c = 0; c < 2; c++) draw_lines(&f, v, crcb + c * plane, points + c);
        *lines = (vkp_chroma_lines){points, mean_width(&f.x), mean_width(&f.y)};
        points = NULL;
    }
    free(points);
    free(values);
    return status;
}

void vkp_chroma_lines_free(vkp_chroma_lines *lines)
{
    free(lines->points);
    *lines = (vkp_chroma_lines){.points = NULL};
}

void vkp_box_weights(float wide, float weights[3])
{
    weights[0] = 1 / wide;
    weights[1] = fminf((wide - 1) / 2, 1) / wide;
    weights[2] = fmaxf((wide - 3) / 2, 0) / wide;
}
