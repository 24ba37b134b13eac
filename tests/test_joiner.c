/* Chroma joined with luma at a photograph's own size: the device against the definition in double precision,
 * tiles against one piece, and what the way to full size is for: edges, grain, colours at their brightest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/folder.h"
#include "device_fixture.h"
#include "image/chroma_lines.h"
#include "image/joiner.h"
#include "small_picture.h"

static float *random_chroma(size_t count, uint64_t seed)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = 2 * vkp_random_float(seed, VKP_RANDOM_TEST, i) - 1;
    return values;
}

static double luma_of(const uint8_t *rgb) { return (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255; }

/* Cr and Cb of a pixel, -1/2 to 1/2. */
static void chroma_of(const uint8_t *rgb, double crcb[2])
{
    const double y = luma_of(rgb);
    crcb[0] = (rgb[0] / 255.0 - y) / 1.402;
    crcb[1] = (rgb[2] / 255.0 - y) / 1.772;
}

/* -- against the definition -- */

static int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

/* The weighted mean of the luma around a pixel; beyond the picture its border repeats. */
static double mean_luma(const vkp_picture *p, int x, int y, const float across[3], const float down[3])
{
    double sum = 0;
    for (int dy = -2; dy <= 2; dy++)
        for (int dx = -2; dx <= 2; dx++) {
            const size_t row = (size_t)clamp(y + dy, 0, p->height - 1) * (size_t)p->width;
            const uint8_t *at = p->rgba + 4 * (row + (size_t)clamp(x + dx, 0, p->width - 1));
            sum += (double)across[abs(dx)] * (double)down[abs(dy)] * luma_of(at);
        }
    return sum;
}

static double room_for(double luma, double offset)
{
    return offset > 0 ? (1 - luma) / offset : offset < 0 ? -luma / offset : 1;
}

/* Colours `from` by the definition; Cr and Cb between -1/2 and 1/2. */
static void join_pixel(const uint8_t *from, double cr, double cb, int level[4])
{
    const double y = luma_of(from);
    const double offset[3] = {1.402 * cr, -0.714136 * cr - 0.344136 * cb, 1.772 * cb};
    double part = 1;
    for (int c = 0; c < 3; c++) part = fmin(part, room_for(y, offset[c]));
    for (int c = 0; c < 3; c++) level[c] = (int)floor((y + part * offset[c]) * 255 + 0.5);
    level[3] = from[3];
}

typedef struct wanted {
    const vkp_picture *original;
    float *line[VKP_LINE_VALUES]; /* at the picture's size */
    float across[3], down[3];
    double saturation;
} wanted;

static void make_wanted(const vkp_picture *original, const vkp_fit_plan *plan, const float *crcb, wanted *w)
{
    const size_t points = (size_t)plan->src_w * (size_t)plan->src_h;
    const size_t count = (size_t)original->width * (size_t)original->height;
    vkp_chroma_lines lines;
    assert_ok(vkp_chroma_lines_make(plan, original, crcb, &lines));
    float *plane = malloc(points * sizeof *plane);
    assert_non_null(plane);
    for (size_t v = 0; v < VKP_LINE_VALUES; v++) {
        for (size_t i = 0; i < points; i++) plane[i] = lines.points[VKP_LINE_VALUES * i + v];
        w->line[v] = malloc(count * sizeof **w->line);
        assert_non_null(w->line[v]);
        vkp_plan_apply_planes(plan, plane, 1, w->line[v]);
    }
    vkp_box_weights(lines.wide_x, w->across);
    vkp_box_weights(lines.wide_y, w->down);
    w->original = original;
    free(plane);
    vkp_chroma_lines_free(&lines);
}

static void wanted_level(const wanted *w, int x, int y, int level[4])
{
    const size_t i = (size_t)y * (size_t)w->original->width + (size_t)x;
    const double mean = mean_luma(w->original, x, y, w->across, w->down);
    double crcb[2];
    for (int c = 0; c < 2; c++) {
        float *const *line = w->line + c;
        const double chroma = (double)line[VKP_LINE_CR0][i] + mean * (double)line[VKP_LINE_CR1][i];
        const double low = (double)line[VKP_LINE_CR_LOW][i], high = (double)line[VKP_LINE_CR_HIGH][i];
        crcb[c] = w->saturation / 2 * fmin(fmax(chroma, low), high);
    }
    join_pixel(w->original->rgba + 4 * i, crcb[0], crcb[1], level);
}

