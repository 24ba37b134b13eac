/* Degrade: a clean gray picture made to look like an old photograph that was scanned, and smaller changes of
 * tone, so that a network learns to colour what it will be given.
 *
 * All of them work in place on a plane of w x h luma values in 0..1, rows from the top without gaps, and
 * leave it in 0..1. Whatever is random is a pure function of (seed, stream, index): stream as
 * vkp_random_stream makes it, index the picture's, below 2^28.
 *
 * `scale` says how large the photograph is that the plane shows (all of it, or a crop): the pixels of its
 * long side / VKP_DEGRADE_LENGTH. Blur, grain, scratches and the like are as large for scale 1 as the table
 * says, and grow with it, so that a photograph is as damaged at any size; noise and JPEG's blocks are the
 * plane's own pixels at any scale. It is taken as within 1/4 .. 16. */
#ifndef VKP_IMAGE_DEGRADE_H
#define VKP_IMAGE_DEGRADE_H

#include "image/picture.h"

#define VKP_DEGRADE_LENGTH 256

/* Name, as text, its probability in a picture that is degraded, lowest and highest strength
 * (log-uniform between them), what the strength is. They come in random order. */
#define VKP_DEGRADATION_MAP(X)                                                                              \
    X(BLUR, "blur", .35, .5, 3, "Gaussian blur: sigma in pixels of a photograph 256 pixels long")           \
    X(HALVE, "halve", .25, 2, 2, "reduced by this factor of a photograph 256 pixels long, and back")        \
    X(NOISE, "noise", .3, .01, .05, "Gaussian noise: sigma, of white")                                      \
    X(SPECKLE, "speckle", .15, .03, .15, "noise that grows with the light: sigma, of the pixel's own light") \
    X(GRAIN, "grain", .35, .01, .05, "film grain, blurred noise: sigma in mid-tones; .3 of it at both ends") \
    X(JPEG, "jpeg", .35, 40, 95, "JPEG's quantization: quality")                                            \
    X(FADE, "fade", .5, .1, .55, "faded: loss of contrast, by lifted blacks and grayed whites; and a gamma") \
    X(VIGNETTE, "vignette", .2, .1, .5, "light lost towards the corners, or gained: a third of them")       \
    X(SCRATCHES, "scratches", .25, 1, 6, "thin lines, most of them upright: their number; and spots")       \
    X(BORDER, "border", .1, .015, .05, "an uneven light or dark frame: width, of the longer side")

typedef enum vkp_degradation {
#define X(name, text, probability, low, high, meaning) VKP_DEGRADATION_##name,
    VKP_DEGRADATION_MAP(X)
#undef X
    VKP_DEGRADATION_COUNT
} vkp_degradation;

typedef struct vkp_degradation_about {
    const char *name, *meaning;
    double probability, low, high;
} vkp_degradation_about;

/* The row of the table; kind below VKP_DEGRADATION_COUNT. */
const vkp_degradation_about *vkp_degradation_row(vkp_degradation kind);

/* With `probability` a gamma of 2^-0.4..2^0.4 (uniform exponent) and then a contrast of 0.75..1.25 about the
 * mean, clamped. */
void vkp_jitter_luma(float *luma, int w, int h, double probability, uint64_t seed, uint64_t stream,
                     uint64_t index);

/* With `probability` degrades the plane: each kind by its own probability and a strength from its range.
 * MEMORY. */
VKP_MUST_USE vkp_status vkp_degrade_luma(float *luma, int w, int h, double scale, double probability,
                                         uint64_t seed, uint64_t stream, uint64_t index);

/* One kind alone, at a strength of its range. MEMORY. */
VKP_MUST_USE vkp_status vkp_degrade_by(vkp_degradation kind, double strength, float *luma, int w, int h,
                                       double scale, uint64_t seed, uint64_t stream, uint64_t index);

/* Degrades a whole picture at its own size: its luma, in all three colours; alpha stays. As a picture of
 * epoch 0 that vkp_degrade_luma meets with probability 1. MEMORY. */
VKP_MUST_USE vkp_status vkp_degrade_picture(vkp_picture *picture, uint64_t seed, uint64_t index);

#endif
