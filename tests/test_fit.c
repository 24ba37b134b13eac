/* The tap tables against pictures really padded, cut and turned, then resized by the plain formula, and
 * against PyTorch's interpolate (tests/reference/fit_torch.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/fit_torch.h"
#include "image/fit.h"

/* Three planes of any size with values 0..1. */
typedef struct planes {
    int w, h;
    double *v;
} planes;

static planes planes_make(int w, int h)
{
    planes p = {w, h, calloc((size_t)w * (size_t)h * 3, sizeof *p.v)};
    assert_non_null(p.v);
    return p;
}

static double *at(planes p, int c, int y, int x)
{
    assert_true(x >= 0 && y >= 0 && x < p.w && y < p.h);
    return &p.v[((size_t)c * (size_t)p.h + (size_t)y) * (size_t)p.w + (size_t)x];
}

static uint8_t pattern(int c, int y, int x) { return (uint8_t)((37 * x + 61 * y + 17 * c + x * y) % 256); }

static uint8_t *make_rgba(int w, int h)
{
    uint8_t *rgba = malloc((size_t)w * (size_t)h * 4), *p = rgba;
    assert_non_null(rgba);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, p += 4)
            for (int c = 0; c < 4; c++) p[c] = c < 3 ? pattern(c, y, x) : 99;
    return rgba;
}

/* What the network's rectangle is resized from, pixel by pixel as MISSION.md's words have it. */
static planes padded(vkp_fit way, int w, int h)
{
    int longer = w > h ? w : h, shorter = w > h ? h : w, d = longer - shorter;
    bool turned = way == VKP_FIT_ROTATE && h > w;
    planes p = {0, 0, NULL};
    if (way == VKP_FIT_STRETCH || way == VKP_FIT_ASPECT) p = planes_make(w, h);
    if (way == VKP_FIT_ROTATE) p = planes_make(longer, shorter);
    if (way == VKP_FIT_CROP) p = planes_make(shorter, shorter);
    if (way == VKP_FIT_WRAP || way == VKP_FIT_BLACK) p = planes_make(longer, longer);
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < p.h; y++) {
            for (int x = 0; x < p.w; x++) {
                int sx = x, sy = y;
                if (way == VKP_FIT_CROP) sx += w > h ? d / 2 : 0, sy += h > w ? d / 2 : 0;
                if (way == VKP_FIT_WRAP || way == VKP_FIT_BLACK)
                    sx -= h > w ? d / 2 : 0, sy -= w > h ? d / 2 : 0;
                while (way == VKP_FIT_WRAP && sx < 0) sx += w;
                while (way == VKP_FIT_WRAP && sy < 0) sy += h;
                while (way == VKP_FIT_WRAP && sx >= w) sx -= w;
                while (way == VKP_FIT_WRAP && sy >= h) sy -= h;
                if (turned) sx = y, sy = h - 1 - x;
                if (sx >= 0 && sy >= 0 && sx < w && sy < h) *at(p, c, y, x) = pattern(c, sy, sx) / 255.0;
            }
        }
    }
    return p;
}

static double sample(planes p, int c, double y, double x)
{
    y = fmin(fmax(y, 0), p.h - 1);
    x = fmin(fmax(x, 0), p.w - 1);
    int y0 = (int)y, x0 = (int)x, y1 = y0 + 1 < p.h ? y0 + 1 : y0, x1 = x0 + 1 < p.w ? x0 + 1 : x0;
    double fy = y - y0, fx = x - x0;
    return *at(p, c, y0, x0) * (1 - fy) * (1 - fx) + *at(p, c, y0, x1) * (1 - fy) * fx +
           *at(p, c, y1, x0) * fy * (1 - fx) + *at(p, c, y1, x1) * fy * fx;
}

static planes resized(planes p, int w, int h, bool flip)
{
    planes out = planes_make(w, h);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                *at(out, c, y, flip ? w - 1 - x : x) =
                    sample(p, c, (y + 0.5) * p.h / h - 0.5, (x + 0.5) * p.w / w - 0.5);
    return out;
}

