#version 450
// The gradient by a kernel whose taps met in sums after nearest upsampling: a tap of it gets the gradients of
// all sums that it was part of. Those come as (ci,co,t,t) with t = kernel + UPSAMPLE - 1.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint KERNEL = 3;
layout(constant_id = 1) const uint UPSAMPLE = 2;
layout(constant_id = 2) const bool ADD = false;
const uint TAPS = KERNEL + UPSAMPLE - 1;
layout(std430, binding = 0) buffer DW { float dw[]; }; // [co][ci][kh][kw]
layout(std430, binding = 1) readonly buffer S { float s[]; };
layout(push_constant) uniform Push {
    Tensor dwt, st;
    uint co, ci;
} p;

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    if (i >= p.co * p.ci * KERNEL * KERNEL) return;
    const uint kx = i % KERNEL, ky = i / KERNEL % KERNEL;
    const uint c = i / (KERNEL * KERNEL) % p.ci, o = i / (KERNEL * KERNEL) / p.ci;
    const uint start = p.st.offset + (c * p.co + o) * TAPS * TAPS;
    float sum = 0.0;
    for (uint y = KERNEL - 1 - ky; y < KERNEL - 1 - ky + UPSAMPLE; y++)
        for (uint x = KERNEL - 1 - kx; x < KERNEL - 1 - kx + UPSAMPLE; x++) sum += s[start + y * TAPS + x];
    dw[p.dwt.offset + i] = ADD ? dw[p.dwt.offset + i] + sum : sum;
}
