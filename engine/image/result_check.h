/* Whether a coloured picture may be shown to anybody: looked at before it is written. */
#ifndef VKP_IMAGE_RESULT_CHECK_H
#define VKP_IMAGE_RESULT_CHECK_H

#include <stddef.h>

#include "image/picture.h"

/* Looks at predicted planes Cr and Cb (2 x count values in -1..1, before any saturation); `model` is for
 * messages. NOT_FINITE: a NaN or infinity. INPUT: all one strong colour, that is, the mean of (Cr, Cb) is
 * longer than 0.6 and the root of the mean squared distance from it shorter than a tenth of that. A network
 * that collapsed gives such planes: its tanh saturates, so that one of them at least is near 1 everywhere.
 * Honest results are far from it: the darkest sepia, RGB 112 66 20, is 0.32 long; a picture of nothing but
 * deep blue sky, 70 130 220, is 0.52; and at 0.6 a middle gray has become 235 85 128. Planes of a weak or no
 * colour always pass. */
VKP_MUST_USE vkp_status vkp_chroma_check(const float *crcb, size_t count, const char *model);

/* Looks at a result of the same size as its original. Colouring keeps each pixel's luma but for rounding, so
 * DEVICE when the mean of the luma's differences is more than 3 of 255 levels: all black where the original
 * is not, or a driver's garbage. INTERNAL: the sizes differ. */
VKP_MUST_USE vkp_status vkp_result_check(const vkp_picture *original, const vkp_picture *colored);

#endif
