/* What ycc_to_rgb and rgb_to_ycc share: one pass with a 3x3 matrix for every pixel. */
#ifndef VKP_OPS_COLOUR_H
#define VKP_OPS_COLOUR_H

#include "ops/op.h"

/* out[i] = sum over j of m[i][j] * in[j], plus k[i]. */
typedef struct vkp_colour_matrix {
    float m[3][3], k[3];
} vkp_colour_matrix;

/* The gradient's matrix: the transposed one without the constant. */
vkp_colour_matrix vkp_colour_transposed(const vkp_colour_matrix *matrix);

/* rgb (n,3,h,w) = matrix * (y (n,1,h,w), crcb (n,2,h,w)) with to_rgb, else the other way; what is written is
 * added to with `add`. y is NULL where it is not to be written. */
VKP_MUST_USE vkp_status vkp_colour_map(vkp_program *program, const vkp_colour_matrix *matrix, bool to_rgb,
                                       const vkp_tensor *rgb, const vkp_tensor *y, const vkp_tensor *crcb,
                                       bool add);

#endif
