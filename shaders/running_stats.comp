#version 450
// One of the two running statistics takes a step towards the batch's: (1 - momentum) * r + factor * s.
// Old and new may be the same memory.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer N { float next[]; };
layout(std430, binding = 1) readonly buffer R { float running[]; };
layout(std430, binding = 2) readonly buffer S { float stats[]; };
layout(push_constant) uniform Push {
    Tensor nt, rt, st;
    uint channels, which; // which of a channel's statistics: 0 mean, 1 variance
    float keep, factor;
} p;

void main()
{
    const uint c = gl_GlobalInvocationID.x;
    if (c >= p.channels) return;
    const float s = stats[at(p.st, 0, c, 0, 0) + p.which];
    next[p.nt.offset + c] = p.keep * running[p.rt.offset + c] + p.factor * s;
}
