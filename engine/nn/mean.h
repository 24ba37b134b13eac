/* The mean of several models' weights: networks that one training passed through, or that began at the same
 * weights, often do better as one network of their mean than any of them (Izmailov et al., Averaging weights
 * leads to wider optima, 2018; Wortsman et al., Model soups, 2022). */
#ifndef VKP_NN_MEAN_H
#define VKP_NN_MEAN_H

#include "nn/weights.h"

/* Tensors as vkp_model_file_write takes them. Names, and tensors that are not of floats, belong to the first
 * of the models, which must stay as long. */
typedef struct vkp_mean {
    vkp_safetensor *list;
    size_t count;
    float *values; /* of all its F32 tensors, one after the other */
} vkp_mean;

/* The mean of each F32 or F16 tensor of models[0..count), of which there is one at least, in F32; other
 * tensors are the first model's. VKP_FORMAT, VKP_SHAPE: a model lacks a tensor of the first's, or has it in
 * another shape; VKP_MEMORY. vkp_mean_free afterwards; zeroed on failure. */
VKP_MUST_USE vkp_status vkp_mean_make(const vkp_weights *models, size_t count, vkp_mean *mean);
void vkp_mean_free(vkp_mean *mean);

#endif
