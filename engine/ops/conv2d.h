/* The convolution's shared parts: its variants by direction. conv2d.c holds the operation, its reference
 * and the choice; conv2d_<variant>.c one way of computing it each. */
#ifndef VKP_OPS_CONV2D_H
#define VKP_OPS_CONV2D_H

#include "ops/op.h"
#include "ops/sum.h"

/* Places of vkp_op_conv2d: in x (n,ci,h,w), weight (co,ci,k,k), bias (1,co,1,1) optional; out y. */
enum { VKP_CONV_X, VKP_CONV_WEIGHT, VKP_CONV_BIAS, VKP_CONV_Y = 0 };

static inline uint32_t vkp_conv_upsample(const vkp_node *node) { return node->attr.upsample ? node->attr.upsample : 1; }

/* By the definition; any attributes, any device. */
VKP_MUST_USE vkp_status vkp_conv2d_direct_forward(vkp_program *program, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_direct_input_grad(vkp_program *program, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_direct_weight_grad(vkp_program *program, const vkp_node *node);

/* The weight gradient of stride 1, "same" padding and kernel 1, 3 or 5, by subgroups whose lanes hold channels. */
bool vkp_conv2d_lanes_weight_grad_fits(const vkp_device *device, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_lanes_weight_grad(vkp_program *program, const vkp_node *node);

/* The same after nearest upsampling by 2 or 4, kernel 3, at the low resolution. */
bool vkp_conv2d_phases_weight_grad_fits(const vkp_device *device, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_phases_weight_grad(vkp_program *program, const vkp_node *node);

#endif
