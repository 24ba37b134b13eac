/* Each degradation alone does what its row of the table says, in numbers; and chance depends on seed, stream
 * and index alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "image/degrade.h"
#include "scratch.h"

enum { SIDE = 128, AREA = SIDE * SIDE };

static float plane[AREA], before[AREA];

static void degrade(vkp_degradation kind, double strength, double scale, uint64_t index)
{
    if (vkp_degrade_by(kind, strength, plane, SIDE, SIDE, scale, 3, 5, index) != VKP_OK)
        fail_msg("%s", vkp_error());
}

static void flat(double value)
{
    for (int i = 0; i < AREA; i++) plane[i] = (float)value;
}

/* A picture of sorts: slopes, an edge, and some noise. */
static void scene(void)
{
    for (int i = 0; i < AREA; i++) {
        const double x = i % SIDE / (double)SIDE, y = i / SIDE / (double)SIDE;
        const double noise = (double)vkp_random_float(9, VKP_RANDOM_TEST, (uint64_t)i);
        plane[i] = (float)(.15 + .4 * x * y + (x > .6 ? .3 : 0) + .1 * noise + .05 * sin(40 * x));
    }
    memcpy(before, plane, sizeof before);
}

static double mean_of(const float *p)
{
    double sum = 0;
    for (int i = 0; i < AREA; i++) sum += (double)p[i];
    return sum / AREA;
}

static double sigma_of(const float *p)
{
    const double mean = mean_of(p);
    double sum = 0;
    for (int i = 0; i < AREA; i++) sum += ((double)p[i] - mean) * ((double)p[i] - mean);
    return sqrt(sum / AREA);
}

/* Of a pixel and the one to the right of it. */
static double correlation_of(const float *p)
{
    const double mean = mean_of(p), sigma = sigma_of(p);
    double sum = 0;
    for (int i = 0; i + 1 < AREA; i++) sum += ((double)p[i] - mean) * ((double)p[i + 1] - mean);
    return sum / (AREA - 1) / (sigma * sigma);
}

static void assert_near(double got, double want, double apart)
{
    if (!(fabs(got - want) <= apart)) fail_msg("%g, not %g within %g", got, want, apart);
}

static void the_table_is_in_order(void **state)
{
    (void)state;
    for (vkp_degradation k = 0; k < VKP_DEGRADATION_COUNT; k++) {
        const vkp_degradation_about *row = vkp_degradation_row(k);
        assert_true(row->probability > 0 && row->probability <= 1);
        assert_true(row->low > 0 && row->low <= row->high);
        assert_true(strlen(row->meaning) > 10);
        for (vkp_degradation other = 0; other < k; other++)
            assert_string_not_equal(row->name, vkp_degradation_row(other)->name);
    }
}

/* A point becomes a Gaussian: its sum stays, its variance is sigma squared, at any scale. */
static void blur_spreads_a_point(void **state)
{
    (void)state;
    static const double cases[][2] = {{.5, 1}, {1, 1}, {3, 1}, {2, 1.7}, {.7, 3}, {3, .5}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        flat(0);
        plane[64 * SIDE + 60] = 1;
        degrade(VKP_DEGRADATION_BLUR, cases[k][0], cases[k][1], 0);
        double sum = 0, x2 = 0, y2 = 0;
        for (int i = 0; i < AREA; i++) {
            const double v = (double)plane[i], x = i % SIDE - 60, y = i / SIDE - 64;
            sum += v;
            x2 += v * x * x;
            y2 += v * y * y;
        }
        const double want = cases[k][0] * cases[k][0] * cases[k][1] * cases[k][1];
        assert_near(sum, 1, 1e-4);
        assert_near(x2, want, .04 * want + .03); /* sampled and cut, it is a little narrower */
        assert_near(y2, x2, 1e-4);
    }
    flat(.3); /* and edges do not darken */
    degrade(VKP_DEGRADATION_BLUR, 3, 4, 0);
    for (int i = 0; i < AREA; i++) assert_near((double)plane[i], .3, 1e-5);
}

/* What is finer than the reduced picture is gone, what is coarser stays. */
static void halving_loses_detail(void **state)
{
    (void)state;
    for (int factor = 2; factor <= 5; factor++) {
        for (int i = 0; i < AREA; i++) plane[i] = (float)((i % SIDE + i / SIDE) % 2);
        degrade(VKP_DEGRADATION_HALVE, 2, factor / 2.0, 0);
        for (int i = 0; i < AREA; i++) assert_near((double)plane[i], .5, factor % 2 ? .09 : 1e-5);
        for (int i = 0; i < AREA; i++) plane[i] = (float)(i % SIDE) / SIDE;
        memcpy(before, plane, sizeof plane);
        degrade(VKP_DEGRADATION_HALVE, 2, factor / 2.0, 0);
        for (int i = 0; i < AREA; i++)
            if (i % SIDE > factor && i % SIDE < SIDE - 2 * factor)
                assert_near((double)plane[i], (double)before[i], 1e-5);
    }
}