/* At most one level apart, and that at few places: where the exact value lies between two levels. */
static void check_joined(const wanted *w, const vkp_picture *colored)
{
    size_t apart = 0;
    for (int y = 0; y < colored->height; y++)
        for (int x = 0; x < colored->width; x++) {
            int level[4];
            wanted_level(w, x, y, level);
            const uint8_t *at = colored->rgba + 4 * ((size_t)y * (size_t)colored->width + (size_t)x);
            for (int c = 0; c < 4; c++) {
                const int d = abs(level[c] - at[c]);
                if (d > (c < 3)) fail_msg("pixel %d,%d channel %d: %d, not %d", x, y, c, at[c], level[c]);
                apart += (size_t)d;
            }
        }
    const size_t count = (size_t)colored->width * (size_t)colored->height;
    if (apart > 1 + count / 500) fail_msg("%zu of %zu values are a level off", apart, 3 * count);
}

static void check_join(vkp_joiner *joiner, vkp_fit way, int size, int w, int h, bool flip, float saturation)
{
    vkp_picture original = small_picture_random(w, h, (uint64_t)w), colored;
    vkp_fit_plan plan;
    assert_ok(vkp_unfit_make(way, size, w, h, flip, &plan));
    float *crcb = random_chroma(2 * (size_t)plan.src_w * (size_t)plan.src_h, (uint64_t)h);
    assert_ok(vkp_joiner_run(joiner, &original, crcb, &plan, saturation, &colored));
    assert_int_equal(colored.width, w);
    assert_int_equal(colored.height, h);
    assert_true(colored.alpha && !colored.gray);
    wanted want = {.saturation = (double)saturation};
    make_wanted(&original, &plan, crcb, &want);
    check_joined(&want, &colored);
    for (int v = 0; v < VKP_LINE_VALUES; v++) free(want.line[v]);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_picture_free(&original);
    vkp_picture_free(&colored);
}

static void joins_every_way_in_small_tiles(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 1, 16},  {3, 5, 16},  {8, 8, 16},  {17, 9, 48}, {33, 20, 16},
                                   {20, 33, 7}, {64, 47, 5}, {1, 50, 16}, {50, 1, 32}, {96, 64, 48}};
    vkp_joiner *joiner;
    assert_ok(vkp_joiner_create(test_device, 13, &joiner)); /* tiles of 16 */
    for (int way = 0; way < VKP_FIT_COUNT; way++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            const int *s = sizes[k];
            check_join(joiner, (vkp_fit)way, s[2], s[0], s[1], k % 2, 0.25f * (float)(k + 1));
        }
    vkp_joiner_destroy(joiner);
}

static void joins_large_pictures(void **state)
{
    (void)state;
    vkp_joiner *joiner;
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    check_join(joiner, VKP_FIT_WRAP, 64, 1, 1, false, 1);
    check_join(joiner, VKP_FIT_WRAP, 64, 1500, 1100, false, 1);
    check_join(joiner, VKP_FIT_ROTATE, 320, 1023, 1031, true, 1.5f);
    vkp_joiner_destroy(joiner);
}

static void gray_without_chroma_stays_as_it_is(void **state)
{
    (void)state;
    vkp_picture original, colored;
    assert_ok(vkp_picture_make(16, 16, &original));
    for (int i = 0; i < 256; i++) memset(original.rgba + 4 * i, i, 3);
    original.gray = true;
    vkp_fit_plan plan;
    assert_ok(vkp_unfit_make(VKP_FIT_STRETCH, 16, 16, 16, false, &plan));
    float *crcb = random_chroma(2 * 16 * 16, 1);
    vkp_joiner *joiner;
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    assert_ok(vkp_joiner_run(joiner, &original, crcb, &plan, 0, &colored));
    assert_memory_equal(original.rgba, colored.rgba, 4 * 256);
    assert_false(colored.alpha);
    vkp_joiner_destroy(joiner);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_picture_free(&original);
    vkp_picture_free(&colored);
}

/* -- what it is for -- */

/* A photograph whose colours are known: `truth` in colour, and what the joiner brings to its full size from
 * its luma and from area means of its chroma, points of CELL x 12 pixels. */
enum { CELL = 16, W = 512, H = 384, COUNT = W * H };

typedef struct trial {
    vkp_picture truth, gray, colored;
    float crcb[2 * (W / CELL) * (W / CELL)]; /* a square: stretched */
    vkp_fit_plan plan;
} trial;