static float *fitted(const vkp_fit_plan *plan)
{
    uint8_t *rgba = make_rgba(plan->src_w, plan->src_h);
    float *out = malloc((size_t)plan->out_w * (size_t)plan->out_h * 3 * sizeof *out);
    assert_non_null(out);
    vkp_fit_apply(plan, rgba, out);
    free(rgba);
    return out;
}

/* The luma that is made at once against that of the three planes. */
static void check_luma(const vkp_fit_plan *plan, const float *rgb)
{
    const size_t plane = (size_t)plan->out_w * (size_t)plan->out_h;
    uint8_t *rgba = make_rgba(plan->src_w, plan->src_h);
    float *got = malloc(plane * sizeof *got);
    assert_non_null(got);
    assert_int_equal(vkp_fit_luma(plan, rgba, got), VKP_OK);
    for (size_t i = 0; i < plane; i++) {
        const float want = .299f * rgb[i] + .587f * rgb[plane + i] + .114f * rgb[2 * plane + i];
        assert_float_equal(got[i], want, 1e-6);
    }
    free(got);
    free(rgba);
}

static const int sizes[][3] = {{1, 1, 16},   {1, 500, 16}, {500, 1, 16}, {7, 5, 16},
                               {5, 7, 32},   {33, 20, 16}, {20, 33, 7},  {64, 48, 32},
                               {48, 64, 48}, {37, 37, 5},  {3, 100, 9},  {97, 64, 64}};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

static void every_way_is_the_picture_padded_and_resized(void **state)
{
    (void)state;
    for (int k = 0; k < SIZE_COUNT * VKP_FIT_COUNT * 2; k++) {
        const int *s = sizes[k / 2 / VKP_FIT_COUNT];
        vkp_fit way = (vkp_fit)(k / 2 % VKP_FIT_COUNT);
        vkp_fit_plan plan;
        assert_int_equal(vkp_fit_make(way, s[2], s[0], s[1], k % 2, &plan), VKP_OK);
        int out_w, out_h;
        vkp_fit_output(way, s[2], s[0], s[1], &out_w, &out_h);
        assert_int_equal(plan.out_w, out_w);
        assert_int_equal(plan.out_h, out_h);
        planes source = padded(way, s[0], s[1]), expected = resized(source, out_w, out_h, k % 2);
        float *got = fitted(&plan);
        for (int i = 0; i < 3 * out_w * out_h; i++) assert_float_equal(got[i], expected.v[i], 2e-6);
        check_luma(&plan, got);
        free(got);
        free(source.v);
        free(expected.v);
        vkp_fit_free(&plan);
    }
}

static void a_window_is_a_part_of_the_picture(void **state)
{
    (void)state;
    static const double windows[][3] = {{0, 0, 1}, {3.25, 1.5, .7}, {10, 2, 1.9}, {-4, 30, .1}, {2, 2, -1}};
    const int w = 40, h = 30, size = 13;
    planes source = padded(VKP_FIT_STRETCH, w, h);
    for (size_t k = 0; k < 2 * sizeof windows / sizeof *windows; k++) {
        const double x0 = windows[k / 2][0], y0 = windows[k / 2][1], step = windows[k / 2][2];
        vkp_fit_plan plan;
        assert_int_equal(vkp_fit_window(size, x0, y0, step, w, h, k % 2, &plan), VKP_OK);
        assert_int_equal(plan.valid.x1, size);
        float *got = fitted(&plan);
        check_luma(&plan, got);
        for (int i = 0; i < 3 * size * size; i++) {
            const int c = i / (size * size), y = i / size % size, x = k % 2 ? size - 1 - i % size : i % size;
            const double want = sample(source, c, y0 + (y + .5) * step - .5, x0 + (x + .5) * step - .5);
            assert_float_equal(got[i], want, 2e-6);
        }
        free(got);
        vkp_fit_free(&plan);
    }
    free(source.v);
}

static void wrap_is_what_pytorch_gives(void **state)
{
    (void)state;
    const float *expected = fit_torch_values;
    for (size_t k = 0; k < sizeof fit_torch_cases / sizeof *fit_torch_cases; k++) {
        const int *s = fit_torch_cases[k];
        vkp_fit_plan plan;
        assert_int_equal(vkp_fit_make(VKP_FIT_WRAP, s[2], s[0], s[1], false, &plan), VKP_OK);
        float *got = fitted(&plan);
        for (int i = 0; i < 3 * s[2] * s[2]; i++) assert_float_equal(got[i], *expected++, 4e-6);
        free(got);
        vkp_fit_free(&plan);
    }
    assert_ptr_equal(expected, fit_torch_values + sizeof fit_torch_values / sizeof *fit_torch_values);
}

