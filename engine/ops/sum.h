/* Sums over pixels and pictures in two stages: partial results by as many workgroups as fill a device, then
 * those added in their order. Both stages follow from the shapes alone, so two runs agree to the bit. */
#ifndef VKP_OPS_SUM_H
#define VKP_OPS_SUM_H

#include "ops/tensor.h"

/* A new tensor of the program for `parts` partial results of `count` floats each: shape (parts,1,1,count). */
VKP_MUST_USE vkp_status vkp_parts_new(vkp_program *program, uint32_t parts, uint64_t count, vkp_tensor *out);

/* Adds the partial results into sum, a packed tensor of as many elements, in their order; with `add` to what
 * it holds. */
VKP_MUST_USE vkp_status vkp_sum_parts(vkp_program *program, const vkp_tensor *parts, const vkp_tensor *sum,
                                      bool add);

/* Sums each channel of x (n,c,h,w) into sum (1,c,1,1), adding to it with `add`. */
VKP_MUST_USE vkp_status vkp_channel_sum(vkp_program *program, const vkp_tensor *x, const vkp_tensor *sum,
                                        bool add);

#endif