static uint8_t to_level(double value) { return (uint8_t)floor(fmin(fmax(value, 0), 1) * 255 + 0.5); }

/* A pixel of the given luma and chroma, with `noise` added to the luma that the joiner gets to see. */
static void set_pixel(trial *t, int x, int y, const double ycc[3], double noise)
{
    uint8_t *truth = t->truth.rgba + 4 * (y * W + x), *gray = t->gray.rgba + 4 * (y * W + x);
    truth[0] = to_level(ycc[0] + 1.402 * ycc[1]);
    truth[1] = to_level(ycc[0] - 0.714136 * ycc[1] - 0.344136 * ycc[2]);
    truth[2] = to_level(ycc[0] + 1.772 * ycc[2]);
    memset(gray, to_level(luma_of(truth) + noise), 3);
}

static void begin_trial(trial *t)
{
    assert_ok(vkp_picture_make(W, H, &t->truth));
    assert_ok(vkp_picture_make(W, H, &t->gray));
    t->colored = (vkp_picture){.rgba = NULL};
    assert_ok(vkp_unfit_make(VKP_FIT_STRETCH, W / CELL, W, H, false, &t->plan));
}

static void end_trial(trial *t)
{
    vkp_picture_free(&t->truth);
    vkp_picture_free(&t->gray);
    vkp_picture_free(&t->colored);
    vkp_fit_free(&t->plan);
}

/* Area means of the true chroma: what a perfect network predicts. */
static void reduce_chroma(trial *t)
{
    const int side = W / CELL, high = H / side, plane = side * side;
    memset(t->crcb, 0, sizeof t->crcb);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double crcb[2];
            chroma_of(t->truth.rgba + 4 * (y * W + x), crcb);
            for (int c = 0; c < 2; c++)
                t->crcb[c * plane + y / high * side + x / CELL] += (float)(2 * crcb[c] / (CELL * high));
        }
}

static void color(trial *t, uint32_t tile, float saturation)
{
    vkp_joiner *joiner;
    vkp_picture_free(&t->colored);
    assert_ok(vkp_joiner_create(test_device, tile, &joiner));
    assert_ok(vkp_joiner_run(joiner, &t->gray, t->crcb, &t->plan, saturation, &t->colored));
    vkp_joiner_destroy(joiner);
}

/* Squared error of the chroma at a pixel: the joiner's and that of bilinear interpolation. */
static void chroma_errors(const trial *t, const float *bilinear, int i, double error[2])
{
    double truth[2], got[2];
    chroma_of(t->truth.rgba + 4 * i, truth);
    chroma_of(t->colored.rgba + 4 * i, got);
    error[0] = error[1] = 0;
    for (int c = 0; c < 2; c++) {
        error[0] += pow(got[c] - truth[c], 2);
        error[1] += pow((double)bilinear[c * COUNT + i] / 2 - truth[c], 2);
    }
}

static float *bilinear_chroma(const trial *t)
{
    float *planes = malloc(2 * COUNT * sizeof *planes);
    assert_non_null(planes);
    vkp_plan_apply_planes(&t->plan, t->crcb, 2, planes);
    return planes;
}

/* Discs of colours on a sky with a gradient, each with its shading and a texture: what the lines are good at
 * (edges), and what they must not spoil (luma that changes while the chroma does not). */
static void paint_scene(trial *t, double grain)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double ycc[3] = {0.75 - 0.25 * y / H, -0.06 - 0.03 * y / H, 0.12 * (H - y) / H};
            for (int k = 0; k < 9; k++) {
                const double dx = x - (60 + 97 * k % 450), dy = y - (50 + 61 * k % 300), r = 25 + 7 * k;
                const double inside = fmin(fmax(r - sqrt(dx * dx + dy * dy), 0), 1);
                const double shade = 1 + 0.15 * dx / r + 0.08 * sin(x * 0.9) * sin(y * 0.7 + k);
                const double own[3] = {(0.25 + 0.06 * k) * shade, 0.2 * cos(2.2 * k), 0.15 * sin(2.2 * k)};
                for (int c = 0; c < 3; c++) ycc[c] += inside * (own[c] - ycc[c]);
            }
            const double noise = (double)vkp_random_float(9, VKP_RANDOM_TEST, (uint64_t)(y * W + x)) - 0.5;
            set_pixel(t, x, y, ycc, grain * sqrt(12) * noise);
        }
    reduce_chroma(t);
}

