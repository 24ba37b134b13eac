/* The tables of taps. Both axes of all ways are one thing: a source of n pixels lies at `offset` in a span of
 * `span` pixels, and the span is resized to `out` pixels. */
#include "image/fit.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 65536, MAX_SIDE = 1 << 24 };

typedef struct axis {
    int n;      /* pixels of the source */
    int span;   /* pixels of the source with padding, or of the part cut out */
    int offset; /* the source's pixel 0 in the span; negative where the span is cut out of the source */
    int out;    /* pixels of the network's rectangle */
    bool wrap;
} axis;

vkp_status vkp_fit_parse(const char *name, vkp_fit *way)
{
    for (int i = 0; i < VKP_FIT_COUNT; i++) {
        if (strcmp(name, vkp_fit_name((vkp_fit)i)) != 0) continue;
        *way = (vkp_fit)i;
        return VKP_OK;
    }
    return vkp_fail(VKP_USAGE,
                    "unknown fit '%s' (there are wrap, stretch, black, crop, rotate and aspect; name one)",
                    name);
}

const char *vkp_fit_name(vkp_fit way)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        VKP_FIT_MAP(X)
#undef X
    };
    return (unsigned)way < VKP_FIT_COUNT ? names[way] : "unknown";
}

/* length * size / longest to the nearest multiple of 32, but not to none. */
static int in_proportion(int size, int length, int longest)
{
    const int64_t units = ((int64_t)size * length + 16 * (int64_t)longest) / (32 * (int64_t)longest);
    return units > 1 ? (int)(32 * units) : 32;
}

void vkp_fit_output(vkp_fit way, int size, int w, int h, int *out_w, int *out_h)
{
    *out_w = size;
    *out_h = size;
    if (way == VKP_FIT_ASPECT) {
        if (w > h) *out_h = in_proportion(size, h, w);
        else *out_w = in_proportion(size, w, h);
    }
    if (way != VKP_FIT_ROTATE) return;
    /* 3/4 size to the nearest multiple of 16, in 64ths. */
    *out_h = (3 * size + 32) / 64 * 16;
    if (*out_h < 16) *out_h = 16;
}

static bool is_turned(vkp_fit way, int w, int h) { return way == VKP_FIT_ROTATE && h > w; }

static axis make_axis(vkp_fit way, int n, int other, int out)
{
    int span = n;
    if (way == VKP_FIT_WRAP || way == VKP_FIT_BLACK) span = n > other ? n : other;
    if (way == VKP_FIT_CROP) span = n < other ? n : other;
    /* Division towards zero makes this floor(d/2) before the picture, or cut off it. */
    return (axis){.n = n, .span = span, .offset = (span - n) / 2, .out = out, .wrap = way == VKP_FIT_WRAP};
}

/* The axes of the network's rectangle: x runs along its rows. */
static void make_axes(vkp_fit way, int size, int w, int h, axis *x, axis *y)
{
    int out_w, out_h;
    vkp_fit_output(way, size, w, h, &out_w, &out_h);
    bool turned = is_turned(way, w, h);
    *x = make_axis(way, turned ? h : w, turned ? w : h, out_w);
    *y = make_axis(way, turned ? w : h, turned ? h : w, out_h);
}

static int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : a / b; }

static int clamp(int64_t value, int low, int high)
{
    return value < low ? low : value > high ? high : (int)value;
}

/* Output pixels k with offset <= (k + 1/2) * span / out < offset + n; where a thin picture falls between all
 * centres, the pixel that its middle lies in. */
static void valid_range(const axis *a, int *first, int *end)
{
    int64_t out = a->out, span = a->span, from = a->offset, to = from + a->n;
    *first = clamp(ceil_div(2 * out * from - span, 2 * span), 0, a->out);
    *end = clamp(ceil_div(2 * out * to - span, 2 * span), 0, a->out);
    if (*first < *end) return;
    *first = clamp((from + to) * out / (2 * span), 0, a->out - 1);
    *end = *first + 1;
}

