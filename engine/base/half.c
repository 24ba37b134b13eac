#include "base/half.h"

#include <math.h>
#include <string.h>

/* Rounded by the addition of a number so large that a double's last bit is worth there what the last one is
 * worth in binary16. */
uint16_t vkp_half_from_float(float value)
{
    int exponent;
    frexpf(value, &exponent); /* |value| in [2^(exponent - 1), 2^exponent) */
    const int unit = exponent - 11 < -24 ? -24 : exponent - 11;
    const double round = ldexp(1.5, unit + 52), rounded = ((double)fabsf(value) + round) - round;
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (rounded < 0x1p-14) return (uint16_t)(sign | (uint16_t)(rounded * 0x1p24));
    frexp(rounded, &exponent);
    const uint16_t mantissa = (uint16_t)(ldexp(rounded, 11 - exponent) - 1024);
    return (uint16_t)(sign | (exponent + 14) << 10 | mantissa);
}

/* Read as binary32, the bits mean the value divided by 2^112, also for subnormals. */
float vkp_half_to_float(uint16_t half)
{
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    memcpy(&bits, &value, sizeof bits);
    bits |= (half & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}