static double gain_over_bilinear(const trial *t)
{
    float *bilinear = bilinear_chroma(t);
    double sum[2] = {0};
    for (int i = 0; i < COUNT; i++) {
        double error[2];
        chroma_errors(t, bilinear, i, error);
        sum[0] += error[0];
        sum[1] += error[1];
    }
    free(bilinear);
    return 10 * log10(sum[1] / sum[0]);
}

static void chroma_is_nearer_the_truth_than_bilinear(void **state)
{
    (void)state;
    trial t;
    begin_trial(&t);
    paint_scene(&t, 0);
    color(&t, 0, 1);
    const double clean = gain_over_bilinear(&t);
    paint_scene(&t, 0.04);
    color(&t, 0, 1);
    const double grainy = gain_over_bilinear(&t);
    print_message("CrCb-PSNR over bilinear: %.2f dB, with grain %.2f dB\n", clean, grainy);
    assert_true(clean > 2.5);
    assert_true(grainy > 2);
    end_trial(&t);
}

/* Two flat colours that meet at an upright edge somewhere within a point's pixels. */
static void paint_edge(trial *t, int edge, const double left[3], const double right[3])
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) set_pixel(t, x, y, x < edge ? left : right, 0);
    reduce_chroma(t);
}

static void colours_end_at_edges_without_halos(void **state)
{
    (void)state;
    static const double left[3] = {0.3, 0.15, -0.1}, right[3] = {0.7, -0.1, 0.05};
    trial t;
    begin_trial(&t);
    double bled[2] = {0};
    for (int edge = 240; edge < 256; edge += 5) {
        paint_edge(&t, edge, left, right);
        color(&t, 0, 1);
        float *bilinear = bilinear_chroma(&t);
        for (int x = edge - 60; x < edge + 60; x++) {
            double error[2];
            chroma_errors(&t, bilinear, H / 2 * W + x, error);
            /* A step of 0.29: but for the pixels that the luma's mean mixes, a twelfth of it at most. */
            const bool near = x >= edge - 3 && x < edge + 3;
            if (!near && sqrt(error[0]) > 0.024)
                fail_msg("%g off, %d from the edge", sqrt(error[0]), x - edge);
            bled[0] += sqrt(error[0]);
            bled[1] += sqrt(error[1]);
        }
        free(bilinear);
    }
    print_message("error along the edges: %.2f, bilinear %.2f\n", bled[0], bled[1]);
    assert_true(bled[0] < bled[1] / 3);
    end_trial(&t);
}

/* Where the network says one colour, grain must not become coloured grain; nor where its colour changes. */
static void grain_stays_gray(void **state)
{
    (void)state;
    trial t;
    begin_trial(&t);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const double ycc[3] = {0.5, 0.12 * sin(x * 0.01), 0.1 * cos(y * 0.012)};
            const double noise = (double)vkp_random_float(3, VKP_RANDOM_TEST, (uint64_t)(y * W + x)) - 0.5;
            set_pixel(&t, x, y, ycc, 0.08 * sqrt(12) * noise);
        }
    reduce_chroma(&t);
    color(&t, 0, 1);
    float *bilinear = bilinear_chroma(&t);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        double error[2];
        chroma_errors(&t, bilinear, i, error);
        sum += error[0];
    }
    free(bilinear);
    /* What rounding R, G and B to levels does to Cr and Cb alone is 0.0016. */
    const double got = sqrt(sum / COUNT);
    print_message("grain of 0.08 in luma: %.4f in chroma\n", got);
    assert_true(got < 0.004);
    end_trial(&t);
}

static void seams_cannot_be_seen(void **state)
{
    (void)state;
    trial t;
    begin_trial(&t);
    paint_scene(&t, 0.03);
    color(&t, 512, 1.3f);
    vkp_picture whole = t.colored;
    t.colored.rgba = NULL;
    for (uint32_t tile = 64; tile <= 200; tile += 36) {
        color(&t, tile, 1.3f);
        for (int i = 0; i < 4 * COUNT; i++)
            if (abs(whole.rgba[i] - t.colored.rgba[i]) > 1)
                fail_msg("tiles of %u: %d, not %d, at %d,%d", tile, t.colored.rgba[i], whole.rgba[i],
                         i / 4 % W, i / 4 / W);
    }
    vkp_picture_free(&whole);
    end_trial(&t);
}

