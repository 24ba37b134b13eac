/* Pictures on the device, as the training step and the evaluation take them. All fail the test on errors. */
#ifndef VKP_TEST_BATCH_H
#define VKP_TEST_BATCH_H

#include "ops/tensor.h"

typedef struct batch {
    vkp_tensor layout; /* (n,3,h,w), RGB 0..1, or other planes */
    vkp_buffer buffer; /* host memory */
} batch;

/* Room for n pictures of w x h, RGB with 3 channels; batch_free afterwards. */
batch batch_make(uint32_t n, uint32_t channels, uint32_t h, uint32_t w);
void batch_free(batch *b);

/* Puts the picture file `path`, of just that size, in place i: levels divided by 255. */
void batch_load(const batch *b, uint32_t i, const char *path);

#endif
