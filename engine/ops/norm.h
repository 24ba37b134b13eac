/* What other operations take from norm. */
#ifndef VKP_OPS_NORM_H
#define VKP_OPS_NORM_H

#include "ops/tensor.h"

/* Makes `stats` (n / pictures, c, 1, 2) of the activation x: of `pictures` consecutive pictures, a divisor of
 * n, the mean and the biased variance of each channel. */
VKP_MUST_USE vkp_status vkp_norm_statistics(vkp_program *program, const vkp_tensor *x, uint32_t pictures,
                                            const vkp_tensor *stats);

/* The same from moments: `parts` (n,c,pieces,4), packed, holds of each of a plane's pieces how many elements
 * it has, their mean less `first`, the sum of their squared distances from the mean, and `first`, any number
 * near the mean. */
VKP_MUST_USE vkp_status vkp_norm_merge(vkp_program *program, const vkp_tensor *parts, uint32_t pictures,
                                       const vkp_tensor *stats);

/* Makes a table (1,c,2,4) of what normalizing by running statistics needs of each channel: the mean,
 * 1 / sqrt(var + eps), gamma and beta, then four zeros (shaders/norm_affine.comp). Each input holds c values,
 * packed; gamma and beta may have no buffer: 1 and 0. */
VKP_MUST_USE vkp_status vkp_norm_running_table(vkp_program *program, const vkp_tensor *gamma,
                                               const vkp_tensor *beta, const vkp_tensor *running_mean,
                                               const vkp_tensor *running_var, float eps, vkp_tensor *table);

#endif
