/* Predicted chroma joined with an original's luma at the original's own size. */
#ifndef VKP_IMAGE_JOINER_H
#define VKP_IMAGE_JOINER_H

#include "image/fit.h"
#include "image/picture.h"
#include "vk/device.h"

enum { VKP_JOIN_TILE = 1024 };

/* Brings chroma to the size of originals and joins it with their luma, tile by tile, so that memory and
 * bindings stay small for any picture. Its program is made once and serves all pictures. */
typedef struct vkp_joiner vkp_joiner;

/* A joiner that works on tiles of tile x tile pixels (0: VKP_JOIN_TILE; 4096 at most); the result does not
 * depend on the tile. vkp_joiner_destroy afterwards, before the device is closed; NULL is allowed there. */
VKP_MUST_USE vkp_status vkp_joiner_create(vkp_device *device, uint32_t tile, vkp_joiner **out);
void vkp_joiner_destroy(vkp_joiner *joiner);

/* Prepares for chroma of w x h points: what vkp_joiner_run would do first, but for pipelines, which the next
 * vkp_program_build of any program makes together with its own. Errors as vkp_joiner_run's. */
VKP_MUST_USE vkp_status vkp_joiner_expect(vkp_joiner *joiner, uint32_t w, uint32_t h);

/* Colours `original`: crcb holds 2 planes (2 x plan->src_h x plan->src_w) of Cr and Cb in -1..1, `plan` is
 * vkp_unfit_make's for the original's size. Each pixel's luma Y is its own. Its chroma is brought to full
 * size along the edges of the luma: image/chroma_lines.h's C0 + C1 * (mean of the luma around it), within low
 * and high, all four bilinear by the plan; times `saturation` (1: as predicted). Full-range BT.601 (R = Y +
 * 1.402 Cr, G = Y - .714136 Cr - .344136 Cb, B = Y + 1.772 Cb with half the planes' values). Where that
 * leaves 0..1, Cr and Cb are both scaled down until it just does not, so that luma and hue stay. Rounded to 8
 * bits; alpha is the original's. *colored is a new picture (vkp_picture_free); zeroed on failure.
 * NOT_FINITE: a NaN or infinity in the planes or the saturation; SHAPE: more points than the device can bind;
 * INTERNAL: plan and original do not belong together; MEMORY, DEVICE_MEMORY, DEVICE, DEVICE_LOST. */
VKP_MUST_USE vkp_status vkp_joiner_run(vkp_joiner *joiner, const vkp_picture *original, const float *crcb,
                                       const vkp_fit_plan *plan, float saturation, vkp_picture *colored);

#endif
