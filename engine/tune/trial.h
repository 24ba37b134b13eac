/* Trials of variants: what one computes on this device, and how long it takes. */
#ifndef VKP_TUNE_TRIAL_H
#define VKP_TUNE_TRIAL_H

#include "ops/variant.h"
#include "tune/rig.h"

/* One use of an operation: what a choice is about. */
typedef struct vkp_use {
    const vkp_op *op;
    const vkp_variants *variants;
    vkp_case c;       /* shapes and attributes of the node */
    uint32_t outputs; /* which of the outputs are there, by bits */
    bool add;         /* backward: the gradient is added to what is there */
} vkp_use;

/* The use that a node makes of a list of its operation. */
vkp_use vkp_use_of(const vkp_node *node, const vkp_variants *variants);
/* The node of a use, without memory: for asking what fits. SHAPE. */
VKP_MUST_USE vkp_status vkp_use_layout(const vkp_use *use, vkp_node *node);
/* The same use on fewer and smaller pictures, so small that the plain form takes no time worth speaking of,
 * or as small as every variant goes that fits the whole. */
vkp_use vkp_use_small(const vkp_device *device, const vkp_use *use);

/* The tensors of a use on a device. vkp_trial_close afterwards, also after a failure to open. */
typedef struct vkp_trial {
    vkp_rig rig;
    vkp_node node;
    const vkp_variants *variants;
    vkp_program *program; /* of the variant that was started last */
    vkp_arena arena;
} vkp_trial;

/* Makes the tensors and, for a gradient, runs the operation forward. DEVICE_MEMORY, SHAPE, and what the
 * operation has. */
VKP_MUST_USE vkp_status vkp_trial_open(vkp_device *device, const vkp_use *use, vkp_trial *trial);
void vkp_trial_close(vkp_trial *trial);

/* Records a variant and runs it once, on results that hold NaN, or fixed random numbers where it adds.
 * SHADER and others: the variant is not for this device. */
VKP_MUST_USE vkp_status vkp_trial_start(vkp_trial *trial, const vkp_variant *variant);
/* All that the variant has written, padding included: *count floats in *values, malloc'd (the caller frees).
 */
VKP_MUST_USE vkp_status vkp_trial_results(const vkp_trial *trial, float **values, size_t *count);
/* Runs what was started again; milliseconds of the device. */
VKP_MUST_USE vkp_status vkp_trial_time(vkp_trial *trial, double *milliseconds);

/* How far `got` is from `want`: normalized root mean square, or 1/30 of the worst element by the same measure
 * where that is more (one wrong edge hides in a mean). NaN where an element of `got` is not finite. */
double vkp_trial_error(const float *got, const float *want, size_t count);

#endif