static void noise_has_its_sigma(void **state)
{
    (void)state;
    for (int k = 1; k <= 5; k++) {
        const double sigma = .01 * k;
        flat(.5);
        degrade(VKP_DEGRADATION_NOISE, sigma, 2, 1);
        assert_near(mean_of(plane), .5, 4 * sigma / SIDE);
        assert_near(sigma_of(plane), sigma, .03 * sigma);
        assert_near(correlation_of(plane), 0, .04);
        /* Nearly normal: 68.3 % within one sigma (of four bytes 66 to 67), 95.4 % within two. */
        int one = 0, two = 0;
        for (int i = 0; i < AREA; i++) {
            one += fabs((double)plane[i] - .5) < sigma;
            two += fabs((double)plane[i] - .5) < 2 * sigma;
        }
        assert_near(one / (double)AREA, .683, .03);
        assert_near(two / (double)AREA, .954, .012);
    }
}

static void speckle_grows_with_light(void **state)
{
    (void)state;
    for (int k = 1; k <= 3; k++) {
        flat(.2 * k);
        degrade(VKP_DEGRADATION_SPECKLE, .1, 1, 2);
        assert_near(sigma_of(plane), .1 * .2 * k, .03 * .1 * .2 * k);
        assert_near(mean_of(plane), .2 * k, .001 * k);
    }
}

static void grain_is_coarse_and_strongest_in_mid_tones(void **state)
{
    (void)state;
    flat(.5);
    degrade(VKP_DEGRADATION_GRAIN, .03, 1, 3);
    assert_near(sigma_of(plane), .03, .003);
    assert_true(correlation_of(plane) > .15);
    flat(.9);
    degrade(VKP_DEGRADATION_GRAIN, .03, 1, 3);
    assert_near(sigma_of(plane), .03 * (.3 + 2.8 * .09), .002);
    flat(.5);
    degrade(VKP_DEGRADATION_GRAIN, .03, 3, 3);
    assert_near(sigma_of(plane), .03, .006);
    assert_true(correlation_of(plane) > .8);
}

/* Against a file written and read back by stb_image, whose encoder has its own transform. */
static void jpeg_is_what_a_file_would_be(void **state)
{
    (void)state;
    for (int quality = 40; quality <= 95; quality += 11) {
        scene();
        vkp_picture p;
        assert_int_equal(vkp_picture_make(SIDE, SIDE, &p), VKP_OK);
        for (int i = 0; i < AREA; i++) {
            for (int c = 0; c < 3; c++) p.rgba[4 * i + c] = (uint8_t)lround(255 * (double)plane[i]);
            plane[i] = (float)p.rgba[4 * i] / 255;
        }
        memcpy(before, plane, sizeof plane);
        assert_int_equal(vkp_picture_write("a.jpg", &p, quality), VKP_OK);
        vkp_picture_free(&p);
        assert_int_equal(vkp_picture_read("a.jpg", 0, &p), VKP_OK);
        degrade(VKP_DEGRADATION_JPEG, quality, 1, 4);
        double apart = 0, lost = 0;
        for (int i = 0; i < AREA; i++) {
            const double file = p.rgba[4 * i + 1], own = 255 * (double)plane[i];
            assert_near(own, round(own), 1e-3);
            apart += (own - file) * (own - file);
            lost += (own - 255 * (double)before[i]) * (own - 255 * (double)before[i]);
        }
        vkp_picture_free(&p);
        assert_true(lost / AREA > (quality > 90 ? 1 : 9));
        if (!(apart < .04 * lost)) fail_msg("quality %d: %g of %g", quality, apart / AREA, lost / AREA);
    }
}

static void fading_narrows_the_range(void **state)
{
    (void)state;
    double least = 1, most = 0;
    for (uint64_t index = 0; index < 50; index++) {
        const double loss = .1 + .009 * (double)index;
        for (int i = 0; i < AREA; i++) plane[i] = (float)i / (AREA - 1);
        degrade(VKP_DEGRADATION_FADE, loss, 1, index);
        assert_near((double)(plane[AREA - 1] - plane[0]), 1 - loss, 1e-5);
        for (int i = 1; i < AREA; i++) assert_true(plane[i] >= plane[i - 1]);
        const double gamma = log(((double)plane[AREA / 2] - (double)plane[0]) / (1 - loss)) / log(.5);
        assert_true(gamma > .757 && gamma < 1.321);
        least = fmin(least, (double)plane[0] / loss);
        most = fmax(most, (double)plane[0] / loss);
    }
    assert_true(least < .15 && most > .85); /* blacks lifted, or whites grayed */
}

