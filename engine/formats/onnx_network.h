/* A generator as an ONNX file. What is written is the network's own description of itself (nn/networks.h):
 * the graph of its operations, each in ONNX's operators. */
#ifndef VKP_FORMATS_ONNX_NETWORK_H
#define VKP_FORMATS_ONNX_NETWORK_H

#include <stdbool.h>

#include "nn/weights.h"

typedef struct vkp_onnx_options {
    bool fold; /* norms become part of the convolutions before them */
    bool half; /* weights are kept in 16 bits and widened where they are used */
} vkp_onnx_options;

/* Writes the generator to `path`, atomically: input "gray" (batch,1,height,width) in -1..1, height and width
 * multiples of its granularity; output "chroma" (batch,2,height,width), CrCb in -1..1, as
 * vkp_generator_forward in evaluation gives it. Initializers have the names of PyTorch's state_dict. Settings
 * and version go to the metadata as in model files (nn/model_file.h), the granularity as "vkpix.multiple_of".
 * VKP_FORMAT: the weights are no generator's; VKP_INPUT: `half` and a value with no F16 near it; VKP_MEMORY;
 * VKP_IO and VKP_INPUT as vkp_file_write. */
VKP_MUST_USE vkp_status vkp_onnx_network_write(const char *path, const vkp_weights *weights,
                                               const vkp_onnx_options *options);

#endif
