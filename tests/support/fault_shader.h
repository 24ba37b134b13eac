/* Shaders that compute nothing right. */
#ifndef VKP_TEST_FAULT_SHADER_H
#define VKP_TEST_FAULT_SHADER_H

#include <stddef.h>
#include <stdint.h>

/* A copy of a SPIR-V module that stores `value` wherever the module stores a 32-bit float or a vector of
 * them. *bytes is the code's size, and becomes the copy's; *stores the number of stores changed. malloc'd
 * (the caller frees it). */
uint32_t *fault_shader(const uint32_t *code, size_t *bytes, float value, unsigned *stores);

#endif
