/* Pictures on their way to the device: a batch of pictures of any sizes into one RGB tensor. */
#ifndef VKP_IMAGE_DEVICE_PICTURE_H
#define VKP_IMAGE_DEVICE_PICTURE_H

#include "image/fit.h"
#include "image/picture.h"
#include "ops/op.h"

/* Where the host puts a batch's pixels and tables for the device to gather from. Every slot (picture of the
 * batch) has a fixed place of 4 * out_w * out_h pixels: a tap table of n entries reads at most 2 * n rows or
 * columns of the source, and only those are copied, so that a picture of any size fits. Read the fields
 * freely. */
typedef struct vkp_picture_stage {
    vkp_device *device;
    vkp_buffer pixels;  /* batch x 4 * out_w * out_h words, RGBA8 with R in the lowest byte */
    vkp_buffer tables;  /* batch x (1 + 3 * (out_h + out_w)) words: 1 if there is a picture, then its taps */
    uint32_t batch, out_w, out_h;
} vkp_picture_stage;

/* A stage for `batch` pictures that all become out_w x out_h, without pictures yet.
 * vkp_picture_stage_destroy afterwards; until then *stage stays where it is, since the programs that it is
 * recorded in point to it. SHAPE: a slot is larger than one storage binding of the device may be;
 * DEVICE_MEMORY. */
VKP_MUST_USE vkp_status vkp_picture_stage_create(vkp_device *device, uint32_t batch, uint32_t out_w,
                                                 uint32_t out_h, vkp_picture_stage *stage);
/* Frees the buffers; a zeroed stage is fine. */
void vkp_picture_stage_destroy(vkp_picture_stage *stage);

/* Copies what `plan` (made for this picture's size, with the stage's output size) needs of the picture into a
 * slot, 0 to batch-1. The program that reads the stage must not be running; several threads may fill
 * different slots at once. INTERNAL: slot or sizes are wrong; MEMORY. */
VKP_MUST_USE vkp_status vkp_picture_stage_add(const vkp_picture_stage *stage, uint32_t slot,
                                              const vkp_picture *picture, const vkp_fit_plan *plan);

/* Takes all pictures out: the tensor's pictures of empty slots stay as they are when the program runs. */
void vkp_picture_stage_clear(const vkp_picture_stage *stage);

/* Writes down the gather into `rgb` (batch,3,out_h,out_w), values 0..1: vkp_fit_apply on the device. It runs
 * with the program, on what the slots hold then. SHAPE. */
VKP_MUST_USE vkp_status vkp_picture_stage_record(vkp_program *program, const vkp_picture_stage *stage,
                                                 const vkp_tensor *rgb);

#endif
