/* Pictures made small: sizes by hand, pixels against means in double precision. */
#include <math.h>
#include <stdlib.h>

#include "device_fixture.h"
#include "image/thumbnail.h"

static vkp_picture noise(int width, int height)
{
    vkp_picture p;
    uint32_t state = 7;
    assert_ok(vkp_picture_make(width, height, &p));
    for (size_t i = 0; i < (size_t)width * (size_t)height * 4; i++) {
        state = state * 1664525 + 1013904223;
        p.rgba[i] = (uint8_t)(state >> 24);
    }
    return p;
}

static void check_size(int width, int height, int side, int wanted_width, int wanted_height)
{
    vkp_picture p = noise(width, height), small;
    assert_ok(vkp_thumbnail(&p, side, &small));
    assert_int_equal(small.width, wanted_width);
    assert_int_equal(small.height, wanted_height);
    vkp_picture_free(&p);
    vkp_picture_free(&small);
}

static void sizes(void **state)
{
    (void)state;
    check_size(100, 50, 10, 10, 5);
    check_size(50, 101, 10, 5, 10);
    check_size(7, 5, 384, 7, 5);
    check_size(1, 900, 30, 1, 30);
    check_size(900, 1, 1, 1, 1);
    vkp_picture p = noise(4, 4), small;
    assert_int_equal(vkp_thumbnail(&p, 0, &small), VKP_SHAPE);
    assert_null(small.rgba);
    vkp_picture_free(&p);
}

static void pixels_are_means(void **state)
{
    (void)state;
    vkp_picture p = noise(60, 45), small, same;
    p.gray = true;
    assert_ok(vkp_thumbnail(&p, 20, &small));
    assert_true(small.gray && !small.alpha);
    for (int y = 0; y < 15; y++)
        for (int x = 0; x < 20; x++)
            for (int c = 0; c < 4; c++) {
                double sum = 0;
                for (int k = 0; k < 9; k++) sum += p.rgba[((3 * y + k / 3) * 60 + 3 * x + k % 3) * 4 + c];
                assert_true(fabs(small.rgba[(y * 20 + x) * 4 + c] - sum / 9) <= 0.5 + 1e-9);
            }
    assert_ok(vkp_thumbnail(&small, 20, &same));
    assert_memory_equal(small.rgba, same.rgba, 20 * 15 * 4);
    vkp_picture_free(&p);
    vkp_picture_free(&small);
    vkp_picture_free(&same);
}

/* 5 pixels to 2: each touches three of them, the middle one goes to both. */
static void shared_pixels(void **state)
{
    (void)state;
    vkp_picture p, small;
    assert_ok(vkp_picture_make(5, 1, &p));
    for (int x = 0; x < 5; x++) p.rgba[4 * x] = (uint8_t)(x * x * 10);
    assert_ok(vkp_thumbnail(&p, 2, &small));
    assert_int_equal(small.rgba[0], (0 + 10 + 40 + 1) / 3);
    assert_int_equal(small.rgba[4], (40 + 90 + 160 + 1) / 3);
    vkp_picture_free(&p);
    vkp_picture_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(pixels_are_means),
                                       cmocka_unit_test(shared_pixels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
