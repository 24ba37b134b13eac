/* Rigs: an operation's tensors in buffers of their own, for programs that time or check it. Planned buffers
 * would share memory with scratch that other runs overwrite. */
#ifndef VKP_TUNE_RIG_H
#define VKP_TUNE_RIG_H

#include "ops/op.h"

#define VKP_RIG_TENSORS (2 * (VKP_MAX_IN + VKP_MAX_OUT))

/* Zero it and set the device. A tensor's `buffer` counts from 1 and is its id in the rig's programs. */
typedef struct vkp_rig {
    vkp_device *device;
    vkp_buffer buffers[VKP_RIG_TENSORS];
    uint32_t count;
} vkp_rig;

void vkp_rig_destroy(vkp_rig *rig);

/* Adds a tensor; *layout comes without a buffer and leaves with one. DEVICE_MEMORY. */
VKP_MUST_USE vkp_status vkp_rig_tensor(vkp_rig *rig, const char *name, vkp_tensor *layout);

/* Writes a whole tensor, its rows' padding with zeros: dense values or, where that is NULL, random ones that
 * are the same each time. */
VKP_MUST_USE vkp_status vkp_rig_write(const vkp_rig *rig, const vkp_tensor *tensor, const float *dense,
                                      float low, float high);

/* Gives *node, which has op and attr, the tensors of one direction for the case's shapes, without any memory:
 * of the outputs those whose bit is set in `outputs`; backward, the gradients of all inputs that can have
 * one. SHAPE as the operation has it. */
VKP_MUST_USE vkp_status vkp_rig_layout(const vkp_case *c, vkp_direction direction, uint32_t outputs,
                                       vkp_node *node);

/* The same with the tensors in an empty rig, inputs and gradients by outputs with random values or those of
 * op->fill. DEVICE_MEMORY; SHAPE. */
VKP_MUST_USE vkp_status vkp_rig_node(vkp_rig *rig, const vkp_case *c, vkp_direction direction,
                                     uint32_t outputs, vkp_node *node);

/* A case for people, "(4,32,80,80) x2 k3", in `room` bytes. */
void vkp_case_text(const vkp_op *op, const vkp_case *c, char *text, size_t room);

/* A new, empty program that knows the rig's tensors; vkp_program_destroy before the rig's end. */
VKP_MUST_USE vkp_status vkp_rig_program(const vkp_rig *rig, vkp_program **out);

#endif