static void planes_are_gathered_as_bytes_are(void **state)
{
    (void)state;
    vkp_fit_plan plan;
    assert_int_equal(vkp_fit_make(VKP_FIT_ROTATE, 32, 7, 11, true, &plan), VKP_OK);
    float source[3 * 7 * 11], got[3 * 32 * 32];
    for (int i = 0; i < 3 * 7 * 11; i++) source[i] = (float)pattern(i / 77, i / 7 % 11, i % 7) / 255;
    vkp_plan_apply_planes(&plan, source, 3, got);
    float *expected = fitted(&plan);
    assert_memory_equal(got, expected, (size_t)(3 * plan.out_w * plan.out_h) * sizeof *got);
    free(expected);
    vkp_fit_free(&plan);
}

/* The valid pixels by trying each centre. */
static void check_valid(int offset, int n, int span, int out, int first, int end)
{
    int count = 0;
    for (int k = 0; k < out; k++) {
        double centre = (k + 0.5) * span / out;
        bool inside = centre >= offset && centre < offset + n;
        count += inside;
        if (inside) assert_true(k >= first && k < end);
    }
    assert_int_equal(end - first, count ? count : 1);
    assert_true(first >= 0 && end <= out);
}

static void valid_pixels_have_their_centre_in_the_picture(void **state)
{
    (void)state;
    for (int k = 0; k < SIZE_COUNT * VKP_FIT_COUNT; k++) {
        const int *s = sizes[k / VKP_FIT_COUNT];
        vkp_fit way = (vkp_fit)(k % VKP_FIT_COUNT);
        vkp_rect r = vkp_fit_aspect_crop(way, s[2], s[0], s[1]);
        int span = s[0] > s[1] ? s[0] : s[1];
        vkp_fit_plan plain, flipped;
        assert_int_equal(vkp_fit_make(way, s[2], s[0], s[1], false, &plain), VKP_OK);
        assert_int_equal(vkp_fit_make(way, s[2], s[0], s[1], true, &flipped), VKP_OK);
        assert_memory_equal(&plain.valid, &r, sizeof r);
        assert_int_equal(flipped.valid.x0, plain.out_w - r.x1);
        assert_int_equal(flipped.valid.x1, plain.out_w - r.x0);
        if (way == VKP_FIT_WRAP || way == VKP_FIT_BLACK) {
            check_valid((span - s[0]) / 2, s[0], span, s[2], r.x0, r.x1);
            check_valid((span - s[1]) / 2, s[1], span, s[2], r.y0, r.y1);
        } else {
            vkp_rect all = {0, 0, plain.out_w, plain.out_h};
            assert_memory_equal(&r, &all, sizeof r);
        }
        vkp_fit_free(&plain);
        vkp_fit_free(&flipped);
    }
}

/* A smooth picture with no two sides alike, by position in 0..1. */
static float smooth(double x, double y)
{
    return (float)(0.5 + 0.3 * sin(2 * x + 0.3) - 0.2 * cos(3 * y) * x);
}

