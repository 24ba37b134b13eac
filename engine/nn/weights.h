/* Weights: from what a user calls a model to the tensors and settings it is made of. */
#ifndef VKP_NN_WEIGHTS_H
#define VKP_NN_WEIGHTS_H

#include <stdbool.h>

#include "nn/config.h"
#include "nn/safetensors.h"

typedef struct vkp_weights {
    char *name;            /* the generator's file, or "NAME (built in)" */
    vkp_safetensors *file; /* its content */
    bool configured;       /* the settings of the run that it comes from are known: */
    vkp_config config;
} vkp_weights;

/* Finds and reads the generator that `model` names: a built-in one (nn/built_in.h), which comes first; a
 * safetensors file; a run folder (checkpoints/best, and while there is none checkpoints/last); or a
 * checkpoint's folder. NULL: VKP_BUILT_IN_DEFAULT. Settings are taken from the file itself (nn/model_file.h),
 * else from the config.yml of the run around it. VKP_USAGE without `model` where there is no default;
 * VKP_INPUT when nothing is there, or a folder holds no weights; as vkp_safetensors_read,
 * vkp_model_file_config and vkp_config_load; VKP_MEMORY. vkp_weights_free afterwards. */
VKP_MUST_USE vkp_status vkp_weights_find(const char *model, vkp_weights *weights);
void vkp_weights_free(vkp_weights *weights);

#endif
