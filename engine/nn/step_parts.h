/* What the training step, the evaluation and the colorizer share: the small buffer through which host and
 * device exchange numbers, and writing nodes down briefly. Only engine/nn's own files include this. */
#ifndef VKP_NN_STEP_PARTS_H
#define VKP_NN_STEP_PARTS_H

#include "nn/step.h"

/* Places in the exchange buffer, in floats, each on an alignment that any device can bind. */
enum {
    VKP_AT_SEED = 0,
    VKP_AT_HYPER_G = 64,
    VKP_AT_HYPER_D = 128,
    VKP_AT_G_ADV = 192,
    VKP_AT_G_L1 = 256,
    VKP_AT_D_ADV = 320,
    VKP_AT_L1_CRCB = 384,
    VKP_AT_L1_RGB = 448,
    VKP_AT_CLASS = 512,
    VKP_AT_AVERAGE = 576,       /* 1 - decay of the moving average */
    VKP_AT_RANDOM = 640,        /* four words: dropout's state */
    VKP_AT_CLASS_WEIGHTS = 704, /* one for each chroma class */
    VKP_AT_PICTURES = 832 /* squared errors, rectangles and blur kernels follow */
};

typedef struct vkp_exchange {
    vkp_graph *graph;
    vkp_buffer buffer; /* host memory */
    uint32_t id;       /* in the program */
    uint32_t batch;
} vkp_exchange;

VKP_MUST_USE vkp_status vkp_exchange_create(vkp_device *device, vkp_graph *graph, uint32_t batch,
                                            vkp_exchange *out);

/* Where the per-picture parts begin, in floats. */
uint32_t vkp_at_errors(const vkp_exchange *x);
uint32_t vkp_at_valid(const vkp_exchange *x);
uint32_t vkp_at_blur(const vkp_exchange *x);
static inline float *vkp_exchange_floats(const vkp_exchange *x) { return x->buffer.mapped; }

/* A packed tensor at a place of the buffer, and it as a value of the graph. */
vkp_tensor vkp_exchange_tensor(const vkp_exchange *x, uint32_t place, vkp_shape shape);
VKP_MUST_USE vkp_status vkp_exchange_value(const vkp_exchange *x, uint32_t place, vkp_shape shape,
                                           const char *name, vkp_value *out);

/* A node with up to three inputs and one output; *out 0: a new value. */
VKP_MUST_USE vkp_status vkp_add_node(vkp_graph *graph, const vkp_op *op, const vkp_attr *attr,
                                     const char *name, vkp_value a, vkp_value b, vkp_value c, vkp_value *out);

/* A batch that lies in a buffer as a value, and the gray and CrCb planes of one of RGB, CrCb times
 * `saturation`. */
VKP_MUST_USE vkp_status vkp_add_batch(vkp_graph *graph, const vkp_buffer *planes, vkp_shape shape,
                                      const char *name, vkp_value *value);
VKP_MUST_USE vkp_status vkp_add_ycc(vkp_graph *graph, vkp_value rgb, float saturation, vkp_value *gray,
                                    vkp_value *crcb);

/* Both L1 losses and their weighted sum, written to the exchange buffer; *sum is that sum. */
VKP_MUST_USE vkp_status vkp_add_l1(const vkp_exchange *x, const vkp_config *config, vkp_value fake,
                                   vkp_value crcb, vkp_value fake_rgb, vkp_value rgb, vkp_value *sum);

/* Squared errors of the valid pixels of each picture, written to the exchange buffer. */
VKP_MUST_USE vkp_status vkp_add_squared_error(const vkp_exchange *x, vkp_value fake_rgb, vkp_value rgb);

/* Writes the rectangles; afterwards turns squared errors into PSNR in dB over three channels of 0..255,
 * capped at 100 dB, where equal pictures would have infinitely many. */
void vkp_exchange_set_valid(const vkp_exchange *x, const vkp_rect *valid);
void vkp_exchange_psnr(const vkp_exchange *x, double *psnr);

/* Reads a kept activation that has all its channels, (n,c,h,w) without the padding of its rows. */
VKP_MUST_USE vkp_status vkp_read_dense(vkp_program *program, const vkp_tensor *tensor, float *out);

#endif
