/* Variants: several ways to compute one direction of an operation, in the order they are preferred.
 *
 * A list ends with the plain form that fits everything. VKPIX_VARIANT="conv2d_forward=direct,..." in the
 * environment forces one by name wherever it fits; tests go through all of them that way. */
#ifndef VKP_OPS_VARIANT_H
#define VKP_OPS_VARIANT_H

#include "ops/op.h"

typedef struct vkp_variant {
    const char *name;
    /* Whether this device and these shapes allow it. */
    bool (*fits)(const vkp_device *device, const vkp_node *node);
    /* Adds its dispatches to the program. */
    vkp_status (*record)(vkp_program *program, const vkp_node *node);
} vkp_variant;

/* Records the first variant that fits, or the forced one. `what` is the list's name ("conv2d_forward").
 * INTERNAL when none fits. */
VKP_MUST_USE vkp_status vkp_variant_record(vkp_program *program, const vkp_node *node, const char *what,
                                           const vkp_variant *variants, size_t count);

#endif
