/* Grids: every pixel is asked whose it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>

#include "base/status.h"
#include "image/figure.h"
#include "image/grid.h"

enum { WIDTH = 3, HEIGHT = 5, COUNT = 5 };

static uint8_t pixels[2][COUNT][HEIGHT][WIDTH][4];
static const uint8_t *fake[COUNT], *real[COUNT];

static int make_pictures(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < COUNT; i++) {
            for (int y = 0; y < HEIGHT; y++) {
                for (int x = 0; x < WIDTH; x++) {
                    const uint8_t p[4] = {(uint8_t)(side * 100 + i), (uint8_t)y, (uint8_t)x, 0};
                    memcpy(pixels[side][i][y][x], p, 4);
                }
            }
        }
    }
    for (int i = 0; i < COUNT; i++) fake[i] = pixels[0][i][0][0], real[i] = pixels[1][i][0][0];
    return 0;
}

/* All pixels of the grid that are not white, checked against the picture that belongs there. */
static void check_grid(const vkp_grid *grid, int count, int columns)
{
    int found = 0;
    for (int gy = 0; gy < grid->height; gy++) {
        for (int gx = 0; gx < grid->width; gx++) {
            const uint8_t *p = grid->rgba + 4 * (gy * grid->width + gx);
            assert_int_equal(p[3], 255);
            if (p[0] == 255) {
                assert_true(p[1] == 255 && p[2] == 255);
                continue;
            }
            int i = p[0] % 100, side = p[0] / 100;
            int left = VKP_GRID_MARGIN + (i % columns) * (2 * WIDTH + VKP_GRID_GAP + VKP_GRID_MARGIN);
            int top = VKP_GRID_MARGIN + (i / columns) * (HEIGHT + VKP_GRID_MARGIN);
            assert_int_equal(gx, left + side * (WIDTH + VKP_GRID_GAP) + p[2]);
            assert_int_equal(gy, top + p[1]);
            found++;
        }
    }
    assert_int_equal(found, count * 2 * WIDTH * HEIGHT);
}

static void pairs_lie_side_by_side(void **state)
{
    (void)state;
    for (int columns = 1; columns <= COUNT + 1; columns++) {
        vkp_grid grid;
        assert_int_equal(vkp_grid_pairs(fake, real, COUNT, columns, WIDTH, HEIGHT, &grid), VKP_OK);
        int rows = (COUNT + columns - 1) / columns, pair = 2 * WIDTH + VKP_GRID_GAP;
        assert_int_equal(grid.width, VKP_GRID_MARGIN + columns * (pair + VKP_GRID_MARGIN));
        assert_int_equal(grid.height, VKP_GRID_MARGIN + rows * (HEIGHT + VKP_GRID_MARGIN));
        check_grid(&grid, COUNT, columns);
        vkp_grid_free(&grid);
        assert_null(grid.rgba);
        vkp_grid_free(&grid);
    }
}

static void columns_choose_themselves(void **state)
{
    (void)state;
    vkp_grid grid;
    assert_int_equal(vkp_grid_pairs(fake, real, COUNT, 0, WIDTH, HEIGHT, &grid), VKP_OK);
    check_grid(&grid, COUNT, 3); /* one column would be 24 x 73, two 40 x 47, three are 56 x 34 */
    vkp_grid_free(&grid);
}

static void missing_pictures_stay_white(void **state)
{
    (void)state;
    const uint8_t *none[COUNT] = {NULL};
    vkp_grid grid;
    assert_int_equal(vkp_grid_pairs(none, none, COUNT, 2, WIDTH, HEIGHT, &grid), VKP_OK);
    check_grid(&grid, 0, 2);
    vkp_grid_free(&grid);
}

static void bad_shapes_are_errors(void **state)
{
    (void)state;
    vkp_grid grid;
    assert_int_equal(vkp_grid_pairs(fake, real, 0, 0, WIDTH, HEIGHT, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, 1, -1, WIDTH, HEIGHT, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, 1, 0, 0, HEIGHT, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, 1, 0, WIDTH, -5, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, 1, 0, INT_MAX, INT_MAX, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, INT_MAX, 1, WIDTH, HEIGHT, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, INT_MAX, INT_MAX, WIDTH, HEIGHT, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_pairs(fake, real, INT_MAX, 0, WIDTH, HEIGHT, &grid), VKP_SHAPE);
    assert_null(grid.rgba);
}

/* The pictures as above with their captions below, which differ and have ink within their own cells only. */
static void captions_stand_below(void **state)
{
    (void)state;
    enum { SIDE = 40, CELL = SIDE + VKP_FIGURE_CAPTION_HEIGHT, WIDE = VKP_GRID_CAPTION_WIDTH };
    uint8_t blue[SIDE * SIDE * 4];
    for (int i = 0; i < SIDE * SIDE; i++) memcpy(blue + 4 * i, "\0\0\xff\0", 4);
    const uint8_t *pictures[COUNT] = {blue, blue, NULL, blue, blue}, *none[COUNT] = {NULL};
    const char *captions[COUNT] = {"128", "#u", "x", "", "128"};
    int ink[COUNT] = {0}, blues = 0;
    vkp_grid grid;
    assert_int_equal(vkp_grid_captioned(pictures, captions, COUNT, 3, SIDE, SIDE, &grid), VKP_OK);
    assert_int_equal(grid.width, VKP_GRID_MARGIN + 3 * (WIDE + VKP_GRID_MARGIN));
    assert_int_equal(grid.height, VKP_GRID_MARGIN + 2 * (CELL + VKP_GRID_MARGIN));
    for (int i = 0; i < grid.width * grid.height; i++) {
        const uint8_t *p = grid.rgba + 4 * i;
        const int x = i % grid.width - VKP_GRID_MARGIN, y = i / grid.width - VKP_GRID_MARGIN;
        const int column = x / (WIDE + VKP_GRID_MARGIN), row = y / (CELL + VKP_GRID_MARGIN);
        const int within = y - row * (CELL + VKP_GRID_MARGIN);
        assert_int_equal(p[3], 255);
        if (p[0] > 128) continue;
        assert_true(x >= 0 && y >= 0 && x % (WIDE + VKP_GRID_MARGIN) < WIDE && within < CELL);
        const int across = x - column * (WIDE + VKP_GRID_MARGIN) - (WIDE - SIDE) / 2;
        if (within >= SIDE) ink[row * 3 + column]++;
        else blues += p[2] == 255 && across >= 0 && across < SIDE;
    }
    assert_int_equal(blues, 4 * SIDE * SIDE);
    assert_true(ink[0] > 20 && ink[1] > 10 && ink[2] > 5 && ink[3] == 0 && ink[4] == ink[0]);
    vkp_grid_free(&grid);
    assert_int_equal(vkp_grid_captioned(pictures, captions, 0, 0, SIDE, SIDE, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_captioned(pictures, captions, 2, 0, SIDE, 0, &grid), VKP_SHAPE);
    assert_int_equal(vkp_grid_captioned(none, captions, 2, 0, 9000, 2, &grid), VKP_USAGE);
    assert_null(grid.rgba);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_lie_side_by_side),
        cmocka_unit_test(columns_choose_themselves),
        cmocka_unit_test(missing_pictures_stay_white),
        cmocka_unit_test(bad_shapes_are_errors),
        cmocka_unit_test(captions_stand_below),
    };
    return cmocka_run_group_tests(tests, make_pictures, NULL);
}
