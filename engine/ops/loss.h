/* What the elementwise losses share: a sum over all elements of a function of one or two tensors, and the
 * gradient of that by the first. bce_with_logits.c, hinge.c, l1.c and squared_error.c hold the operations. */
#ifndef VKP_OPS_LOSS_H
#define VKP_OPS_LOSS_H

#include "ops/op.h"

/* The functions, numbered as in shaders/loss.glsl. */
typedef enum vkp_loss_kind {
    VKP_LOSS_L1,      /* |a - b| */
    VKP_LOSS_SQUARED, /* (a - b)², both clamped to 0..1 and scaled to 0..255; has no gradient here */
    VKP_LOSS_BCE,     /* max(a, 0) - a target + log(1 + exp(-|a|)), torch.nn.BCEWithLogitsLoss */
    VKP_LOSS_MINUS,   /* -a */
    VKP_LOSS_HINGE,   /* max(0, 1 + target a) */
} vkp_loss_kind;

typedef struct vkp_loss {
    vkp_loss_kind kind;
    float target;
    const vkp_tensor *a;
    const vkp_tensor *b;    /* of a's shape; NULL for the kinds without it */
    const vkp_tensor *rect; /* vkp_loss_sums: (n,1,1,4) packed, x0, y0, x1, y1, the half-open part of each
                             * picture that counts; NULL: all of it */
} vkp_loss;

/* sum[n] = the sum of the loss over picture n; sum is (n,1,1,1). Always the same bits. */
VKP_MUST_USE vkp_status vkp_loss_sums(vkp_program *program, const vkp_loss *loss, const vkp_tensor *sum);

/* The forward and backward functions of a loss that is one number: output 0 is the mean of the loss over all
 * elements, and input 0 gets its gradient. Always the same bits. */
VKP_MUST_USE vkp_status vkp_loss_mean_forward(vkp_program *program, const vkp_node *node,
                                              const vkp_loss *loss);
VKP_MUST_USE vkp_status vkp_loss_mean_backward(vkp_program *program, const vkp_node *node,
                                               const vkp_loss *loss);

/* The shape function of a loss that is one number: input 0, not empty, and input 1, where there is one, of
 * the same shape; SHAPE otherwise. */
VKP_MUST_USE vkp_status vkp_loss_mean_shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT]);

#endif