/* Chroma that no luma has room for: the luma stays all the same, and so does the hue. */
static void strong_colours_keep_luma_and_hue(void **state)
{
    (void)state;
    trial t;
    begin_trial(&t);
    static const double flat[3] = {0.5, 0, 0};
    paint_edge(&t, 0, flat, flat);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) memset(t.gray.rgba + 4 * (y * W + x), x / 2, 3);
    const int plane = (W / CELL) * (W / CELL);
    for (int angle = 0; angle < 360; angle += 30) {
        const double hue = angle * acos(-1) / 180, cr = cos(hue), cb = sin(hue);
        for (int i = 0; i < plane; i++) {
            t.crcb[i] = (float)cr;
            t.crcb[plane + i] = (float)cb;
        }
        color(&t, 0, 2);
        for (int x = 0; x < W; x++) {
            const uint8_t *got = t.colored.rgba + 4 * (H / 2 * W + x);
            double crcb[2];
            chroma_of(got, crcb);
            if (fabs(luma_of(got) * 255 - x / 2) > 0.6)
                fail_msg("hue %d: luma %g, not %d", angle, luma_of(got) * 255, x / 2);
            /* The part across the hue is rounding alone. */
            if (fabs(crcb[0] * cb - crcb[1] * cr) > 0.004 || crcb[0] * cr + crcb[1] * cb < -0.004)
                fail_msg("hue %d, luma %d: %g, %g", angle, x / 2, crcb[0], crcb[1]);
        }
    }
    end_trial(&t);
}

/* -- photographs, where some are given -- */

/* Means of the true chroma over the pixels nearest to each point. */
static float *mean_chroma(const vkp_picture *photo, const vkp_fit_plan *plan)
{
    const size_t plane = (size_t)plan->src_w * (size_t)plan->src_h;
    float *crcb = calloc(2 * plane, sizeof *crcb), *shares = calloc(plane, sizeof *shares);
    assert_true(crcb && shares);
    for (int y = 0; y < photo->height; y++)
        for (int x = 0; x < photo->width; x++) {
            const vkp_tap *row = &plan->rows[y], *col = &plan->cols[x];
            const int r = row->w < 0.5f ? row->i0 : row->i1, c = col->w < 0.5f ? col->i0 : col->i1;
            const size_t point = (size_t)(r * plan->row_stride + c * plan->col_stride);
            double own[2];
            chroma_of(photo->rgba + 4 * ((size_t)y * (size_t)photo->width + (size_t)x), own);
            for (size_t k = 0; k < 2; k++) crcb[k * plane + point] += (float)(2 * own[k]);
            shares[point]++;
        }
    for (size_t i = 0; i < 2 * plane; i++)
        if (shares[i % plane] > 0) crcb[i] /= shares[i % plane];
    free(shares);
    return crcb;
}

static vkp_picture gray_of(const vkp_picture *photo)
{
    vkp_picture gray;
    assert_ok(vkp_picture_make(photo->width, photo->height, &gray));
    for (size_t i = 0; i < (size_t)photo->width * (size_t)photo->height; i++)
        memset(gray.rgba + 4 * i, to_level(luma_of(photo->rgba + 4 * i)), 3);
    return gray;
}

static double squares(const uint8_t *truth, const double got[2])
{
    double own[2];
    chroma_of(truth, own);
    return pow(got[0] - own[0], 2) + pow(got[1] - own[1], 2);
}

/* CrCb-PSNR of the joiner's result [0] and of bilinear interpolation, rounded to levels as well [1]. */
static void score_photo(const vkp_picture *photo, const vkp_picture *gray, const vkp_picture *colored,
                        const float *full, double psnr[2])
{
    const size_t count = (size_t)photo->width * (size_t)photo->height;
    double sum[2] = {0}, got[2];
    for (size_t i = 0; i < count; i++) {
        int level[4];
        chroma_of(colored->rgba + 4 * i, got);
        sum[0] += squares(photo->rgba + 4 * i, got);
        join_pixel(gray->rgba + 4 * i, (double)full[i] / 2, (double)full[count + i] / 2, level);
        const uint8_t rgb[3] = {(uint8_t)level[0], (uint8_t)level[1], (uint8_t)level[2]};
        chroma_of(rgb, got);
        sum[1] += squares(photo->rgba + 4 * i, got);
    }
    for (int k = 0; k < 2; k++) psnr[k] = -10 * log10(sum[k] / (2 * (double)count) + 1e-12);
}

