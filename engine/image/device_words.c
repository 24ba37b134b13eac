#include "image/device_words.h"

#include <string.h>

#define NO_PLACE UINT32_MAX /* a tap's place for black, as in shaders/taps.glsl */

void vkp_taps_write(uint32_t *words, const vkp_tap *taps, int count, const uint32_t *place, uint32_t stride)
{
    for (int k = 0; k < count; k++, words += VKP_TAP_WORDS) {
        const int32_t index[2] = {taps[k].i0, taps[k].i1};
        for (int i = 0; i < 2; i++)
            words[i] = index[i] < 0 ? NO_PLACE : (place ? place[index[i]] : (uint32_t)index[i]) * stride;
        memcpy(&words[2], &taps[k].w, sizeof *words);
    }
}

vkp_status vkp_words_bind(vkp_program *p, const vkp_buffer *buffer, uint32_t n, uint32_t words,
                          const char *name, vkp_tensor *out)
{
    *out = vkp_tensor_packed(0, (vkp_shape){n, 1, 1, words});
    return vkp_program_external(p, buffer, 0, (uint64_t)n * words * 4, name, &out->buffer);
}
