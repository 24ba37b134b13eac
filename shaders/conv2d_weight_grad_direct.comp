#version 450
// The gradient of a convolution by one weight, by the definition: a workgroup sums over all outputs that
// used it. The order of the sum is fixed, so that two runs agree to the bit.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint KERNEL = 3;
layout(constant_id = 1) const uint STRIDE = 1;
layout(constant_id = 2) const int PADDING = 1;
layout(constant_id = 3) const uint UPSAMPLE = 1;
layout(constant_id = 4) const bool ADD = false;
layout(std430, binding = 0) buffer DW { float dw[]; }; // [co][ci][kh][kw]
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer DY { float dy[]; };
layout(push_constant) uniform Push {
    Tensor dwt, xt, dyt;
    uint n, ci, hx, wx, co, hy, wy;
} p;
shared float part[64];

void main()
{
    const uint lane = gl_LocalInvocationID.x;
    const uint tap = gl_WorkGroupID.x, c = gl_WorkGroupID.y, o = gl_WorkGroupID.z;
    const int height = int(p.hx * UPSAMPLE), width = int(p.wx * UPSAMPLE);
    const int ky = int(tap / KERNEL) - PADDING, kx = int(tap % KERNEL) - PADDING;
    float sum = 0.0;
    for (uint n = 0; n < p.n; n++)
        for (uint i = lane; i < p.hy * p.wy; i += 64) {
            const uint oy = i / p.wy, ox = i % p.wy;
            const int iy = int(oy * STRIDE) + ky, ix = int(ox * STRIDE) + kx;
            if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
            sum += dy[at(p.dyt, n, o, oy, ox)] * x[at(p.xt, n, c, uint(iy) / UPSAMPLE, uint(ix) / UPSAMPLE)];
        }
    part[lane] = sum;
    for (uint half_count = 32; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) part[lane] += part[lane + half_count];
    }
    if (lane == 0) {
        const uint place = p.dwt.offset + (o * p.ci + c) * KERNEL * KERNEL + tap;
        dw[place] = ADD ? dw[place] + part[0] : part[0];
    }
}
