/* Chroma lines against their definition in double precision, written down point by point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device_fixture.h"
#include "image/chroma_lines.h"
#include "small_picture.h"

enum { MAX_POINTS = 64 * 64 };

/* A picture stretched to size x size points, and what its lines must be. */
typedef struct reference {
    const vkp_picture *picture;
    int size;
    vkp_rect asked;            /* points that the picture's pixels lie between */
    double pixels_x, pixels_y; /* that share a point, at least 1 */
    double luma[MAX_POINTS], chroma[MAX_POINTS], slope[MAX_POINTS];
} reference;

static double clamp(double value, double low, double high) { return fmin(fmax(value, low), high); }

/* How much of pixel k lies in the mean of point i, of `size` points along n pixels. */
static double share(int k, int i, int n, int size)
{
    const double step = (double)n / size, wide = fmax(step, 1);
    const double middle = clamp((i + 0.5) * step, 0.5, n - 0.5);
    const double from = fmax(middle - wide / 2, 0), to = fmin(middle + wide / 2, n);
    return fmax(fmin(k + 1, to) - fmax(k, from), 0) / (to - from);
}

static double area_mean(const reference *r, int row, int column)
{
    const vkp_picture *p = r->picture;
    double sum = 0;
    for (int y = 0; y < p->height; y++) {
        const double down = share(y, row, p->height, r->size);
        for (int x = 0; x < p->width && down > 0; x++) {
            const uint8_t *at = p->rgba + 4 * ((size_t)y * (size_t)p->width + (size_t)x);
            const double luma = (0.299 * at[0] + 0.587 * at[1] + 0.114 * at[2]) / 255;
            sum += down * share(x, column, p->width, r->size) * luma;
        }
    }
    return sum;
}

static size_t point_at(const reference *r, int row, int column)
{
    const vkp_rect a = r->asked;
    return (size_t)((int)clamp(row, a.y0, a.y1 - 1) * r->size + (int)clamp(column, a.x0, a.x1 - 1));
}

/* The mean of a * b (b may be NULL) by the 3x3 weights [side 1-2side side] of either axis. */
static double window(const reference *r, const double *a, const double *b, int row, int column, double side_x,
                     double side_y)
{
    double sum = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            const size_t i = point_at(r, row + dy, column + dx);
            sum += (dy ? side_y : 1 - 2 * side_y) * (dx ? side_x : 1 - 2 * side_x) * a[i] * (b ? b[i] : 1);
        }
    return sum;
}

static double mean(const reference *r, const double *a, const double *b, int row, int column)
{
    return window(r, a, b, row, column, 1.0 / 6, 1.0 / 6);
}

static double raw_slope(const reference *r, int row, int column)
{
    const double y = mean(r, r->luma, NULL, row, column), c = mean(r, r->chroma, NULL, row, column);
    const double together = mean(r, r->luma, r->chroma, row, column) - y * c;
    return together / (mean(r, r->luma, r->luma, row, column) - y * y + 0.001);
}

static double sharp(const reference *r, const double *a, int row, int column)
{
    const double x = clamp(r->pixels_x - 1, 0, 1) / 8, y = clamp(r->pixels_y - 1, 0, 1) / 8;
    return 2 * a[point_at(r, row, column)] - window(r, a, NULL, row, column, x, y);
}

static void check_value(float got, double want, const char *what, int row, int column)
{
    if (fabs((double)got - want) > 2e-4 * (1 + fabs(want)))
        fail_msg("%s at %d,%d: %g, not %g", what, column, row, (double)got, want);
}

