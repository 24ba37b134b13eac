// Bilinear upsampling by a whole factor. Along one axis output FACTOR * i + FIRST + t, t < FACTOR, lies
// between pixels i and i + 1, in interval i: it is 1 - weight(t) of the one and weight(t) of the other. Of
// interval -1 and of the last pixel's only some outputs are there, and both their pixels are the edge's.
// An invocation goes down a strip, HIGH rows of a column of quadruples of the smaller tensor. All strips of a
// picture's planes are one list.
#ifndef UPSAMPLE_BILINEAR_GLSL
#define UPSAMPLE_BILINEAR_GLSL
#include "quads.glsl"
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const int FACTOR = 2;
layout(constant_id = 1) const int HIGH = 4;
layout(constant_id = 2) const bool ADD = false;
layout(push_constant) uniform Push {
    Tensor to, from;     // in quads
    uint h, w;           // of the smaller tensor
    uint items, step;    // strips of a picture; invocations that share them
} p;
const int FIRST = FACTOR / 2, BEFORE = FACTOR - FIRST; // BEFORE: outputs before pixel 0 of interval -1

float weight(int t) { return (float(FIRST + t) + 0.5) / float(FACTOR) - 0.5; }

struct Strip {
    uint c;   // its plane
    int q, y; // its column of quadruples and first row
};

Strip strip_of(uint i, uint row)
{
    const uint strips = (p.h + HIGH - 1) / HIGH, line = i / row;
    return Strip(line / strips, int(i % row), int(line % strips) * HIGH);
}
#endif
