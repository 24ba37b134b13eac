/* The convolution's shape for GPUs: a tiled matrix product whose right operand is gathered from the input as
 * it is needed, so that no im2col buffer is made (implicit GEMM). shaders/conv2d_gemm.glsl is its core.
 *
 * Forward and the gradient by the input (conv2d_gemm.c) are one kernel: `to` is cut into blocks of pixels
 * such that pixels at the same place of every block see the same taps of `from`. Those places, where they see
 * the very same ones, are a class, and a class is a matrix product of its own:
 *   - forward, stride s:               blocks of 1, s rows of `from` apart, k taps
 *   - forward, nearest upsampling by u: blocks of u, up to u classes along an axis of the taps that differ in
 *     the low-resolution input, with the sums of the kernel's taps that meet in them
 *   - gradient, stride s:              blocks of s, each class with every s-th tap of the kernel
 *   - gradient, upsampling by u:       blocks of 1, u rows of `from` apart, k + u - 1 taps, which are sums
 * The weight gradient (conv2d_gemm_weight_grad.c) is the product of one operand's pixels as they lie with the
 * other's gathered, its depth (all pixels) split into parts that are summed in their order. */
#ifndef VKP_OPS_CONV2D_GEMM_H
#define VKP_OPS_CONV2D_GEMM_H

#include "ops/conv2d.h"

/* What multiplies, and what tiles hold. Shaders of all forms are made of one source. */
typedef enum vkp_gemm_form {
    VKP_GEMM_F32,
    VKP_GEMM_F16,    /* 16-bit floats in the tiles */
    VKP_GEMM_MATRIX, /* and cooperative matrices made of them */
} vkp_gemm_form;

/* A matrix product: rows x columns, `depth` products each, `classes` times. */
typedef struct vkp_gemm_shape {
    uint32_t rows, depth, classes;
    uint64_t columns;
    uint32_t most_parts; /* of the depth, whose partial results are then summed; 1: none */
    vkp_gemm_form form;
} vkp_gemm_shape;

/* What a workgroup does; the specialization constants 0 to 5 of shaders/conv2d_gemm.glsl. */
typedef struct vkp_gemm_tile {
    uint32_t invocations;
    uint32_t rows, columns, depth;    /* of a workgroup's tiles */
    uint32_t rows_each, columns_each; /* of an invocation; VKP_GEMM_MATRIX: of a subgroup */
    uint32_t parts, depth_a_part;     /* depth_a_part is a multiple of depth; no part is empty */
} vkp_gemm_tile;

/* The tiles of a form that a device of such limits may have, parts unset; returns how many. */
enum { VKP_GEMM_TILES = 16 };
size_t vkp_gemm_tiles(const vkp_limits *limits, vkp_gemm_form form, vkp_gemm_tile list[VKP_GEMM_TILES]);

/* Whether a form can be used on a device of such limits: of 16 bits where they say `half`, with matrices
 * where there are such and this build has the shaders. */
bool vkp_gemm_form_allowed(const vkp_limits *limits, vkp_gemm_form form);

/* The tile and the split for a product on a device with such limits: of those that are allowed the one that
 * should take the least time. limits->at_once tells how many workgroups it takes to fill the device: small
 * products get small tiles, and deep ones parts. For forms that are allowed there is one. */
vkp_gemm_tile vkp_conv_gemm_tile(const vkp_limits *limits, const vkp_gemm_shape *shape);

/* The shaders of the two kernels. */
typedef struct vkp_gemm_shaders {
    vkp_shader pixels, weight_grad;
} vkp_gemm_shaders;
vkp_gemm_shaders vkp_gemm_shaders_of(const vkp_limits *limits, vkp_gemm_form form);

/* Adds the tile's six specialization constants to a dispatch, which has none yet; and, behind the shader's
 * own, those of a form with matrices, and the subgroups they count on. */
void vkp_gemm_specialize(vkp_dispatch *dispatch, const vkp_gemm_tile *tile);
void vkp_gemm_specialize_form(vkp_dispatch *dispatch, const vkp_limits *limits, vkp_gemm_form form);

/* Whether channels fill tiles of the depth, so that one tile is one tap of as many channels: no division in
 * the kernel's loop. Else a tile goes through channels and taps together. */
static inline bool vkp_gemm_deep(uint32_t channels, uint32_t depth) { return channels * 2 > depth; }

/* Defines the functions that VKP_CONV_GEMM of conv2d.h declares, from the direction's two: may(device, node,
 * form) and add(program, node, form). */
#define VKP_CONV_DEFINE_GEMM_FORM(name, form, may, add) \
    bool vkp_conv2d_##name##_fits(const vkp_device *device, const vkp_node *node) \
    { \
        return vkp_gemm_form_allowed(&device->info.limits, form) && may(device, node, form); \
    } \
    vkp_status vkp_conv2d_##name(vkp_program *program, const vkp_node *node) \
    { \
        return add(program, node, form); \
    }
#define VKP_CONV_DEFINE_GEMM(direction, may, add) \
    VKP_CONV_DEFINE_GEMM_FORM(gemm_##direction, VKP_GEMM_F32, may, add) \
    VKP_CONV_DEFINE_GEMM_FORM(gemm_f16_##direction, VKP_GEMM_F16, may, add) \
    VKP_CONV_DEFINE_GEMM_FORM(gemm_matrix_##direction, VKP_GEMM_MATRIX, may, add)

#endif