static void a_vignette_changes_the_corners(void **state)
{
    (void)state;
    int lighter = 0;
    for (uint64_t index = 0; index < 60; index++) {
        flat(.5);
        degrade(VKP_DEGRADATION_VIGNETTE, .4, 1, index);
        const double middle = (double)plane[AREA / 2 + SIDE / 2], corner = (double)plane[0];
        const double edge = (double)plane[AREA / 2], other = (double)plane[AREA - 1];
        assert_near(middle, .5, .02);
        assert_true(fabs(corner - .5) > fabs(edge - .5) && fabs(edge - .5) > fabs(middle - .5));
        assert_near(fabs(corner - .5) + fabs(other - .5), 2 * .4 * .5, .08);
        lighter += corner > .5;
    }
    assert_in_range(lighter, 10, 30); /* of 60, a third */
}

static void scratches_are_thin_and_upright(void **state)
{
    (void)state;
    double few = 0, many = 0, along = 0, across = 0;
    int light = 0, dark = 0;
    for (uint64_t index = 0; index < 60; index++) {
        for (int strength = 1; strength <= 6; strength += 5) {
            flat(.5);
            degrade(VKP_DEGRADATION_SCRATCHES, strength, 1, index);
            int changed = 0;
            for (int i = 0; i < AREA; i++) {
                const bool here = fabs((double)plane[i] - .5) > .05;
                changed += here;
                light += here && plane[i] > .5f;
                dark += here && plane[i] < .5f;
                if (i + SIDE >= AREA || i % SIDE + 1 == SIDE || !here) continue;
                along += fabs((double)plane[i + SIDE] - .5) > .05;
                across += fabs((double)plane[i + 1] - .5) > .05;
            }
            assert_true(changed < AREA / 8);
            *(strength == 1 ? &few : &many) += changed;
        }
    }
    assert_true(few > 60 * 20 && many > 3 * few && many < 60 * AREA / 20.0);
    assert_true(along > 1.4 * across);
    assert_true(light > dark && dark > light / 10);
}

/* On the sides, no wider than the table's width with its unevenness; somewhere always. */
static void a_border_stays_at_the_edges(void **state)
{
    (void)state;
    int sides = 0;
    for (uint64_t index = 0; index < 80; index++) {
        flat(.5);
        degrade(VKP_DEGRADATION_BORDER, .04, 1, index);
        const int reach = (int)(.04 * SIDE * 1.4 * 1.6) + 2;
        for (int y = reach; y < SIDE - reach; y++)
            for (int x = reach; x < SIDE - reach; x++)
                if (plane[y * SIDE + x] != .5f) fail_msg("%d, %d is %g", x, y, (double)plane[y * SIDE + x]);
        const int middles[4] = {SIDE / 2, AREA - SIDE / 2, SIDE / 2 * SIDE, SIDE / 2 * SIDE + SIDE - 1};
        int here = 0;
        for (int k = 0; k < 4; k++) here += fabs((double)plane[middles[k]] - .5) > .2;
        assert_in_range(here, 1, 4);
        sides += here;
    }
    assert_in_range(sides, 80 * 2, 80 * 4 - 20);
}

static void chance_follows_from_seed_stream_and_index(void **state)
{
    (void)state;
    static float first[AREA];
    for (uint64_t index = 0; index < 40; index++) {
        for (int k = 0; k < 4; k++) {
            scene();
            assert_int_equal(vkp_degrade_luma(plane, SIDE, SIDE, 1.3, 1, 3 + (k == 2), 5 + (k == 3), index),
                             VKP_OK);
            if (k == 0) memcpy(first, plane, sizeof first);
            else if (k == 1) assert_memory_equal(plane, first, sizeof first);
            else assert_memory_not_equal(plane, first, sizeof first);
        }
        scene();
        assert_int_equal(vkp_degrade_luma(plane, SIDE, SIDE, 1.3, 1, 3, 5, index + 1), VKP_OK);
        assert_memory_not_equal(plane, first, sizeof first);
    }
}

static void probability_is_kept(void **state)
{
    (void)state;
    static const double probabilities[] = {0, .2, .5, 1};
    for (size_t k = 0; k < 4; k++) {
        int damaged = 0, jittered = 0;
        for (uint64_t index = 0; index < 300; index++) {
            scene();
            assert_int_equal(vkp_degrade_luma(plane, SIDE, SIDE, 1, probabilities[k], 8, 1, index), VKP_OK);
            damaged += memcmp(plane, before, sizeof plane) != 0;
            scene();
            vkp_jitter_luma(plane, SIDE, SIDE, probabilities[k], 8, 2, index);
            jittered += memcmp(plane, before, sizeof plane) != 0;
        }
        /* One in forty of those that are degraded meets no kind at all. */
        assert_near(damaged / 300.0, .975 * probabilities[k], probabilities[k] > 0 ? .09 : 0);
        assert_near(jittered / 300.0, probabilities[k], probabilities[k] > 0 ? .09 : 0);
    }
}

