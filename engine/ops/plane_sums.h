/* Sums over the planes of a tensor, one for each picture and channel: what global pooling and the gradient of
 * a channel's numbers come down to. */
#ifndef VKP_OPS_PLANE_SUMS_H
#define VKP_OPS_PLANE_SUMS_H

#include "ops/tensor.h"

/* sums[n][c] = scale * the sum of plane (n,c) of a; products[n][c] the same of a times b, element by element,
 * in the same pass. With `add` they are added to what is there. a and b: activations of one shape; sums and
 * products: activations (n,c,1,1). b and products may be NULL, together. Sums of sums in a fixed order, at
 * most some dozen of them one after the other: always the same bits, and as exact for large planes. */
VKP_MUST_USE vkp_status vkp_plane_sums(vkp_program *program, const vkp_tensor *a, const vkp_tensor *b,
                                       float scale, const vkp_tensor *sums, const vkp_tensor *products,
                                       bool add);

#endif
