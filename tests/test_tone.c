/* Tone: what is measured of a print whose toning is known, and what is given back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/tone.h"

enum { SIDE = 64 };

/* Grays of every level, and the same with a tone of `strength` that is strongest in the middle: brown, with a
 * luma of 0 but for rounding (0.299 * 20 - 0.587 * 2 - 0.114 * 42.2). */
static void toned(double luma, double strength, double rgb[3])
{
    const double part = strength * sin(luma / 255 * 3.14159265);
    rgb[0] = luma + 20 * part;
    rgb[1] = luma - 2 * part;
    rgb[2] = luma - 42.16 * part;
}

static vkp_picture make(double strength)
{
    vkp_picture p;
    assert_int_equal(vkp_picture_make(SIDE, SIDE, &p), VKP_OK);
    for (int i = 0; i < SIDE * SIDE; i++) {
        double rgb[3];
        toned(i % 256, strength, rgb);
        for (int k = 0; k < 3; k++) p.rgba[4 * i + k] = (uint8_t)fmin(fmax(rgb[k] + 0.5, 0), 255);
    }
    return p;
}

static void curve_is_measured(void **state)
{
    (void)state;
    vkp_picture sepia = make(1), gray = make(0);
    vkp_tone tone;
    vkp_tone_measure(&gray, &tone);
    for (int l = 0; l < 256; l++)
        for (int k = 0; k < 3; k++) assert_true(fabsf(tone.distance[l][k]) < 1e-3f);
    vkp_tone_measure(&sepia, &tone);
    for (int l = 40; l < 216; l++) { /* at the ends the smooth mean and clamped colours differ more */
        double rgb[3];
        toned(l, 1, rgb);
        for (int k = 0; k < 3; k++) assert_true(fabs(tone.distance[l][k] - (rgb[k] - l)) < 1.5);
        const float *d = tone.distance[l];
        assert_true(fabsf(0.299f * d[0] + 0.587f * d[1] + 0.114f * d[2]) < 0.01f);
    }
    vkp_picture_free(&sepia);
    vkp_picture_free(&gray);
}

static void sepia_comes_back(void **state)
{
    (void)state;
    vkp_picture sepia = make(1), gray = make(0), half = make(0.5);
    vkp_tone tone;
    vkp_tone_measure(&sepia, &tone);
    for (int part = 0; part <= 2; part++) {
        const vkp_picture *wanted = part == 0 ? &gray : part == 1 ? &half : &sepia;
        vkp_picture p = make(0);
        vkp_tone_add(&tone, (float)part / 2, &p);
        for (int i = 0; i < SIDE * SIDE; i++) {
            if (i % 256 < 40 || i % 256 > 215) continue;
            for (int k = 0; k < 3; k++)
                assert_true(abs(p.rgba[4 * i + k] - wanted->rgba[4 * i + k]) <= (part ? 2 : 0));
        }
        vkp_picture_free(&p);
    }
    vkp_picture_free(&sepia);
    vkp_picture_free(&gray);
    vkp_picture_free(&half);
}

static double luma(const uint8_t *p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

/* Colours at the edge of the range: luma and alpha stay, whatever is added. */
static void luma_stays(void **state)
{
    (void)state;
    vkp_picture p, before;
    vkp_tone tone;
    assert_int_equal(vkp_picture_make(SIDE, SIDE, &p), VKP_OK);
    assert_int_equal(vkp_picture_make(SIDE, SIDE, &before), VKP_OK);
    for (int i = 0; i < SIDE * SIDE * 4; i++) p.rgba[i] = (uint8_t)(i * 2654435761u >> 24);
    p.rgba[0] = p.rgba[1] = p.rgba[2] = 255;
    memcpy(before.rgba, p.rgba, SIDE * SIDE * 4);
    for (int l = 0; l < 256; l++) memcpy(tone.distance[l], (float[]){80, -8, -168.63f}, 3 * sizeof(float));
    vkp_tone_add(&tone, 1, &p);
    for (int i = 0; i < SIDE * SIDE; i++) {
        assert_true(fabs(luma(p.rgba + 4 * i) - luma(before.rgba + 4 * i)) < 0.75);
        assert_int_equal(p.rgba[4 * i + 3], before.rgba[4 * i + 3]);
    }
    vkp_picture_free(&p);
    vkp_picture_free(&before);
}

/* What cannot be seen does not count, and a picture of nothing else has no tone. */
static void transparent_pixels_do_not_count(void **state)
{
    (void)state;
    vkp_picture p = make(1);
    vkp_tone tone;
    for (int i = 0; i < SIDE * SIDE; i++) p.rgba[4 * i + 3] = 0;
    vkp_tone_measure(&p, &tone);
    for (int l = 0; l < 256; l++) assert_true(tone.distance[l][0] == 0 && tone.distance[l][2] == 0);
    memcpy(p.rgba, "\x80\x80\x70\xff", 4); /* one pixel: its tone is every luma's */
    vkp_tone_measure(&p, &tone);
    for (int l = 0; l < 256; l++) assert_true(fabsf(tone.distance[l][2] - tone.distance[126][2]) < 1e-3f);
    assert_true(tone.distance[0][2] < -10);
    vkp_picture_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curve_is_measured),
        cmocka_unit_test(sepia_comes_back),
        cmocka_unit_test(luma_stays),
        cmocka_unit_test(transparent_pixels_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