static void there_and_back_is_close(void **state)
{
    (void)state;
    static const int cases[][2] = {{40, 30}, {30, 40}, {61, 37}, {37, 61}, {33, 33}, {200, 150}, {11, 64}};
    enum { SIZE = 64 };
    for (int k = 0; k < 7 * VKP_FIT_COUNT * 2; k++) {
        int w = cases[k / 2 / VKP_FIT_COUNT][0], h = cases[k / 2 / VKP_FIT_COUNT][1];
        vkp_fit way = (vkp_fit)(k / 2 % VKP_FIT_COUNT);
        vkp_fit_plan there, back;
        assert_int_equal(vkp_fit_make(way, SIZE, w, h, k % 2, &there), VKP_OK);
        assert_int_equal(vkp_unfit_make(way, SIZE, w, h, k % 2, &back), VKP_OK);
        assert_int_equal(back.src_w, there.out_w);
        assert_int_equal(back.out_h, h);
        float *picture = malloc((size_t)(w * h) * 2 * sizeof *picture), *again = picture + w * h;
        float net[SIZE * SIZE];
        assert_non_null(picture);
        for (int i = 0; i < w * h; i++) picture[i] = smooth((i % w + 0.5) / w, (i / w + 0.5) / h);
        vkp_plan_apply_planes(&there, picture, 1, net);
        vkp_plan_apply_planes(&back, net, 1, again);
        /* What one pixel of the coarser grid is worth: slopes stay below 1.1 a side. */
        double step = 2.0 / SIZE + 1.0 / (w < h ? w : h);
        int d = abs(w - h);
        for (int i = 0; i < w * h; i++) {
            int x = i % w, y = i / w;
            if (way == VKP_FIT_CROP && w > h && (x < d / 2 || x >= d / 2 + h)) continue;
            if (way == VKP_FIT_CROP && h > w && (y < d / 2 || y >= d / 2 + w)) continue;
            bool inner = x > w / 8 && x < w - w / 8 - 1 && y > h / 8 && y < h - h / 8 - 1;
            /* At the border the network's own pixel is part padding. */
            bool padded_border = !inner && (way == VKP_FIT_WRAP || way == VKP_FIT_BLACK);
            if (!padded_border) assert_float_equal(again[i], picture[i], inner ? 0.1 * step : step);
        }
        free(picture);
        vkp_fit_free(&there);
        vkp_fit_free(&back);
    }
}

/* Position is exact: a ramp by column survives both ways where no edge clamps it. */
static void a_ramp_comes_back_aligned(void **state)
{
    (void)state;
    enum { W = 50, H = 30, SIZE = 100 };
    for (int k = 0; k < VKP_FIT_COUNT; k++) {
        vkp_fit_plan back;
        assert_int_equal(vkp_unfit_make((vkp_fit)k, SIZE, W, H, false, &back), VKP_OK);
        int span = k == VKP_FIT_CROP ? H : W, net_h = back.src_h;
        float net[SIZE * SIZE], out[W * H];
        for (int i = 0; i < SIZE * net_h; i++) net[i] = ((float)(i % SIZE) + 0.5f) / SIZE;
        vkp_plan_apply_planes(&back, net, 1, out);
        for (int i = 0; i < W * H; i++) {
            double position = (i % W - (W - span) / 2 + 0.5) / span;
            assert_float_equal(out[i], fmin(fmax(position, 0.5 / SIZE), 1 - 0.5 / SIZE), 1e-6);
        }
        vkp_fit_free(&back);
    }
}

static void padding_does_not_come_back(void **state)
{
    (void)state;
    static const vkp_fit ways[] = {VKP_FIT_WRAP, VKP_FIT_BLACK};
    for (int k = 0; k < 2 * SIZE_COUNT; k++) {
        const int *s = sizes[k / 2];
        vkp_fit_plan back;
        assert_int_equal(vkp_unfit_make(ways[k % 2], s[2], s[0], s[1], false, &back), VKP_OK);
        vkp_rect r = vkp_fit_aspect_crop(ways[k % 2], s[2], s[0], s[1]);
        for (int i = 0; i < s[1]; i++) assert_true(back.rows[i].i0 >= r.y0 && back.rows[i].i1 < r.y1);
        for (int j = 0; j < s[0]; j++) assert_true(back.cols[j].i0 >= r.x0 && back.cols[j].i1 < r.x1);
        vkp_fit_free(&back);
    }
}

static void portraits_turn_clockwise(void **state)
{
    (void)state;
    /* 48 x 64 to 64 x 48 is exact: every weight is 0. The picture's top left corner goes to the top right. */
    vkp_fit_plan plan;
    assert_int_equal(vkp_fit_make(VKP_FIT_ROTATE, 64, 48, 64, false, &plan), VKP_OK);
    assert_true(plan.turned);
    float *got = fitted(&plan);
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 48; x++) assert_float_equal(got[x * 64 + 63 - y], pattern(0, y, x) / 255.0, 1e-7);
    free(got);
    vkp_fit_free(&plan);
    assert_int_equal(vkp_fit_make(VKP_FIT_ROTATE, 64, 64, 64, false, &plan), VKP_OK);
    assert_false(plan.turned);
    vkp_fit_free(&plan);
}

