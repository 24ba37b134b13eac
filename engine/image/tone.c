#include "image/tone.h"

#include <math.h>
#include <string.h>

#include "image/gamut.h"

enum { LEVELS = 256 };
#define SIGMA 12.

static float luma_of(const uint8_t *rgb) { return vkp_luma(rgb[0], rgb[1], rgb[2]); }
static int level_of(float luma) { return (int)(luma + 0.5f); }

void vkp_tone_measure(const vkp_picture *picture, vkp_tone *tone)
{
    double sums[LEVELS][3] = {{0}}, counts[LEVELS] = {0};
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (const uint8_t *p = picture->rgba, *end = p + 4 * pixels; p < end; p += 4) {
        if (!p[3]) continue;
        const float luma = luma_of(p);
        const int level = level_of(luma);
        counts[level]++;
        for (int k = 0; k < 3; k++) sums[level][k] += p[k] - luma;
    }
    memset(tone, 0, sizeof *tone);
    for (int level = 0; level < LEVELS; level++) {
        double sum[3] = {0}, weight = 0;
        for (int l = 0; l < LEVELS; l++) {
            const double w = exp(-(l - level) * (l - level) / (2 * SIGMA * SIGMA));
            weight += w * counts[l];
            for (int k = 0; k < 3; k++) sum[k] += w * sums[l][k];
        }
        for (int k = 0; k < 3 && weight > 0; k++) tone->distance[level][k] = (float)(sum[k] / weight);
    }
}

void vkp_tone_add(const vkp_tone *tone, float part, vkp_picture *picture)
{
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (uint8_t *p = picture->rgba, *end = p + 4 * pixels; p < end; p += 4) {
        const float luma = luma_of(p), *added = tone->distance[level_of(luma)];
        float distance[3];
        for (int k = 0; k < 3; k++) distance[k] = p[k] - luma + part * added[k];
        const float fits = vkp_gamut_part(luma, distance, 255);
        for (int k = 0; k < 3; k++) p[k] = (uint8_t)(luma + fits * distance[k] + 0.5f);
    }
}
