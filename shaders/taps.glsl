// Tap tables of pictures: three words each, two places in words and the second's weight (engine/image/fit.h;
// the places already hold the strides). NO_PLACE stands for black.
#ifndef TAPS_GLSL
#define TAPS_GLSL
layout(std430, binding = 2) readonly buffer Tables { uint table[]; };

const uint NO_PLACE = 0xffffffffu;

// Black has weight 0 of whatever lies at place 0.
struct Tap {
    uint i0, i1;
    float w0, w1;
};

Tap tap(uint place)
{
    const uint i0 = table[place], i1 = table[place + 1];
    const float w = uintBitsToFloat(table[place + 2]);
    const bool black0 = i0 == NO_PLACE, black1 = i1 == NO_PLACE;
    return Tap(black0 ? 0 : i0, black1 ? 0 : i1, black0 ? 0.0 : 1.0 - w, black1 ? 0.0 : w);
}
#endif
