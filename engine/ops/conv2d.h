/* The convolution's shared parts: its variants by direction. conv2d.c holds the operation, its reference
 * and the choice; conv2d_<variant>.c one way of computing it each. */
#ifndef VKP_OPS_CONV2D_H
#define VKP_OPS_CONV2D_H

#include "ops/op.h"
#include "ops/sum.h"

/* Places of vkp_op_conv2d: in x (n,ci,h,w), weight (co,ci,k,k), bias (1,co,1,1) optional; out y and, with
 * attr.statistics, those of y as norm has them: (n / attr.pictures, co, 1, 2). */
enum { VKP_CONV_X, VKP_CONV_WEIGHT, VKP_CONV_BIAS, VKP_CONV_Y = 0, VKP_CONV_STATS };

static inline uint32_t vkp_conv_upsample(const vkp_node *node)
{
    return node->attr.upsample ? node->attr.upsample : 1;
}

/* Pictures of one statistic. */
static inline uint32_t vkp_conv_pictures(const vkp_node *node)
{
    return node->attr.pictures ? node->attr.pictures : node->in[VKP_CONV_X].shape.n;
}

/* Makes the statistics, where there are to be any, by a pass over y: what a forward variant ends with that
 * has not made them on the way. */
VKP_MUST_USE vkp_status vkp_conv_statistics(vkp_program *program, const vkp_node *node);

/* By the definition; any attributes, any device. */
VKP_MUST_USE vkp_status vkp_conv2d_direct_forward(vkp_program *program, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_direct_input_grad(vkp_program *program, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_direct_weight_grad(vkp_program *program, const vkp_node *node);

/* Ways with a subgroup's lanes exchanging values, each with inputs read through texel buffers or, by the
 * name's `storage`, storage buffers. `fits` tells where they may be recorded. */
#define VKP_CONV_FORM(name)                                                                  \
    bool vkp_conv2d_##name##_fits(const vkp_device *device, const vkp_node *node);           \
    VKP_MUST_USE vkp_status vkp_conv2d_##name(vkp_program *program, const vkp_node *node);
#define VKP_CONV_FORMS(name) VKP_CONV_FORM(name) VKP_CONV_FORM(name##_storage)

/* Lanes are output channels; for stride 1 and half an odd kernel up to 5 as padding. */
VKP_CONV_FORMS(lanes_forward)
VKP_CONV_FORMS(lanes_input_grad)
/* The same after nearest upsampling and with kernel 3, without the upsampled tensor, by nine products for a
 * pixel of the input and a pair of channels. The gradient: upsampling by 2 to 4. */
VKP_CONV_FORMS(phases_forward)
VKP_CONV_FORMS(phases_input_grad)
/* Lanes are pixels; as lanes, for up to 4 output channels (of the gradient: input channels). */
VKP_CONV_FORMS(thin_forward)
VKP_CONV_FORMS(thin_input_grad)
/* The same for up to 4 input channels (of the gradient: output channels). */
VKP_CONV_FORMS(few_forward)
VKP_CONV_FORMS(few_input_grad)

/* Weight gradients: partial results by subgroups whose lanes hold channels of one operand, then their sum.
 * lanes for stride 1 and half an odd kernel up to 5 as padding; planes for the same on rows of up to 32
 * pixels (kernel 1: 4), by tiles of whole rows that make no products beyond the edges; phases for kernel 3
 * after nearest upsampling by 2 to 4, at the low resolution, with nine products for a pixel of the input and
 * a pair of channels. */
VKP_CONV_FORMS(lanes_weight_grad)
VKP_CONV_FORMS(planes_weight_grad)
VKP_CONV_FORMS(phases_weight_grad)

/* Tiled matrix products through shared memory, for GPUs: conv2d_gemm.h. gemm_f16 rounds weights and inputs to
 * 16-bit floats, and is there only where the device's limits say `half`; gemm_matrix does so too, for its
 * cooperative matrices. */
#define VKP_CONV_GEMM(direction)       \
    VKP_CONV_FORM(gemm_##direction)     \
    VKP_CONV_FORM(gemm_f16_##direction) \
    VKP_CONV_FORM(gemm_matrix_##direction)
VKP_CONV_GEMM(forward)
VKP_CONV_GEMM(input_grad)
VKP_CONV_GEMM(weight_grad)

#endif
