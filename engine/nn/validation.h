/* Validation: the generator in evaluation mode over a set of pictures, as squares, without augmentation. */
#ifndef VKP_NN_VALIDATION_H
#define VKP_NN_VALIDATION_H

#include "data/feed.h"
#include "data/folder.h"
#include "nn/report.h"
#include "nn/step.h"

typedef struct vkp_validation vkp_validation;

/* For the pictures of `folder` that `indices` (count of them) name; both must outlive it, like the device,
 * config, generator and arena. max_pixels is vkp_picture_read's. `warn` is told of pictures that cannot be
 * read. The caller frees *out with vkp_validation_destroy (NULL is allowed). */
VKP_MUST_USE vkp_status vkp_validation_create(vkp_device *device, const vkp_config *config,
                                              const vkp_params *generator, const vkp_folder *folder,
                                              const size_t *indices, size_t count, int threads,
                                              uint64_t max_pixels, vkp_arena *arena,
                                              void (*warn)(void *, const char *), void *user,
                                              vkp_validation **out);
void vkp_validation_destroy(vkp_validation *validation);

/* Means over the pictures: the weighted L1 of a step's g_l1, and PSNR in dB without padding; NaN when none
 * could be read. The first pictures go into `preview`, fake and real, unless it is NULL. */
VKP_MUST_USE vkp_status vkp_validation_run(vkp_validation *validation, double *l1, double *psnr,
                                           vkp_preview *preview);

#endif
