/* Sums over many elements in two steps, the same bits on every run: groups leave partial sums in a tensor,
 * and this adds them up in a fixed order. */
#ifndef VKP_OPS_REDUCE_H
#define VKP_OPS_REDUCE_H

#include "ops/tensor.h"

/* sum[i] = scale * (the sum of all of picture i of `partials`). `partials` is packed, pictures without a gap
 * inside; `sum` is (n,1,1,1), packed. */
VKP_MUST_USE vkp_status vkp_sum_partials(vkp_program *program, const vkp_tensor *partials, float scale,
                                         const vkp_tensor *sum);

#endif
