/* Metrics: how near a coloured picture is to its original, and how colourful a picture is.
 *
 * All take packed 8-bit RGBA (width * height * 4 bytes, rows from the top; alpha is ignored), compare
 * pictures of one size, compute in double precision on the CPU, and give the same bits on every run. Padding
 * has no place here: crop it away first. Errors: VKP_SHAPE for a side below 1; *out is not written then. */
#ifndef VKP_IMAGE_METRICS_H
#define VKP_IMAGE_METRICS_H

#include <stdint.h>

#include "base/status.h"

/* Peak signal-to-noise ratio in dB over R, G and B together: 10 log10(255² / mean of (a - b)²), the levels
 * in 0..255. INFINITY for equal pictures. */
VKP_MUST_USE vkp_status vkp_metric_psnr(const uint8_t *a, const uint8_t *b, int width, int height,
                                        double *out);

/* The same over the Cr and Cb planes together: full-range BT.601 (vkp_metric_l1_crcb), with the planes'
 * -1..1 spread over 0..255, so that the peak is 255 as well. The planes are not rounded. */
VKP_MUST_USE vkp_status vkp_metric_psnr_crcb(const uint8_t *a, const uint8_t *b, int width, int height,
                                             double *out);

/* Mean of |a - b| over R, G and B together, each in 0..1. */
VKP_MUST_USE vkp_status vkp_metric_l1_rgb(const uint8_t *a, const uint8_t *b, int width, int height,
                                          double *out);

/* Mean of |a - b| over the Cr and Cb planes together, each in -1..1: twice Cr = .5R - .418688G - .081312B and
 * Cb = -.168736R - .331264G + .5B with R, G, B in 0..1. */
VKP_MUST_USE vkp_status vkp_metric_l1_crcb(const uint8_t *a, const uint8_t *b, int width, int height,
                                           double *out);

/* Structural similarity, at most 1: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error
 * visibility to structural similarity", 2004, equation 13, with their Gaussian window of 11x11 and σ 1.5,
 * K1 = .01, K2 = .03, L = 255 and population variances. Computed for R, G and B each where the window lies
 * wholly in the picture, then averaged over places and channels. For a picture with a side below 11 the
 * window is the largest odd square that fits, its weights again summing to 1. Also VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_metric_ssim(const uint8_t *a, const uint8_t *b, int width, int height,
                                        double *out);

/* Colourfulness: Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003, M(3):
 * sqrt(var rg + var yb) + .3 sqrt(mean² rg + mean² yb) for rg = R - G and yb = (R + G) / 2 - B, levels in
 * 0..255, population variances. 0 for a gray picture; some 45 for an ordinary photograph. */
VKP_MUST_USE vkp_status vkp_metric_colorfulness(const uint8_t *picture, int width, int height, double *out);

/* The same of rg = |R - G| and yb = |(R + G) / 2 - B|, as many programs have it: opposite colours add to the
 * mean instead of to the variance, so that figures are lower and compare only with others of this form. */
VKP_MUST_USE vkp_status vkp_metric_colorfulness_abs(const uint8_t *picture, int width, int height,
                                                    double *out);

/* Earth mover's distance (Wasserstein's of order 1) between the histograms of a's and b's Cr, and of their
 * Cb, and the mean of the two, in levels of 0..255 (vkp_metric_psnr_crcb's): how far a pixel's chroma has to
 * go on average until both pictures have the same colours, wherever those lie. Chroma is rounded to whole
 * levels, halves up. At most the mean of |a - b| of the unrounded planes plus 1. An intersection of histograms
 * depends on the choice of bins and cannot tell a colour that is nearly right from one far off; this can.
 * Each axis by itself: there the distance is the sum of |difference of the cumulated histograms|. */
VKP_MUST_USE vkp_status vkp_metric_emd_crcb(const uint8_t *a, const uint8_t *b, int width, int height,
                                            double *out);

#endif