/* Two levels give both numbers of the jitter away; the mean does not move with contrast. */
static void jitter_is_a_gamma_and_a_contrast(void **state)
{
    (void)state;
    double low = 9, high = 0;
    for (uint64_t index = 0; index < 100; index++) {
        flat(.5);
        vkp_jitter_luma(plane, SIDE, SIDE, 1, 4, 2, index);
        const double gamma = log((double)plane[7]) / log(.5);
        for (int i = 0; i < AREA; i++) plane[i] = i % 2 ? .4f : .6f;
        vkp_jitter_luma(plane, SIDE, SIDE, 1, 4, 2, index);
        const double a = pow((double).6f, gamma), b = pow((double).4f, gamma);
        const double contrast = ((double)plane[0] - (double)plane[1]) / (a - b);
        assert_near((double)(plane[0] + plane[1]), a + b, 1e-4);
        assert_true(gamma > .757 && gamma < 1.321 && contrast > .749 && contrast < 1.251);
        low = fmin(low, contrast);
        high = fmax(high, contrast);
    }
    assert_true(low < .8 && high > 1.2);
}

static void any_size_and_scale_stays_within_bounds(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {5, 300}, {300, 5}, {1, 64}, {9, 17}, {2, 2}};
    static const double scales[] = {0, .25, 1, 16, 1e9, NAN};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int w = sizes[k][0], h = sizes[k][1];
        /* Of its own, so that a sanitizer sees what lies beside it. */
        float *own = malloc((size_t)w * (size_t)h * sizeof *own);
        assert_non_null(own);
        for (unsigned n = 0; n < VKP_DEGRADATION_COUNT * 2 * 6; n++) {
            const vkp_degradation kind = n % VKP_DEGRADATION_COUNT;
            const vkp_degradation_about *row = vkp_degradation_row(kind);
            const double strength = n / VKP_DEGRADATION_COUNT % 2 ? row->high : row->low;
            for (int i = 0; i < w * h; i++) own[i] = (float)(i % 3) / 2;
            assert_int_equal(vkp_degrade_by(kind, strength, own, w, h, scales[n % 6], 1, 2, n), VKP_OK);
            for (int i = 0; i < w * h; i++) assert_true(own[i] >= 0 && own[i] <= 1);
        }
        free(own);
    }
}

static void a_whole_picture_becomes_gray_and_keeps_its_alpha(void **state)
{
    (void)state;
    for (int k = 0; k < 20; k++) {
        vkp_picture a, b;
        const int w = k ? 90 + k : 1, h = k ? 60 : 1;
        assert_int_equal(vkp_picture_make(w, h, &a), VKP_OK);
        assert_int_equal(vkp_picture_make(w, h, &b), VKP_OK);
        for (int i = 0; i < 4 * w * h; i++)
            a.rgba[i] = b.rgba[i] = (uint8_t)vkp_random_u32(1, VKP_RANDOM_TEST, (uint64_t)i / 2);
        assert_int_equal(vkp_degrade_picture(&a, 6, (uint64_t)k), VKP_OK);
        for (int i = 0; i < w * h; i++) {
            assert_int_equal(a.rgba[4 * i], a.rgba[4 * i + 1]);
            assert_int_equal(a.rgba[4 * i], a.rgba[4 * i + 2]);
            assert_int_equal(a.rgba[4 * i + 3], b.rgba[4 * i + 3]);
        }
        assert_int_equal(vkp_degrade_picture(&b, 6, (uint64_t)k), VKP_OK);
        assert_memory_equal(a.rgba, b.rgba, (size_t)w * (size_t)h * 4);
        vkp_picture_free(&a);
        vkp_picture_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(blur_spreads_a_point),
        cmocka_unit_test(halving_loses_detail),
        cmocka_unit_test(noise_has_its_sigma),
        cmocka_unit_test(speckle_grows_with_light),
        cmocka_unit_test(grain_is_coarse_and_strongest_in_mid_tones),
        cmocka_unit_test(jpeg_is_what_a_file_would_be),
        cmocka_unit_test(fading_narrows_the_range),
        cmocka_unit_test(a_vignette_changes_the_corners),
        cmocka_unit_test(scratches_are_thin_and_upright),
        cmocka_unit_test(a_border_stays_at_the_edges),
        cmocka_unit_test(chance_follows_from_seed_stream_and_index),
        cmocka_unit_test(probability_is_kept),
        cmocka_unit_test(jitter_is_a_gamma_and_a_contrast),
        cmocka_unit_test(any_size_and_scale_stays_within_bounds),
        cmocka_unit_test(a_whole_picture_becomes_gray_and_keeps_its_alpha),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
