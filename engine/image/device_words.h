/* What the stage and the joiner hand to shaders beside tensors: tables of taps, buffers of plain words. */
#ifndef VKP_IMAGE_DEVICE_WORDS_H
#define VKP_IMAGE_DEVICE_WORDS_H

#include "image/fit.h"
#include "ops/op.h"

enum { VKP_TAP_WORDS = 3 };

/* Writes `count` taps as shaders/taps.glsl has them, VKP_TAP_WORDS words each: index i becomes
 * place[i] * stride, or i * stride without `place`. */
void vkp_taps_write(uint32_t *words, const vkp_tap *taps, int count, const uint32_t *place, uint32_t stride);

/* A whole buffer as a tensor of n rows of words, for vkp_bind. Errors as vkp_program_external. */
VKP_MUST_USE vkp_status vkp_words_bind(vkp_program *program, const vkp_buffer *buffer, uint32_t n,
                                       uint32_t words, const char *name, vkp_tensor *out);

#endif
