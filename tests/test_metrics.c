/* Metrics against NumPy and PyTorch (reference/metrics.py) and against values known by thought. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "image/metrics.h"

enum { PSNR, PSNR_CRCB, L1_RGB, L1_CRCB, SSIM, EMD, COLORFULNESS, COLORFULNESS_ABS, METRICS };

typedef vkp_status compare_function(const uint8_t *a, const uint8_t *b, int width, int height, double *out);

static compare_function *const compare[] = {vkp_metric_psnr, vkp_metric_psnr_crcb, vkp_metric_l1_rgb,
                                            vkp_metric_l1_crcb, vkp_metric_ssim, vkp_metric_emd_crcb};

static void measure(const uint8_t *a, const uint8_t *b, int width, int height, double out[METRICS])
{
    for (int m = PSNR; m <= EMD; m++) assert_int_equal(compare[m](a, b, width, height, &out[m]), VKP_OK);
    assert_int_equal(vkp_metric_colorfulness(a, width, height, &out[COLORFULNESS]), VKP_OK);
    assert_int_equal(vkp_metric_colorfulness_abs(a, width, height, &out[COLORFULNESS_ABS]), VKP_OK);
}

static void assert_near(double got, double expected, double tolerance)
{
    if (fabs(got - expected) <= tolerance) return;
    fail_msg("got %.17g, expected %.17g", got, expected);
}

/* One level of the original: the formula of metrics.py. */
static int original(int x, int y, int c)
{
    return (x * (3 + c) + y * (7 - 2 * c) + x * y / (2 + c) + 40 * c) % 256;
}

static int result(const char *kind, int x, int y, int c)
{
    if (strcmp(kind, "noise") == 0) return (x * x * 7 + y * 13 * (c + 1) + x * y * 3 + c * 101) % 256;
    if (strcmp(kind, "gray") == 0) return (original(x, y, 0) + original(x, y, 1) + original(x, y, 2)) / 3;
    int level = original(x, y, c) + (x * 5 + y * 3 + c * 7) % 21 - 10;
    return level < 0 ? 0 : level > 255 ? 255 : level;
}

/* Both pictures; their alphas differ everywhere, which must not matter. The caller frees. */
static uint8_t *make(int width, int height, const char *kind)
{
    uint8_t *rgba = malloc(4 * (size_t)width * (size_t)height);
    assert_non_null(rgba);
    uint8_t *p = rgba;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, p += 4) {
            for (int c = 0; c < 3; c++) p[c] = (uint8_t)(kind ? result(kind, x, y, c) : original(x, y, c));
            p[3] = kind ? 255 : (uint8_t)(x * 3 + y);
        }
    }
    return rgba;
}

static void values_are_the_references(void **state)
{
    (void)state;
    FILE *file = fopen(VKP_TEST_SOURCE_DIR "/reference/metrics.txt", "r");
    assert_non_null(file);
    char line[512], kind[16];
    int width, height, lines = 0;
    double expected[METRICS], got[METRICS];
    while (fgets(line, sizeof line, file)) {
        if (*line == '#') continue;
        int at, length;
        assert_int_equal(sscanf(line, "%d %d %15s%n", &width, &height, kind, &at), 3);
        for (int m = 0; m < METRICS; m++, at += length)
            assert_int_equal(sscanf(line + at, "%lf%n", &expected[m], &length), 1);
        uint8_t *a = make(width, height, kind), *b = make(width, height, NULL);
        measure(a, b, width, height, got);
        for (int m = 0; m < METRICS; m++) assert_near(got[m], expected[m], 1e-10 * (1 + fabs(expected[m])));
        free(a), free(b);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 21);
}

static void equal_pictures_are_perfect(void **state)
{
    (void)state;
    uint8_t *a = make(31, 17, "noise"), *b = make(31, 17, "noise");
    double got[METRICS];
    for (size_t i = 0; i < 31 * 17; i++) b[4 * i + 3] = 0;
    measure(a, b, 31, 17, got);
    assert_true(isinf(got[PSNR]) && got[PSNR] > 0 && isinf(got[PSNR_CRCB]) && got[PSNR_CRCB] > 0);
    assert_true(got[L1_RGB] == 0 && got[L1_CRCB] == 0 && got[EMD] == 0);
    assert_near(got[SSIM], 1, 1e-12);
    free(a), free(b);
}

/* Black against white: every term by hand. Gray has no chroma, so CrCb sees no difference beyond the
 * coefficients' rounding. */
static void black_and_white_by_hand(void **state)
{
    (void)state;
    static uint8_t black[20 * 20 * 4], white[20 * 20 * 4];
    double got[METRICS];
    memset(white, 255, sizeof white);
    measure(black, white, 20, 20, got);
    assert_near(got[PSNR], 0, 1e-12);
    assert_near(got[L1_RGB], 1, 1e-12);
    assert_near(got[L1_CRCB], 0, 1e-5);
    assert_near(got[SSIM], 6.5025 / (255. * 255. + 6.5025), 1e-9);
    assert_true(got[COLORFULNESS] == 0 && got[COLORFULNESS_ABS] == 0 && got[EMD] == 0);
    /* Pure red: rg = 255, yb = 127.5, no variance. Its Cr is 1, its Cb -.337472. */
    for (size_t i = 0; i < 400; i++) white[4 * i + 1] = white[4 * i + 2] = 0;
    measure(white, black, 20, 20, got);
    assert_near(got[COLORFULNESS], .3 * sqrt(255. * 255. + 127.5 * 127.5), 1e-9);
    assert_true(got[COLORFULNESS_ABS] == got[COLORFULNESS]);
    assert_near(got[L1_CRCB], (1 + .337472) / 2, 1e-9);
    assert_near(got[EMD], (128 + 43) / 2., 0); /* 127.5 and -43.03, rounded */
    assert_near(got[PSNR_CRCB], 10 * log10(4 / ((1 + .337472 * .337472) / 2)), 1e-9);
}

/* Half red, half cyan: R - G is 255 and -255, which only the published form takes for variance. */
static void opposite_colours_by_hand(void **state)
{
    (void)state;
    const uint8_t pixels[] = {255, 0, 0, 255, 0, 255, 255, 255}, swapped[] = {0, 255, 255, 0, 255, 0, 0, 0};
    double got[METRICS];
    measure(pixels, swapped, 2, 1, got);
    assert_near(got[COLORFULNESS], sqrt(255. * 255. + 127.5 * 127.5), 1e-9);
    assert_near(got[COLORFULNESS_ABS], .3 * sqrt(255. * 255. + 127.5 * 127.5), 1e-9);
    assert_true(got[EMD] == 0 && got[L1_CRCB] > .5); /* the same colours, elsewhere */
}

static void empty_pictures_are_errors(void **state)
{
    (void)state;
    const uint8_t pixel[4] = {0};
    double out = 7;
    for (int m = PSNR; m <= EMD; m++) {
        assert_int_equal(compare[m](pixel, pixel, 0, 1, &out), VKP_SHAPE);
        assert_int_equal(compare[m](pixel, pixel, 1, -1, &out), VKP_SHAPE);
    }
    assert_int_equal(vkp_metric_colorfulness(pixel, 1, 0, &out), VKP_SHAPE);
    assert_int_equal(vkp_metric_colorfulness_abs(pixel, 0, 1, &out), VKP_SHAPE);
    assert_true(out == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_the_references),
        cmocka_unit_test(equal_pictures_are_perfect),
        cmocka_unit_test(black_and_white_by_hand),
        cmocka_unit_test(opposite_colours_by_hand),
        cmocka_unit_test(empty_pictures_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
