/* What the convolution's fast kernels share: one description for both directions, weights put into the order
 * a kernel reads, and the dispatch over runs of pictures. See shaders/lanes.glsl for their common form. */
#ifndef VKP_OPS_CONV2D_PACK_H
#define VKP_OPS_CONV2D_PACK_H

#include "ops/conv2d.h"

/* A direction that a kernel computes: `to` from `from`. Forward that is y from x; for the gradient by the
 * input dx from dy, with the weight's channels in exchanged roles and no bias. */
typedef struct vkp_conv_pass {
    vkp_tensor to, from, weight, bias; /* bias.buffer 0: none */
    vkp_attr activation;               /* its activation and slope; linear for the gradient */
    bool statistics;                   /* of `to` are wanted */
    uint32_t kernel, upsample;
    bool input_grad, add;              /* add: to what `to` holds */
} vkp_conv_pass;

/* An order of weights. The packed tensor is [block][from channel, then bias][record]: a record holds, for a
 * block of lanes * channels output channels, `taps` rows of `row_taps` >= taps taps as
 * [tap / (unit / channels)][lane][unit floats: tap % (unit / channels), channel]; taps beyond `taps` and the
 * end of the record are left undefined. Tap (i, j) is the sum of the kernel's rows from first to last of i
 * and columns from first to last of j, which are the 4-bit digits i and j of `first` and `last`. The bias
 * lies at tap 0 of its record. */
typedef struct vkp_conv_order {
    uint32_t lanes, channels, unit;
    uint32_t taps, row_taps;
    uint32_t record; /* floats, a multiple of 4 */
    uint32_t first, last;
} vkp_conv_order;

/* The digits of a plain kernel, turned around for the gradient by the input. */
void vkp_conv_order_taps(vkp_conv_order *order, uint32_t kernel, bool turned);

/* The specialization constant of the activation in all kernels; the next are its slope and whether moments
 * are made. */
enum { VKP_CONV_ACTIVATION = 9 };

/* A kernel's pipeline and grid. Its specialization constants are the subgroup's size, then `spec`, then from
 * VKP_CONV_ACTIVATION on what all have; its bindings and push constants are those of shaders/lanes.glsl. */
typedef struct vkp_conv_kernel {
    vkp_shader shader, storage_shader; /* reads texel buffers, storage buffers */
    uint32_t spec[VKP_CONV_ACTIVATION - 1], spec_count;
    uint32_t groups[3];                /* groups[2]: for one picture */
    double flop;                       /* for one picture, of the products that are made */
} vkp_conv_kernel;

/* Adds the dispatches that make `prepared` of pass->from, for as many pictures as both have. */
typedef vkp_status vkp_conv_prepare(vkp_program *program, const vkp_conv_pass *pass, bool storage,
                                    const vkp_tensor *prepared);

/* How a pass is computed on a device: the order of its weights and the kernel that reads them. */
typedef struct vkp_conv_plan {
    vkp_conv_order order;
    vkp_conv_prepare *prepare; /* makes what the kernel reads in place of `from`; NULL: it reads `from` */
    vkp_shape prepared;        /* of that, packed, for one picture */
    vkp_conv_kernel kernel;
    bool moments; /* the kernel makes those of its tiles where statistics are wanted */
} vkp_conv_plan;

/* Fills the plan, whose order has the device's lanes; false where the pass is none of the method's.
 * The pass is a convolution of stride 1 with an odd kernel up to 5 and half of that as padding. */
typedef bool vkp_conv_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan);

/* Whether the device and the node are such that the method's kernel can run; adds its dispatches, with the
 * one that packs the weights and over as many pictures at once as bindings and grid allow. */
bool vkp_conv_fits(const vkp_device *device, const vkp_node *node, bool input_grad, bool storage,
                   vkp_conv_method *method);
VKP_MUST_USE vkp_status vkp_conv_record(vkp_program *program, const vkp_node *node, bool input_grad,
                                        bool storage, vkp_conv_method *method);

/* Defines the four functions that VKP_CONV_FORMS of conv2d.h declares. */
#define VKP_CONV_DEFINE_FORM(name, input_grad, storage, method)                         \
    bool vkp_conv2d_##name##_fits(const vkp_device *device, const vkp_node *node)       \
    {                                                                                   \
        return vkp_conv_fits(device, node, input_grad, storage, method);                \
    }                                                                                   \
    vkp_status vkp_conv2d_##name(vkp_program *program, const vkp_node *node)            \
    {                                                                                   \
        return vkp_conv_record(program, node, input_grad, storage, method);             \
    }
#define VKP_CONV_DEFINE(name, input_grad, method)                                       \
    VKP_CONV_DEFINE_FORM(name, input_grad, false, method)                               \
    VKP_CONV_DEFINE_FORM(name##_storage, input_grad, true, method)

/* A lane's tile of pixels, and how many channels of it the lane makes. */
typedef struct vkp_conv_tile {
    uint32_t channels, wide, high;
} vkp_conv_tile;

/* The cheapest tile for an h x w grid of pixels. `cost` gives what one input channel costs a subgroup with
 * that tile, 0 where the tile is not possible. */
typedef double vkp_conv_tile_cost(const vkp_conv_pass *pass, uint32_t lanes, vkp_conv_tile tile);
vkp_conv_tile vkp_conv_choose_tile(const vkp_conv_pass *pass, uint32_t lanes, uint32_t h, uint32_t w,
                                   vkp_conv_tile_cost *cost);

/* What a turn of a kernel's loop costs a subgroup: multiply-adds, values spread to all lanes, quadruples
 * fetched by each lane, and sums carried from turn to turn. In instructions of lavapipe's code. */
double vkp_conv_cost(uint32_t lanes, double products, double spreads, double fetches, double sums);

#endif
