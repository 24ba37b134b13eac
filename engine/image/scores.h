/* Scores: all metrics of a coloured picture against its original, by name, and their means. */
#ifndef VKP_IMAGE_SCORES_H
#define VKP_IMAGE_SCORES_H

#include <stddef.h>

#include "image/picture.h"

/* name, what a table's column is called, digits after the point there, whether higher (1) or lower (-1) is
 * better or neither says (0), what it is (image/metrics.h has the definitions). The name is JSON's. */
#define VKP_SCORE_MAP(X)                                                                                  \
    X(psnr, "psnr", 2, 1, "PSNR over R, G and B in dB, at most 100")                                      \
    X(psnr_crcb, "psnr_crcb", 2, 1, "PSNR over Cr and Cb in dB, at most 100")                             \
    X(ssim, "ssim", 4, 1, "structural similarity, at most 1")                                             \
    X(l1, "l1", 4, -1, "mean absolute difference of R, G and B, in 0..1")                                 \
    X(l1_crcb, "l1_crcb", 4, -1, "mean absolute difference of Cr and Cb, in -1..1")                       \
    X(emd_crcb, "emd_crcb", 2, -1,                                                                        \
      "distance of the chroma histograms: earth mover's, Cr's and Cb's mean, in levels of 0..255")        \
    X(colorfulness, "cf", 2, 0, "colourfulness of the result (Hasler and Suesstrunk, as published)")      \
    X(original_colorfulness, "cf_orig", 2, 0, "the same of the original")                                 \
    X(delta_cf, "dcf", 2, 0, "colourfulness of the result less the original's")                           \
    X(abs_delta_cf, "|dcf|", 2, -1, "its absolute value")                                                 \
    X(colorfulness_abs, "cf_a", 2, 0,                                                                     \
      "colourfulness in its other usual form, of the absolute values of R - G and (R + G) / 2 - B")       \
    X(original_colorfulness_abs, "cf_a_orig", 2, 0, "the same of the original")                           \
    X(delta_cf_abs, "dcf_a", 2, 0, "that form's difference, result less original")                        \
    X(abs_delta_cf_abs, "|dcf_a|", 2, -1, "its absolute value")

enum {
#define X(name, heading, digits, better, meaning) VKP_SCORE_##name,
    VKP_SCORE_MAP(X)
#undef X
    VKP_SCORE_COUNT
};

typedef struct vkp_scores {
    double values[VKP_SCORE_COUNT];
} vkp_scores;

/* Where PSNR is cut off, in dB, so that the means stay finite: equal pictures have infinitely many. */
#define VKP_SCORE_PSNR_LIMIT 100.0

/* A row of VKP_SCORE_MAP. */
typedef struct vkp_score_info {
    const char *name, *heading;
    int digits, better;
    const char *meaning;
} vkp_score_info;

const vkp_score_info *vkp_score_get(size_t score);

/* All scores of `result` against `original`. VKP_SHAPE: their sizes differ; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_scores_compute(const vkp_picture *result, const vkp_picture *original,
                                           vkp_scores *scores);

/* The means over `count` pictures; zeros for none. `stride` bytes lie between two of them. */
vkp_scores vkp_scores_mean(const vkp_scores *first, size_t count, size_t stride);

#endif
