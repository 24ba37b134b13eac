/* What the networks are built of: a convolution, or one with the norm, activation and pooling that follow it,
 * written into a graph. Only engine/nn's own files include this. */
#ifndef VKP_NN_LAYERS_H
#define VKP_NN_LAYERS_H

#include "nn/networks.h"

/* What a sequence of layers is written into. */
typedef struct vkp_builder {
    const vkp_bound_params *params;
    vkp_graph *graph;
    const char *prefix;
    vkp_pass *pass;
    bool training;     /* false: norms are part of the weights already (vkp_fold_layer) */
    uint32_t pictures; /* of one statistic of a norm; 0: all */
    const vkp_dropout *dropout; /* NULL: none */
} vkp_builder;

/* The average pooling that the next block begins with. A norm makes it in its own pass. */
typedef struct vkp_pooling {
    const char *block; /* the next; its layer 0 pools */
    uint32_t factor;
    bool only;         /* nobody else reads what is pooled */
    vkp_value out;
} vkp_pooling;

/* Declares "LAYER.weight" and "LAYER.bias" of a square convolution, first values as PyTorch's Conv2d. A norm
 * with the batch's own statistics takes away whatever is added to all of a channel: where one follows
 * (`cancelled`), the gradient of the bias is exactly zero. */
VKP_MUST_USE vkp_status vkp_declare_conv(vkp_params *params, const char *layer, uint32_t in, uint32_t out,
                                         uint32_t kernel, bool cancelled);
/* Declares a BatchNorm's weight, bias and running statistics. */
VKP_MUST_USE vkp_status vkp_declare_norm(vkp_params *params, const char *layer, uint32_t channels);

/* Convolution `layer`, stride 1 and the padding that keeps the size, after nearest upsampling (1: none), with
 * the activation that follows it, whose layer `result` names the output. *y given: written into. */
VKP_MUST_USE vkp_status vkp_add_conv(const vkp_builder *b, const char *layer, uint32_t upsample,
                                     vkp_activation activation, const char *result, vkp_value x, vkp_value *y);
/* AvgPool2d(factor). */
VKP_MUST_USE vkp_status vkp_add_pool(const vkp_builder *b, const char *layer, uint32_t factor, vkp_value x,
                                     vkp_value *y);

/* Convolution "BLOCK.INDEX", norm "BLOCK.INDEX+1", activation and, if not NULL, the pooling that follow it;
 * the output is called "BLOCK.INDEX+2". *y given: written into. Where nothing but the pooling is wanted
 * (next->only) there is no *y, unless the graph keeps all values. */
VKP_MUST_USE vkp_status vkp_add_block(const vkp_builder *b, const char *block, uint32_t index,
                                      uint32_t upsample, vkp_activation activation, vkp_value x,
                                      vkp_pooling *next, vkp_value *y);

/* Writes down the folding of norm "BLOCK.INDEX+1" with its running statistics into convolution "BLOCK.INDEX":
 * *folded, a copy of params before, gets the new weight and bias, whose memory is kept. */
VKP_MUST_USE vkp_status vkp_fold_layer(const vkp_bound_params *params, const char *block, uint32_t index,
                                       vkp_bound_params *folded);

#endif