/* A position between pixel centres as a tap, clamped to low..high. */
static vkp_tap tap_at(double position, int low, int high)
{
    double p = position < low ? low : position > high ? high : position;
    int i = (int)floor(p);
    return (vkp_tap){i, i < high ? i + 1 : i, (float)(p - i)};
}

static int32_t span_to_source(const axis *a, int index)
{
    int i = index - a->offset;
    if (i >= 0 && i < a->n) return i;
    if (!a->wrap) return -1;
    int rest = i % a->n;
    return rest < 0 ? rest + a->n : rest;
}

/* Taps into the source for output pixel k. */
static vkp_tap fit_tap(const axis *a, int k)
{
    vkp_tap tap = tap_at((k + 0.5) * a->span / a->out - 0.5, 0, a->span - 1);
    tap.i0 = span_to_source(a, tap.i0);
    tap.i1 = span_to_source(a, tap.i1);
    return tap;
}

/* Taps into the network's rectangle for the source's pixel k. */
static vkp_tap unfit_tap(const axis *a, int k)
{
    int first, end;
    valid_range(a, &first, &end);
    return tap_at((k + a->offset + 0.5) * a->out / a->span - 0.5, first, end - 1);
}

/* Makes the taps index a source of n pixels from its other end. */
static void mirror_indices(vkp_tap *taps, int count, int n)
{
    for (int i = 0; i < count; i++) {
        if (taps[i].i0 >= 0) taps[i].i0 = n - 1 - taps[i].i0;
        if (taps[i].i1 >= 0) taps[i].i1 = n - 1 - taps[i].i1;
    }
}

static void reverse_order(vkp_tap *taps, int count)
{
    for (int i = 0, j = count - 1; i < j; i++, j--) {
        vkp_tap tap = taps[i];
        taps[i] = taps[j];
        taps[j] = tap;
    }
}

static vkp_status check(vkp_fit way, int size, int w, int h)
{
    if ((unsigned)way >= VKP_FIT_COUNT)
        return vkp_fail(VKP_INTERNAL, "no way %d to fit a picture (the caller's mistake; report it)",
                        (int)way);
    if (size < 1 || size > MAX_SIZE)
        return vkp_fail(VKP_SHAPE, "cannot fit a picture to size %d (sizes are 1 to %d; choose one of them)",
                        size, MAX_SIZE);
    if (w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE)
        return vkp_fail(VKP_SHAPE, "cannot fit a picture of %dx%d (sides are 1 to %d pixels; resize it)", w,
                        h, MAX_SIDE);
    return VKP_OK;
}

/* Tables for out_w + out_h taps in one piece; the rest of *plan from what is known. */
static vkp_status make_plan(vkp_fit way, bool turned, const int src[2], const int out[2], vkp_fit_plan *plan)
{
    vkp_tap *taps = malloc(((size_t)out[0] + (size_t)out[1]) * sizeof *taps);
    if (!taps)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the tables of a %dx%d picture (host memory ran out; "
                        "close other programs)",
                        out[0], out[1]);
    *plan = (vkp_fit_plan){.way = way,
                           .turned = turned,
                           .src_w = src[0],
                           .src_h = src[1],
                           .out_w = out[0],
                           .out_h = out[1],
                           .row_stride = turned ? 1 : src[0],
                           .col_stride = turned ? src[0] : 1,
                           .rows = taps,
                           .cols = taps + out[1],
                           .valid = {0, 0, out[0], out[1]}};
    return VKP_OK;
}

