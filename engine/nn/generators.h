/* The generators there are, behind networks.h: each declares its tensors, folds its norms and writes itself
 * down. Only networks.c and the generators themselves include this. */
#ifndef VKP_NN_GENERATORS_H
#define VKP_NN_GENERATORS_H

#include "nn/layers.h"

/* See vkp_generator_declare, vkp_generator_fold (*folded is a copy of params already) and
 * vkp_generator_forward (the builder's pass is empty, the sides of gray have been checked). */
VKP_MUST_USE vkp_status vkp_unet_declare(vkp_params *params);
VKP_MUST_USE vkp_status vkp_unet_fold(const vkp_bound_params *params, vkp_bound_params *folded);
VKP_MUST_USE vkp_status vkp_unet_forward(const vkp_builder *b, vkp_value gray);

VKP_MUST_USE vkp_status vkp_natural_declare(vkp_params *params);
VKP_MUST_USE vkp_status vkp_natural_fold(const vkp_bound_params *params, vkp_bound_params *folded);
VKP_MUST_USE vkp_status vkp_natural_forward(const vkp_builder *b, vkp_value gray);

#endif
