/* What other operations take from norm. */
#ifndef VKP_OPS_NORM_H
#define VKP_OPS_NORM_H

#include "ops/tensor.h"

/* Makes a table (1,c,2,4) of what normalizing by running statistics needs of each channel: the mean,
 * 1 / sqrt(var + eps), gamma and beta, then four zeros (shaders/norm_affine.comp). Each input holds c values,
 * packed; gamma and beta may have no buffer: 1 and 0. */
VKP_MUST_USE vkp_status vkp_norm_running_table(vkp_program *program, const vkp_tensor *gamma,
                                               const vkp_tensor *beta, const vkp_tensor *running_mean,
                                               const vkp_tensor *running_var, float eps, vkp_tensor *table);

#endif