vkp_status vkp_fit_make(vkp_fit way, int size, int w, int h, bool flip, vkp_fit_plan *plan)
{
    *plan = (vkp_fit_plan){.rows = NULL};
    VKP_TRY(check(way, size, w, h));
    axis x, y;
    make_axes(way, size, w, h, &x, &y);
    bool turned = is_turned(way, w, h);
    VKP_TRY(make_plan(way, turned, (int[]){w, h}, (int[]){x.out, y.out}, plan));
    for (int i = 0; i < y.out; i++) plan->rows[i] = fit_tap(&y, i);
    for (int j = 0; j < x.out; j++) plan->cols[j] = fit_tap(&x, j);
    /* Clockwise: the turned picture's column c is the source's row h-1-c, its row r the source's column r. */
    if (turned) mirror_indices(plan->cols, x.out, h);
    plan->valid = vkp_fit_aspect_crop(way, size, w, h);
    if (flip) {
        reverse_order(plan->cols, x.out);
        int x0 = plan->valid.x0;
        plan->valid.x0 = x.out - plan->valid.x1;
        plan->valid.x1 = x.out - x0;
    }
    return VKP_OK;
}

vkp_status vkp_fit_window(int size, double x, double y, double step, int w, int h, bool flip,
                          vkp_fit_plan *plan)
{
    *plan = (vkp_fit_plan){.rows = NULL};
    VKP_TRY(check(VKP_FIT_STRETCH, size, w, h));
    if (!isfinite(x) || !isfinite(y) || !isfinite(step))
        return vkp_fail(VKP_SHAPE, "no window at %g, %g with steps of %g (numbers are finite; choose others)",
                        x, y, step);
    VKP_TRY(make_plan(VKP_FIT_STRETCH, false, (int[]){w, h}, (int[]){size, size}, plan));
    for (int k = 0; k < size; k++) {
        plan->rows[k] = tap_at(y + (k + 0.5) * step - 0.5, 0, h - 1);
        plan->cols[k] = tap_at(x + (k + 0.5) * step - 0.5, 0, w - 1);
    }
    if (flip) reverse_order(plan->cols, size);
    return VKP_OK;
}

vkp_status vkp_unfit_make(vkp_fit way, int size, int w, int h, bool flip, vkp_fit_plan *plan)
{
    *plan = (vkp_fit_plan){.rows = NULL};
    VKP_TRY(check(way, size, w, h));
    axis x, y;
    make_axes(way, size, w, h, &x, &y);
    bool turned = is_turned(way, w, h);
    VKP_TRY(make_plan(way, turned, (int[]){x.out, y.out}, (int[]){w, h}, plan));
    /* Turned, the original's rows run along the rectangle's columns, from its far end. */
    vkp_tap *along_x = turned ? plan->rows : plan->cols, *along_y = turned ? plan->cols : plan->rows;
    for (int k = 0; k < x.n; k++) along_x[k] = unfit_tap(&x, k);
    for (int k = 0; k < y.n; k++) along_y[k] = unfit_tap(&y, k);
    if (flip) mirror_indices(along_x, x.n, x.out);
    if (turned) reverse_order(along_x, x.n);
    return VKP_OK;
}

void vkp_fit_free(vkp_fit_plan *plan)
{
    free(plan->rows);
    plan->rows = NULL;
    plan->cols = NULL;
}

vkp_rect vkp_fit_aspect_crop(vkp_fit way, int size, int w, int h)
{
    axis x, y;
    make_axes(way, size, w, h, &x, &y);
    vkp_rect rect;
    valid_range(&x, &rect.x0, &rect.x1);
    valid_range(&y, &rect.y0, &rect.y1);
    return rect;
}

/* The four source pixels of an output pixel, row by row; -1 for black. */
static void corners(const vkp_fit_plan *plan, const vkp_tap *row, const vkp_tap *col, ptrdiff_t at[4])
{
    const int32_t r[2] = {row->i0, row->i1}, c[2] = {col->i0, col->i1};
    for (int k = 0; k < 4; k++) {
        int32_t i = r[k / 2], j = c[k % 2];
        at[k] = i < 0 || j < 0 ? -1 : (ptrdiff_t)i * plan->row_stride + (ptrdiff_t)j * plan->col_stride;
    }
}

