/* The convolution's shared parts: its variants by direction. conv2d.c holds the operation, its reference
 * and the choice; conv2d_<variant>.c one way of computing it each. */
#ifndef VKP_OPS_CONV2D_H
#define VKP_OPS_CONV2D_H

#include "ops/op.h"

/* Places of vkp_op_conv2d: in x (n,ci,h,w), weight (co,ci,k,k), bias (1,co,1,1) optional; out y. */
enum { VKP_CONV_X, VKP_CONV_WEIGHT, VKP_CONV_BIAS, VKP_CONV_Y = 0 };

static inline uint32_t vkp_conv_upsample(const vkp_node *node) { return node->attr.upsample ? node->attr.upsample : 1; }

/* By the definition; any attributes, any device. */
VKP_MUST_USE vkp_status vkp_conv2d_direct_forward(vkp_program *program, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_direct_input_grad(vkp_program *program, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_direct_weight_grad(vkp_program *program, const vkp_node *node);

/* The output gradient of a convolution of an upsampled input (upsample 2 or 4, kernel 3, padding 1), summed
 * over the rows and columns of each block of upsample² outputs that see the same inputs. Along one axis an
 * input y has u outputs: the first sees y-1 and y, the last y and y+1, those between only y. So the sums are
 * by class (first, last) for 2, (first, middle, last) for 4, rows by columns: 4 or 9 classes.
 * *planes is a new tensor of the program, (n, co * classes, h, w) with h and w those of the low-resolution
 * input x; channel o * classes + row class * (2 or 3) + column class. With F, M, L the sums of an axis and
 * T = F + M + L, w0 w1 w2 the weights and S = w0 + w1 + w2, three products an axis give everything:
 *   forward:  middle = S x[y],  first = middle + w0 (x[y-1] - x[y]),  last = middle + w2 (x[y+1] - x[y])
 *   by input: dx[y] = S T[y] + w0 (F[y+1] - F[y]) + w2 (L[y-1] - L[y])
 *   by weight: t = sum T[y] x[y],  dw1 = t,  dw0 = t + sum F[y] (x[y-1] - x[y]),  dw2 = t + sum L[y] (x[y+1] - x[y])
 * with x, F and L zero outside. */
static inline uint32_t vkp_conv_classes(uint32_t upsample) { return upsample == 2 ? 4 : 9; }
VKP_MUST_USE vkp_status vkp_conv2d_class_sums(vkp_program *program, const vkp_node *node, vkp_tensor *planes);

/* The weight gradient of stride 1, "same" padding and kernel 1, 3 or 5, by subgroups whose lanes hold channels. */
bool vkp_conv2d_lanes_weight_grad_fits(const vkp_device *device, const vkp_node *node);
VKP_MUST_USE vkp_status vkp_conv2d_lanes_weight_grad(vkp_program *program, const vkp_node *node);

/* Sums each channel of x (n,c,h,w) into sum (1,c,1,1), adding to it with `add`. */
VKP_MUST_USE vkp_status vkp_channel_sum(vkp_program *program, const vkp_tensor *x, const vkp_tensor *sum, bool add);

#endif
