/* 16-bit floats, IEEE 754 binary16, as their bits. */
#ifndef VKP_BASE_HALF_H
#define VKP_BASE_HALF_H

#include <stdint.h>

/* The nearest binary16 to `value`, ties to even. |value| < 65520: beyond there is none. */
uint16_t vkp_half_from_float(float value);
/* Exact for every value; NaN payloads are kept. */
float vkp_half_to_float(uint16_t half);

#endif