static float blend(const float v[4], float row, float col)
{
    float top = (1 - col) * v[0] + col * v[1], bottom = (1 - col) * v[2] + col * v[3];
    return (1 - row) * top + row * bottom;
}

void vkp_fit_apply(const vkp_fit_plan *plan, const uint8_t *rgba, float *planes)
{
    size_t plane = (size_t)plan->out_w * (size_t)plan->out_h;
    for (int i = 0; i < plan->out_h; i++) {
        for (int j = 0; j < plan->out_w; j++) {
            ptrdiff_t at[4];
            corners(plan, &plan->rows[i], &plan->cols[j], at);
            for (size_t c = 0; c < 3; c++) {
                float v[4];
                for (int k = 0; k < 4; k++) v[k] = at[k] < 0 ? 0 : (float)rgba[(size_t)at[k] * 4 + c] / 255;
                planes[c * plane + (size_t)i * (size_t)plan->out_w + (size_t)j] =
                    blend(v, plan->rows[i].w, plan->cols[j].w);
            }
        }
    }
}

/* The columns of the source's row i (-1: black) as the plan has them. */
static void luma_line(const vkp_fit_plan *plan, const uint8_t *rgba, int32_t i, float *line)
{
    const uint8_t *row = rgba + (ptrdiff_t)(i < 0 ? 0 : i) * plan->row_stride * 4;
    for (int j = 0; j < plan->out_w; j++) {
        const int32_t index[2] = {plan->cols[j].i0, plan->cols[j].i1};
        float v[2] = {0, 0};
        for (int k = 0; k < 2; k++) {
            if (i < 0 || index[k] < 0) continue;
            const uint8_t *p = row + (ptrdiff_t)index[k] * plan->col_stride * 4;
            v[k] = (.299f * p[0] + .587f * p[1] + .114f * p[2]) / 255;
        }
        line[j] = (1 - plan->cols[j].w) * v[0] + plan->cols[j].w * v[1];
    }
}

vkp_status vkp_fit_luma(const vkp_fit_plan *plan, const uint8_t *rgba, float *luma)
{
    const size_t w = (size_t)plan->out_w;
    float *lines = malloc(2 * w * sizeof *lines);
    if (!lines)
        return vkp_fail(VKP_MEMORY, "no memory for two rows of a picture (host memory ran out; close other "
                        "programs)");
    /* Consecutive rows often share a source row: what is made stays until another takes its place. */
    float *line[2] = {lines, lines + w};
    int32_t held[2] = {-2, -2};
    for (int i = 0; i < plan->out_h; i++, luma += w) {
        const vkp_tap tap = plan->rows[i];
        if (held[1] == tap.i0 || held[0] == tap.i1) {
            float *other = line[0];
            line[0] = line[1];
            line[1] = other;
            const int32_t index = held[0];
            held[0] = held[1];
            held[1] = index;
        }
        const int32_t want[2] = {tap.i0, tap.i1};
        for (int k = 0; k < 2; k++) {
            if (held[k] != want[k]) luma_line(plan, rgba, want[k], line[k]);
            held[k] = want[k];
        }
        for (size_t j = 0; j < w; j++) luma[j] = (1 - tap.w) * line[0][j] + tap.w * line[1][j];
    }
    free(lines);
    return VKP_OK;
}

void vkp_plan_apply_planes(const vkp_fit_plan *plan, const float *source, int count, float *planes)
{
    size_t in = (size_t)plan->src_w * (size_t)plan->src_h;
    for (int p = 0; p < count; p++, source += in) {
        for (int i = 0; i < plan->out_h; i++) {
            for (int j = 0; j < plan->out_w; j++) {
                ptrdiff_t at[4];
                corners(plan, &plan->rows[i], &plan->cols[j], at);
                float v[4];
                for (int k = 0; k < 4; k++) v[k] = at[k] < 0 ? 0 : source[at[k]];
                *planes++ = blend(v, plan->rows[i].w, plan->cols[j].w);
            }
        }
    }
}