static void color_photo(vkp_joiner *joiner, const vkp_picture *photo, int size, double psnr[2])
{
    vkp_picture gray = gray_of(photo), colored;
    vkp_fit_plan plan;
    assert_ok(vkp_unfit_make(VKP_FIT_WRAP, size, photo->width, photo->height, false, &plan));
    float *crcb = mean_chroma(photo, &plan);
    float *full = malloc(2 * (size_t)photo->width * (size_t)photo->height * sizeof *full);
    assert_non_null(full);
    assert_ok(vkp_joiner_run(joiner, &gray, crcb, &plan, 1, &colored));
    vkp_plan_apply_planes(&plan, crcb, 2, full);
    score_photo(photo, &gray, &colored, full, psnr);
    free(full);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_picture_free(&gray);
    vkp_picture_free(&colored);
}

/* VKPIX_TEST_PHOTOS: a folder of large photographs. Prints the CrCb-PSNR of each, brought to its size from
 * 256 and from 320 points on the long side; the mean must be 1 dB over bilinear's. */
static void photographs_are_nearer_the_truth(void **state)
{
    (void)state;
    const char *folder = getenv("VKPIX_TEST_PHOTOS");
    vkp_folder photos;
    vkp_joiner *joiner;
    if (!folder) skip();
    assert_ok(vkp_folder_list(folder, &photos));
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    double gain[2] = {0};
    for (size_t i = 0; i < photos.count; i++) {
        vkp_picture photo;
        double psnr[2][2];
        assert_ok(vkp_picture_read(photos.paths[i], 0, &photo));
        for (int k = 0; k < 2; k++) {
            color_photo(joiner, &photo, k ? 320 : 256, psnr[k]);
            gain[k] += (psnr[k][0] - psnr[k][1]) / (double)photos.count;
        }
        print_message("256: %.2f dB (bilinear %.2f)  320: %.2f (%.2f)  %s\n", psnr[0][0], psnr[0][1],
                      psnr[1][0], psnr[1][1], photos.names[i]);
        vkp_picture_free(&photo);
    }
    print_message("mean over bilinear: 256: %.2f dB  320: %.2f dB\n", gain[0], gain[1]);
    assert_true(gain[0] > 1 && gain[1] > 1);
    vkp_joiner_destroy(joiner);
    vkp_folder_free(&photos);
}

static void refuses_bad_chroma_and_plans(void **state)
{
    (void)state;
    vkp_picture original = small_picture_random(20, 10, 1), colored;
    vkp_fit_plan plan, other;
    assert_ok(vkp_unfit_make(VKP_FIT_WRAP, 16, 20, 10, false, &plan));
    assert_ok(vkp_unfit_make(VKP_FIT_WRAP, 16, 10, 20, false, &other));
    float *crcb = random_chroma(2 * 16 * 16, 1);
    vkp_joiner *joiner;
    assert_int_equal(vkp_joiner_create(test_device, 5000, &joiner), VKP_INTERNAL);
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    assert_int_equal(vkp_joiner_run(joiner, &original, crcb, &other, 1, &colored), VKP_INTERNAL);
    assert_int_equal(vkp_joiner_run(joiner, &original, crcb, &plan, NAN, &colored), VKP_NOT_FINITE);
    crcb[511] = INFINITY;
    assert_int_equal(vkp_joiner_run(joiner, &original, crcb, &plan, 1, &colored), VKP_NOT_FINITE);
    assert_null(colored.rgba);
    vkp_joiner_destroy(joiner);
    vkp_joiner_destroy(NULL);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_fit_free(&other);
    vkp_picture_free(&original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_every_way_in_small_tiles),
        cmocka_unit_test(joins_large_pictures),
        cmocka_unit_test(gray_without_chroma_stays_as_it_is),
        cmocka_unit_test(chroma_is_nearer_the_truth_than_bilinear),
        cmocka_unit_test(colours_end_at_edges_without_halos),
        cmocka_unit_test(grain_stays_gray),
        cmocka_unit_test(seams_cannot_be_seen),
        cmocka_unit_test(strong_colours_keep_luma_and_hue),
        cmocka_unit_test(photographs_are_nearer_the_truth),
        cmocka_unit_test(refuses_bad_chroma_and_plans),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
