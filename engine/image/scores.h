/* Scores: all metrics of a coloured picture against its original, by name, and their means. */
#ifndef VKP_IMAGE_SCORES_H
#define VKP_IMAGE_SCORES_H

#include <stddef.h>

#include "image/picture.h"

/* name, digits after the point in a table, what it is (image/metrics.h has the definitions) */
#define VKP_SCORE_MAP(X)                                                                                  \
    X(psnr, 2, "PSNR over R, G and B in dB, at most 100")                                                 \
    X(psnr_crcb, 2, "PSNR over Cr and Cb in dB, at most 100")                                             \
    X(ssim, 4, "structural similarity, at most 1")                                                        \
    X(colorfulness, 2, "Hasler and Suesstrunk's colourfulness of the result")                             \
    X(original_colorfulness, 2, "the same of the original")                                               \
    X(l1, 4, "mean absolute difference of R, G and B, in 0..1")                                           \
    X(l1_crcb, 4, "mean absolute difference of Cr and Cb, in -1..1")

enum {
#define X(name, digits, meaning) VKP_SCORE_##name,
    VKP_SCORE_MAP(X)
#undef X
    VKP_SCORE_COUNT
};

typedef struct vkp_scores {
    double values[VKP_SCORE_COUNT];
} vkp_scores;

/* Where PSNR is cut off, in dB, so that the means stay finite: equal pictures have infinitely many. */
#define VKP_SCORE_PSNR_LIMIT 100.0

/* The score's name and the digits to show of it. */
const char *vkp_score_name(size_t score);
int vkp_score_digits(size_t score);

/* All scores of `result` against `original`. VKP_SHAPE: their sizes differ; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_scores_compute(const vkp_picture *result, const vkp_picture *original,
                                           vkp_scores *scores);

/* The means over `count` pictures; zeros for none. `stride` bytes lie between two of them. */
vkp_scores vkp_scores_mean(const vkp_scores *first, size_t count, size_t stride);

#endif
