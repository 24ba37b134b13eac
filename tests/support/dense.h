/* Dense arrays, row-major as PyTorch and files have them, against tensors whose rows are padded. All fail the
 * test rather than return an error; arrays that they return are malloc'd. */
#ifndef VKP_TEST_DENSE_H
#define VKP_TEST_DENSE_H

#include "nn/safetensors.h"
#include "ops/tensor.h"

/* A file read whole; the caller frees it with vkp_safetensors_free. */
vkp_safetensors *dense_open(const char *path);

/* The F32 tensor `name` of `count` elements from a file. */
float *dense_from_file(const vkp_safetensors *file, const char *name, uint64_t count);

/* A tensor of a built, idle program. */
float *dense_read(vkp_program *program, const vkp_tensor *tensor);

/* Writes the tensor's elements to `memory`, a copy of its buffer, and zeros to the rows' padding. */
void dense_spread(const vkp_tensor *tensor, const float *dense, float *memory);

/* How far `got` is from `want`: the root mean square of the difference, and the largest difference, both as
 * multiples of the root mean square of `want`, or of `least` if that is more. NaN unless all is finite. */
typedef struct dense_error {
    double mean, worst;
} dense_error;
dense_error dense_compare(const float *got, const float *want, uint64_t count, double least);

#endif
