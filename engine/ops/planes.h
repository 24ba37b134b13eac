/* Dispatches over the planes of a tensor, a workgroup for each tile of one: how the operations that filter or
 * gather within a plane are recorded. */
#ifndef VKP_OPS_PLANES_H
#define VKP_OPS_PLANES_H

#include "ops/tensor.h"

typedef struct vkp_planes {
    vkp_shader shader;              /* of 8x8 invocations, each of which makes 4 columns */
    uint32_t tall;                  /* rows that a workgroup makes; the columns are 32 */
    bool whole;                     /* a workgroup makes its tile of all of a picture's planes */
    bool add;                       /* specialization constant 0 */
    const vkp_tensor *tensors[4];   /* bound in this order; the first is made, the others are read */
    uint32_t tensor_count;
    uint32_t words[8], word_count;  /* push constants after the tensors' */
} vkp_planes;

/* Adds the dispatches, in runs of pictures that bindings and groups have room for. Tensors of as many
 * pictures as the first are cut along with it; the others (tables for all pictures) are bound whole.
 * Workgroup z makes plane z % c of picture z / c, or picture z with `whole`. */
VKP_MUST_USE vkp_status vkp_planes_record(vkp_program *program, const vkp_planes *planes);

#endif
