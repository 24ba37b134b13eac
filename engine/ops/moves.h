/* Moves of whole tensors that several operations are made of: a copy, sums over blocks of pixels, and the
 * reverse of those. Each takes tensors of the same pictures and channels, and with `add` adds to what the
 * target holds; otherwise it overwrites, padding included. */
#ifndef VKP_OPS_MOVES_H
#define VKP_OPS_MOVES_H

#include "ops/tensor.h"

/* Copies `from` to `to`, of the same shape and pitch; packed tensors too. */
VKP_MUST_USE vkp_status vkp_copy(vkp_program *program, const vkp_tensor *from, const vkp_tensor *to,
                                 bool add);

/* to[y][x] = scale * the sum of from's factor x factor block at (y, x) * factor. Every block of `to` lies
 * wholly in `from`. Activations. */
VKP_MUST_USE vkp_status vkp_block_sum(vkp_program *program, const vkp_tensor *from, const vkp_tensor *to,
                                      uint32_t factor, float scale, bool add);

/* to[y][x] = scale * from[y / factor][x / factor], and 0 where `from` has no such pixel. Activations. */
VKP_MUST_USE vkp_status vkp_block_spread(vkp_program *program, const vkp_tensor *from, const vkp_tensor *to,
                                         uint32_t factor, float scale, bool add);

/* A flat pass: invocation i of groups * 64 handles items i, i + groups * 64, ... of `items`, about
 * `each` of them. Returns the number of groups, within the device's limit. */
uint32_t vkp_flat_groups(const vkp_device *device, uint64_t items, uint32_t each);

/* How many elements of `bytes` each one storage binding of the device holds, a multiple of 64: the run that
 * flat passes over packed tensors are cut into. */
uint32_t vkp_flat_run(const vkp_device *device, uint32_t bytes);

/* Elements [start, start + count) of a packed tensor, as (1,1,1,count). */
vkp_tensor vkp_flat_part(const vkp_tensor *t, uint64_t start, uint32_t count);

#endif
