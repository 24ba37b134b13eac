/* Weights: from what a user calls a model to the files it is made of. */
#ifndef VKP_NN_WEIGHTS_H
#define VKP_NN_WEIGHTS_H

#include <stdbool.h>

#include "nn/config.h"

typedef struct vkp_weights {
    char *path;        /* the generator's safetensors file */
    bool configured;   /* the run that it comes from is known: */
    vkp_config config; /* the run's settings */
} vkp_weights;

/* Finds the generator that `model` names: a safetensors file, a run folder (checkpoints/best, and while there
 * is none checkpoints/last), or a checkpoint's folder. config.yml is read where there is a run around the
 * weights. There are no built-in models yet, so NULL and other names fail: VKP_USAGE without `model`;
 * VKP_INPUT when nothing is there, or a folder holds no weights; as vkp_config_load for config.yml;
 * VKP_MEMORY. vkp_weights_free afterwards. */
VKP_MUST_USE vkp_status vkp_weights_find(const char *model, vkp_weights *weights);
void vkp_weights_free(vkp_weights *weights);

#endif