static void rectangles_are_multiples_of_16(void **state)
{
    (void)state;
    static const int heights[][2] = {{320, 240}, {256, 192}, {352, 272}, {16, 16},
                                     {64, 48},   {336, 256}, {1, 16}};
    for (size_t i = 0; i < sizeof heights / sizeof *heights; i++) {
        int w, h;
        vkp_fit_output(VKP_FIT_ROTATE, heights[i][0], 1, 1, &w, &h);
        assert_int_equal(w, heights[i][0]);
        assert_int_equal(h, heights[i][1]);
    }
}

static void aspect_keeps_proportions(void **state)
{
    (void)state;
    static const int cases[][5] = {{384, 256, 256, 256, 160}, {256, 384, 256, 160, 256}, {1, 1, 64, 64, 64},
                                   {1, 5000, 256, 32, 256},   {5000, 1, 256, 256, 32},
                                   {300, 300, 96, 96, 96},    {400, 300, 256, 256, 192},
                                   {16777216, 9437184, 4096, 4096, 2304}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int w, h;
        vkp_fit_output(VKP_FIT_ASPECT, cases[i][2], cases[i][0], cases[i][1], &w, &h);
        assert_int_equal(w, cases[i][3]);
        assert_int_equal(h, cases[i][4]);
    }
}

static void names_and_bad_values(void **state)
{
    (void)state;
    for (int i = 0; i < VKP_FIT_COUNT; i++) {
        vkp_fit way;
        assert_int_equal(vkp_fit_parse(vkp_fit_name((vkp_fit)i), &way), VKP_OK);
        assert_int_equal(way, i);
    }
    vkp_fit way;
    assert_int_equal(vkp_fit_parse("squash", &way), VKP_USAGE);
    assert_non_null(strstr(vkp_error(), "wrap, stretch, black, crop, rotate and aspect"));
    assert_int_equal(vkp_fit_parse("", &way), VKP_USAGE);
    assert_string_equal(vkp_fit_name(VKP_FIT_COUNT), "unknown");
    static const int bad[][3] = {{0, 5, 5},   {-16, 5, 5},   {16, 0, 5},
                                 {16, 5, -1}, {65537, 5, 5}, {16, 1 << 25, 5}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vkp_fit_plan plan;
        assert_int_equal(vkp_fit_make(VKP_FIT_WRAP, bad[i][0], bad[i][1], bad[i][2], false, &plan),
                         VKP_SHAPE);
        assert_null(plan.rows);
        assert_int_equal(vkp_fit_window(bad[i][0], 0, 0, 1, bad[i][1], bad[i][2], false, &plan), VKP_SHAPE);
        assert_null(plan.rows);
        assert_int_equal(vkp_unfit_make(VKP_FIT_WRAP, bad[i][0], bad[i][1], bad[i][2], false, &plan),
                         VKP_SHAPE);
        vkp_fit_free(&plan);
    }
    vkp_fit_plan plan;
    assert_int_equal(vkp_fit_window(16, 0, 0, (double)NAN, 5, 5, false, &plan), VKP_SHAPE);
    assert_int_equal(vkp_fit_window(16, (double)INFINITY, 0, 1, 5, 5, false, &plan), VKP_SHAPE);
    assert_null(plan.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_is_the_picture_padded_and_resized),
        cmocka_unit_test(a_window_is_a_part_of_the_picture),
        cmocka_unit_test(wrap_is_what_pytorch_gives),
        cmocka_unit_test(planes_are_gathered_as_bytes_are),
        cmocka_unit_test(valid_pixels_have_their_centre_in_the_picture),
        cmocka_unit_test(there_and_back_is_close),
        cmocka_unit_test(a_ramp_comes_back_aligned),
        cmocka_unit_test(padding_does_not_come_back),
        cmocka_unit_test(portraits_turn_clockwise),
        cmocka_unit_test(rectangles_are_multiples_of_16),
        cmocka_unit_test(aspect_keeps_proportions),
        cmocka_unit_test(names_and_bad_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