/* `values`: the points' from this plane's first on. */
static void check_plane(reference *r, const float *plane, const float *values)
{
    const int n = r->size * r->size;
    for (int i = 0; i < n; i++) r->chroma[i] = (double)plane[i];
    for (int i = 0; i < n; i++) r->slope[i] = raw_slope(r, i / r->size, i % r->size);
    for (int i = 0; i < n; i++, values += VKP_LINE_VALUES) {
        const int row = i / r->size, column = i % r->size;
        const vkp_rect a = r->asked;
        if (row < a.y0 || row >= a.y1 || column < a.x0 || column >= a.x1) {
            check_value(values[VKP_LINE_CR0], 0, "unused offset", row, column);
            continue;
        }
        const double slope = mean(r, r->slope, NULL, row, column);
        check_value(values[VKP_LINE_CR1], slope, "slope", row, column);
        check_value(values[VKP_LINE_CR0],
                    sharp(r, r->chroma, row, column) - slope * sharp(r, r->luma, row, column), "offset", row,
                    column);
        double low = 9, high = -9;
        for (int k = 0; k < 9; k++) {
            const double c = r->chroma[point_at(r, row + k / 3 - 1, column + k % 3 - 1)];
            low = fmin(low, c);
            high = fmax(high, c);
        }
        check_value(values[VKP_LINE_CR_LOW], low - 0.02, "low", row, column);
        check_value(values[VKP_LINE_CR_HIGH], high + 0.02, "high", row, column);
    }
}

static void fill_chroma(float *crcb, int count)
{
    for (int i = 0; i < count; i++) crcb[i] = 2 * vkp_random_float(4, VKP_RANDOM_TEST, (uint64_t)i) - 1;
}

static void check_stretched(int w, int h, int size)
{
    static reference r;
    static float crcb[2 * MAX_POINTS];
    vkp_picture picture = small_picture_random(w, h, (uint64_t)(w + h));
    vkp_fit_plan plan;
    vkp_chroma_lines lines;
    r = (reference){.picture = &picture, .size = size, .pixels_x = fmax((double)w / size, 1),
                    .pixels_y = fmax((double)h / size, 1)};
    fill_chroma(crcb, 2 * size * size);
    assert_ok(vkp_unfit_make(VKP_FIT_STRETCH, size, w, h, false, &plan));
    assert_ok(vkp_chroma_lines_make(&plan, &picture, crcb, &lines));
    r.asked = (vkp_rect){plan.cols[0].i0, plan.rows[0].i0, plan.cols[w - 1].i1 + 1, plan.rows[h - 1].i1 + 1};
    for (int i = 0; i < size * size; i++) r.luma[i] = area_mean(&r, i / size, i % size);
    for (int c = 0; c < 2; c++) check_plane(&r, crcb + c * size * size, lines.points + c);
    assert_float_equal(lines.wide_x, clamp(r.pixels_x / 4, 1, 5), 1e-3);
    assert_float_equal(lines.wide_y, clamp(r.pixels_y / 4, 1, 5), 1e-3);
    vkp_chroma_lines_free(&lines);
    vkp_chroma_lines_free(&lines);
    vkp_fit_free(&plan);
    vkp_picture_free(&picture);
}

static void lines_are_those_of_the_definition(void **state)
{
    (void)state;
    check_stretched(160, 96, 16);  /* whole pixels a point */
    check_stretched(149, 203, 16); /* broken ones */
    check_stretched(300, 40, 32);
    check_stretched(37, 29, 32);   /* about one */
    check_stretched(20, 45, 32);   /* more points than pixels along one axis */
    check_stretched(9, 7, 48);     /* and along both */
    check_stretched(500, 3, 16);
}

/* The lines of every point that a plan's taps ask for. */
static const float *line_at(const vkp_fit_plan *plan, const vkp_chroma_lines *lines, int y, int x)
{
    const size_t point = (size_t)(plan->rows[y].i0 * plan->row_stride + plan->cols[x].i0 * plan->col_stride);
    return lines->points + VKP_LINE_VALUES * point;
}

