/* Charts: the file that comes out is decoded again and its pixels looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* stb_image declares more than it then defines */
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#include <stb_image.h>

#include "base/status.h"
#include "image/figure.h"

static char folder[64], file[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vkpix_figure_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(file, sizeof file, "%s/chart.png", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder); /* fails when a temporary file was left behind */
}

/* How many pixels of the chart are nearer than 40 levels to the colour, in columns first..last. */
static int count_near(const uint8_t color[3], double first, double last)
{
    int width = 0, height = 0, channels, n = 0;
    uint8_t *rgb = stbi_load(file, &width, &height, &channels, 3);
    assert_non_null(rgb);
    for (int y = 0; y < height; y++) {
        for (int x = (int)(first * width); x < (int)(last * width); x++) {
            const uint8_t *p = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            n += abs(p[0] - color[0]) < 40 && abs(p[1] - color[1]) < 40 && abs(p[2] - color[2]) < 40;
        }
    }
    free(rgb);
    return n;
}

static const uint8_t blue[3] = VKP_FIGURE_BLUE, red[3] = VKP_FIGURE_RED, white[3] = {255, 255, 255};

static void draw(const vkp_figure *figure)
{
    vkp_status status = vkp_figure_lines(file, figure);
    if (status) print_error("%s\n", vkp_error());
    assert_int_equal(status, VKP_OK);
}

static void lines_are_drawn(void **state)
{
    (void)state;
    double x[100], d[100], g[100];
    for (int i = 0; i < 100; i++) x[i] = i + 1, d[i] = .7 + .1 * sin(i / 9.), g[i] = 2 - i / 100.;
    const vkp_figure_series series[] = {
        {"discriminator", VKP_FIGURE_BLUE, x, d, 100},
        {"generator", VKP_FIGURE_RED, x, g, 100},
    };
    vkp_figure figure = {"Adversarial losses #1", "epoch", "loss", series, 2, false, 0, 0};
    draw(&figure);
    int width, height, channels;
    assert_true(stbi_info(file, &width, &height, &channels));
    assert_int_equal(width, 800);
    assert_int_equal(height, 480);
    /* A line of 100 points crosses the width, two pixels thick. */
    assert_in_range(count_near(blue, .15, .95), 600, 4000);
    assert_in_range(count_near(red, .15, .95), 600, 4000);
    assert_true(count_near(white, 0, 1) > 800 * 480 * 8 / 10);
    figure.log_y = true, figure.width = 640, figure.height = 400;
    draw(&figure);
    assert_true(stbi_info(file, &width, &height, &channels));
    assert_int_equal(width, 640);
    assert_in_range(count_near(red, .15, .95), 400, 4000);
}

/* The middle third is missing from the line; the neighbours are there. */
static void gaps_stay_empty(void **state)
{
    (void)state;
    double x[3000], y[3000]; /* more than the drawing takes at once */
    for (int i = 0; i < 3000; i++) x[i] = i, y[i] = i < 1000 || i >= 2000 ? 3 : NAN;
    y[5] = INFINITY, y[1500] = -1e300;
    const vkp_figure_series series = {NULL, VKP_FIGURE_BLUE, x, y, 3000};
    draw(&(vkp_figure){.series = &series, .series_count = 1});
    assert_true(count_near(blue, .15, .35) > 150);
    assert_int_equal(count_near(blue, .45, .63), 0);
    assert_true(count_near(blue, .75, .9) > 100);
}

static void few_points_are_enough(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3}, y[] = {5, NAN, 0}, none[] = {NAN, NAN, NAN};
    for (size_t count = 0; count <= 3; count++) {
        for (int log_y = 0; log_y < 2; log_y++) {
            vkp_figure_series series = {"", VKP_FIGURE_RED, x, y, count};
            vkp_figure figure = {.series = &series, .series_count = 1, .log_y = log_y};
            draw(&figure);
            if (count) assert_in_range(count_near(red, 0, 1), 5, 100); /* dots */
            else assert_int_equal(count_near(red, 0, 1), 0);
            series.y = none;
            draw(&figure);
            assert_int_equal(count_near(red, 0, 1), 0);
        }
    }
    draw(&(vkp_figure){.series_count = 0});
    const vkp_figure_series series = {.count = 0};
    draw(&(vkp_figure){.series = &series, .series_count = 1});
}

static void extreme_values_are_drawn(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2};
    const double y[][3] = {{1e99, -1e99, 0}, {1e-300, 2e-300, 1e-320}, {1e16, 1e16 + 2, 1e16 + 4},
                           {2e-4, 2e-4, 2e-4}, {-7, -7, -7}, {0, 0, 0}, {1e-6, 1e-4, 1e100}};
    for (size_t i = 0; i < sizeof y / sizeof *y; i++) {
        const vkp_figure_series series = {"é#", VKP_FIGURE_BLUE, x, y[i], 3};
        draw(&(vkp_figure){.title = "#<0x10>", .series = &series, .series_count = 1});
        assert_true(count_near(blue, .2, .8) > 50);
        draw(&(vkp_figure){.ylabel = "", .series = &series, .series_count = 1, .log_y = true});
    }
}

static void bad_input_is_an_error(void **state)
{
    (void)state;
    unlink(file);
    assert_int_equal(vkp_figure_lines(file, &(vkp_figure){.width = 10}), VKP_USAGE);
    assert_int_equal(vkp_figure_lines(file, &(vkp_figure){.height = 100000}), VKP_USAGE);
    assert_int_equal(vkp_figure_lines(file, &(vkp_figure){.width = -1}), VKP_USAGE);
    assert_int_equal(vkp_figure_lines(file, &(vkp_figure){.series_count = 99}), VKP_USAGE);
    assert_int_equal(vkp_figure_lines(file, &(vkp_figure){.title = "\xff\xfe"}), VKP_INTERNAL);
    assert_non_null(strstr(vkp_error(), "UTF-8"));
    assert_int_equal(vkp_figure_lines(folder, &(vkp_figure){.width = 0}), VKP_INPUT);
    assert_int_equal(vkp_figure_lines("/nowhere/at/all.png", &(vkp_figure){.width = 0}), VKP_IO);
    assert_int_not_equal(access(file, F_OK), 0);
    char title[2001];
    for (size_t i = 0; i < 2000; i += 2) memcpy(title + i, "é", 2);
    title[2000] = 0;
    draw(&(vkp_figure){.title = title});
    title[0] = 'x', title[1] = 'y', title[2] = 'z', title[3] = '#', title[1999] = 0;
    draw(&(vkp_figure){.title = title + 1});
}

/* In a child, whose PLplot finds no drivers; it must end by itself, asking and printing nothing. */
static void missing_driver_is_an_error(void **state)
{
    (void)state;
    unlink(file);
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("PLPLOT_DRV_DIR", folder, 1);
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        close(out[1]);
        bool right = true;
        for (int i = 0; i < 2; i++) {
            right = right && vkp_figure_lines(file, &(vkp_figure){.width = 0}) == VKP_IO &&
                    strstr(vkp_error(), "plplot-driver-cairo") && access(file, F_OK) != 0;
        }
        _exit(right ? 0 : 1);
    }
    close(out[1]);
    char printed[256] = "";
    assert_int_equal(read(out[0], printed, sizeof printed - 1), 0);
    close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_driver_is_an_error), /* first: PLplot looks for its drivers once */
        cmocka_unit_test(lines_are_drawn),
        cmocka_unit_test(gaps_stay_empty),
        cmocka_unit_test(few_points_are_enough),
        cmocka_unit_test(extreme_values_are_drawn),
        cmocka_unit_test(bad_input_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
