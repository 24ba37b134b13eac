/* The networks: generators, gray to CrCb, and the PatchGAN discriminator, RGB to one logit a patch. Layer
 * names are those of PyTorch's state_dict. */
#ifndef VKP_NN_NETWORKS_H
#define VKP_NN_NETWORKS_H

#include "nn/config.h"
#include "nn/params.h"

enum { VKP_MAX_NORMS = 32 };
#define VKP_NORM_EPS 1e-5f /* PyTorch's, of every norm */

/* One forward pass of a network in a graph: what is needed to update the running statistics after it. */
typedef struct vkp_pass {
    vkp_value stats[VKP_MAX_NORMS]; /* statistics of each BatchNorm, one for each batch */
    vkp_value running_mean[VKP_MAX_NORMS], running_var[VKP_MAX_NORMS];
    double elements[VKP_MAX_NORMS]; /* values a channel that each statistic was made of */
    uint32_t norms;
    vkp_value out;
    vkp_value classes; /* logits of chroma classes (n,121,h/4,w/4), which `natural` has in training; else 0 */
} vkp_pass;

/* Chroma classes of `natural`: nodes of a VKP_CLASS_SIDE x VKP_CLASS_SIDE grid over +-VKP_CLASS_RANGE in Cr
 * and Cb (see the operation soft_classes). */
enum { VKP_CLASS_SIDE = 11 };
#define VKP_CLASS_RANGE 0.7f

/* Training's dropout: its probability and the state that the operation draws from. */
typedef struct vkp_dropout {
    float probability;
    vkp_value state;
} vkp_dropout;

/* Sides that a generator takes are multiples of this. */
uint32_t vkp_generator_granularity(vkp_config_network network);

/* Declares the tensors: 872,418 trained parameters for unet, the published U-Net (unet.c); 3,499,637 for
 * natural (natural.c). First values as PyTorch's Conv2d: uniform in +-1/sqrt(fan_in), norms 1 and 0. */
VKP_MUST_USE vkp_status vkp_generator_declare(vkp_params *params, vkp_config_network network);
VKP_MUST_USE vkp_status vkp_discriminator_declare(vkp_params *params, const vkp_config *config);

/* Writes down G on gray (n,1,h,w) in -1..1, h and w multiples of its granularity (SHAPE): pass->out is CrCb
 * (n,2,h,w) in -1..1. With training false the running statistics normalize, as vkp_generator_fold has made
 * them part of `params`; dropout NULL: none. Outputs are named PREFIX.BLOCK.LAYER. */
VKP_MUST_USE vkp_status vkp_generator_forward(const vkp_bound_params *params, vkp_value gray, bool training,
                                              const vkp_dropout *dropout, const char *prefix, vkp_pass *pass);

/* Writes down the folding of G's norms, with their running statistics, into the weights and biases of the
 * convolutions before them: *folded is params with those in their places, for vkp_generator_forward with
 * training false. Their memory is kept, so that a section of its own can do this once for many runs, until
 * the parameters change. */
VKP_MUST_USE vkp_status vkp_generator_fold(const vkp_bound_params *params, vkp_bound_params *folded);

/* Writes down D on rgb (n,3,h,w) in 0..1: pass->out is (n,1,h',w') logits. Always in training mode. The
 * pictures are `batches` batches of n / batches one after the other, none of which has a part in another's
 * statistics: what comes out is what a pass for each would give. */
VKP_MUST_USE vkp_status vkp_discriminator_forward(const vkp_bound_params *params, const vkp_config *config,
                                                  vkp_value rgb, uint32_t batches, const char *prefix,
                                                  vkp_pass *pass);

/* Writes down the update of the running statistics by one batch of a pass (0 where it has one), momentum 0.1,
 * unbiased variance. */
VKP_MUST_USE vkp_status vkp_pass_update_running(const vkp_pass *pass, vkp_graph *graph, uint32_t batch);

#endif