/* Flat luma and chroma that changes: whatever the way to fit, slopes are 0 and offsets what was predicted. */
static void every_way_gives_flat_luma_its_prediction(void **state)
{
    (void)state;
    static float crcb[2 * MAX_POINTS];
    static const int sizes[][2] = {{120, 70}, {70, 120}, {33, 33}, {1, 1}, {200, 5}, {1, 90}, {7, 3}};
    for (int i = 0; i < 2 * 32 * 32; i++) crcb[i] = i < 32 * 32 ? 0.25f : -0.5f;
    for (int way = 0; way < VKP_FIT_COUNT; way++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            vkp_picture picture;
            vkp_fit_plan plan;
            vkp_chroma_lines lines;
            assert_ok(vkp_picture_make(sizes[s][0], sizes[s][1], &picture));
            memset(picture.rgba, 130, (size_t)(4 * picture.width * picture.height));
            assert_ok(vkp_unfit_make((vkp_fit)way, 32, picture.width, picture.height, s % 2, &plan));
            assert_ok(vkp_chroma_lines_make(&plan, &picture, crcb, &lines));
            for (int y = 0; y < picture.height; y++)
                for (int x = 0; x < picture.width; x++) {
                    const float *line = line_at(&plan, &lines, y, x);
                    assert_float_equal(line[VKP_LINE_CR0], 0.25f, 1e-4);
                    assert_float_equal(line[VKP_LINE_CB0], -0.5f, 1e-4);
                    assert_float_equal(line[VKP_LINE_CR1], 0, 2e-4);
                    assert_float_equal(line[VKP_LINE_CB_HIGH], -0.48f, 1e-6);
                }
            vkp_chroma_lines_free(&lines);
            vkp_fit_free(&plan);
            vkp_picture_free(&picture);
        }
}

/* A turned or mirrored rectangle has the same lines in other places: chroma that is twice the luma, both of
 * which rise down the picture, has the same slope everywhere, also where the rectangle lies on its side. */
static void slopes_follow_the_picture(void **state)
{
    (void)state;
    static float crcb[2 * MAX_POINTS];
    for (int way = 0; way < VKP_FIT_COUNT; way++)
        for (int flip = 0; flip < 2; flip++) {
            vkp_picture picture;
            vkp_fit_plan plan;
            vkp_chroma_lines lines;
            assert_ok(vkp_picture_make(96, 160, &picture));
            for (int i = 0; i < 96 * 160; i++) memset(picture.rgba + 4 * i, i / 96 + 40, 3);
            assert_ok(vkp_unfit_make((vkp_fit)way, 32, 96, 160, flip, &plan));
            memset(crcb, 0, sizeof crcb);
            for (int y = 0; y < 160; y++)
                for (int x = 0; x < 96; x++) {
                    const int place = plan.rows[y].i0 * plan.row_stride + plan.cols[x].i0 * plan.col_stride;
                    crcb[place] = 2 * ((float)y + 40) / 255;
                }
            assert_ok(vkp_chroma_lines_make(&plan, &picture, crcb, &lines));
            for (int y = 50; y < 110; y++) {
                /* The luma's variance in the window is a third of the squared step between points. */
                const double v = pow((way == VKP_FIT_CROP ? 3 : 5) / 255.0, 2) / 3;
                const double want = 2 * v / (v + 0.001);
                const double slope = (double)line_at(&plan, &lines, y, 48)[VKP_LINE_CR1];
                if (fabs(slope - want) > 0.02 * want) fail_msg("way %d: slope %g, not %g", way, slope, want);
            }
            vkp_chroma_lines_free(&lines);
            vkp_fit_free(&plan);
            vkp_picture_free(&picture);
        }
}

static void box_weights_are_means(void **state)
{
    (void)state;
    static const float wanted[][4] = {{1, 1, 0, 0},
                                      {2, 0.5f, 0.25f, 0},
                                      {3, 1 / 3.0f, 1 / 3.0f, 0},
                                      {4, 0.25f, 0.25f, 0.125f},
                                      {5, 0.2f, 0.2f, 0.2f}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        float weights[3];
        vkp_box_weights(wanted[i][0], weights);
        for (int k = 0; k < 3; k++) assert_float_equal(weights[k], wanted[i][k + 1], 1e-6);
        assert_float_equal(weights[0] + 2 * weights[1] + 2 * weights[2], 1, 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_those_of_the_definition),
        cmocka_unit_test(every_way_gives_flat_luma_its_prediction),
        cmocka_unit_test(slopes_follow_the_picture),
        cmocka_unit_test(box_weights_are_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
