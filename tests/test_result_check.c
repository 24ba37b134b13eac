/* What is refused before it is written, and what never may be. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device_fixture.h"
#include "image/result_check.h"
#include "small_picture.h"

enum { COUNT = 64 * 48 };

/* Planes around (cr, cb), each value up to `spread` away. */
static void fill(float crcb[2 * COUNT], double cr, double cb, double spread)
{
    for (size_t i = 0; i < 2 * COUNT; i++) {
        const double noise = 2 * (double)vkp_random_float(5, VKP_RANDOM_TEST, i) - 1;
        crcb[i] = (float)((i < COUNT ? cr : cb) + spread * noise);
    }
}

static vkp_status check(double cr, double cb, double spread)
{
    static float crcb[2 * COUNT];
    fill(crcb, cr, cb, spread);
    return vkp_chroma_check(crcb, COUNT, "this.safetensors");
}

static void one_strong_colour_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check(1, 1, 0), VKP_INPUT);
    assert_non_null(strstr(vkp_error(), "one colour, Cr 1.00 and Cb 1.00 (the weights of this.safetensors"));
    assert_int_equal(check(-1, 0.2, 0.05), VKP_INPUT);
    assert_int_equal(check(0, -0.7, 0.02), VKP_INPUT);
}

static void honest_results_pass(void **state)
{
    (void)state;
    assert_ok(check(0, 0, 0));            /* gray */
    assert_ok(check(0.02, -0.03, 0.001)); /* nearly */
    assert_ok(check(0.21, -0.24, 0));     /* the darkest sepia, as flat as can be */
    assert_ok(check(-0.29, 0.43, 0.01));  /* nothing but deep blue sky */
    assert_ok(check(0.6, -0.5, 0.2));     /* a sunset, strong but varied */
    assert_ok(check(0.5, 0.5, 1.0));
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    static float crcb[2 * COUNT];
    fill(crcb, 0, 0, 0.3);
    assert_ok(vkp_chroma_check(crcb, COUNT, "this.safetensors"));
    crcb[COUNT - 1] = NAN;
    assert_int_equal(vkp_chroma_check(crcb, COUNT, "this.safetensors"), VKP_NOT_FINITE);
    fill(crcb, 0, 0, 0.3);
    crcb[2 * COUNT - 1] = -INFINITY;
    assert_int_equal(vkp_chroma_check(crcb, COUNT, "this.safetensors"), VKP_NOT_FINITE);
}

static void set_all(vkp_picture *p, uint8_t r, uint8_t g, uint8_t b)
{
    for (int i = 0; i < p->width * p->height; i++) {
        p->rgba[4 * i] = r;
        p->rgba[4 * i + 1] = g;
        p->rgba[4 * i + 2] = b;
    }
}

static void results_must_keep_their_luma(void **state)
{
    (void)state;
    vkp_picture original = small_picture_random(40, 30, 7), black, other = small_picture_random(40, 30, 8);
    assert_ok(vkp_picture_make(40, 30, &black));
    assert_ok(vkp_result_check(&original, &original));
    assert_int_equal(vkp_result_check(&original, &black), VKP_DEVICE);
    assert_int_equal(vkp_result_check(&original, &other), VKP_DEVICE);
    /* A black original's result is black; gray of luma 100 and a red of the same are each other's. */
    assert_ok(vkp_result_check(&black, &black));
    set_all(&original, 100, 100, 100);
    set_all(&other, 190, 56, 85);
    assert_ok(vkp_result_check(&original, &other));
    other.width = 39;
    assert_int_equal(vkp_result_check(&original, &other), VKP_INTERNAL);
    vkp_picture_free(&original);
    vkp_picture_free(&other);
    vkp_picture_free(&black);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_strong_colour_is_refused),
        cmocka_unit_test(honest_results_pass),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(results_must_keep_their_luma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
