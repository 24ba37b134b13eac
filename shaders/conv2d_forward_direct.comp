#version 450
// Convolution by its definition, for any kernel, stride, padding and upsampling before it: the form that
// every device can run and the others are measured against. An invocation makes 4 outputs of a row.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#define ACTIVATION_ID 5
#include "activation.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const uint KERNEL = 3;
layout(constant_id = 1) const uint STRIDE = 1;
layout(constant_id = 2) const int PADDING = 1;
layout(constant_id = 3) const uint UPSAMPLE = 1;
layout(constant_id = 4) const bool BIAS = true;
layout(std430, binding = 0) writeonly buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer W { float w[]; }; // [co][ci][kh][kw]
layout(std430, binding = 3) readonly buffer B { float b[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, wt, bt;
    uint ci, hx, wx, co, hy, wy;
} p;

void main()
{
    const uint oy = gl_GlobalInvocationID.y, ox = gl_GlobalInvocationID.x * 4;
    const uint n = gl_WorkGroupID.z / p.co, o = gl_WorkGroupID.z % p.co;
    if (oy >= p.hy || ox >= p.wy) return;
    // The input as the convolution sees it, after the upsampling.
    const int height = int(p.hx * UPSAMPLE), width = int(p.wx * UPSAMPLE);
    vec4 sum = vec4(BIAS ? b[p.bt.offset + o] : 0.0);
    for (uint c = 0; c < p.ci; c++)
        for (uint ky = 0; ky < KERNEL; ky++) {
            const int iy = int(oy * STRIDE + ky) - PADDING;
            if (iy < 0 || iy >= height) continue;
            const uint row = at(p.xt, n, c, uint(iy) / UPSAMPLE, 0);
            for (uint kx = 0; kx < KERNEL; kx++) {
                const float weight = w[p.wt.offset + ((o * p.ci + c) * KERNEL + ky) * KERNEL + kx];
                for (uint i = 0; i < 4; i++) {
                    const int ix = int((ox + i) * STRIDE + kx) - PADDING;
                    if (ix >= 0 && ix < width) sum[i] += x[row + uint(ix) / UPSAMPLE] * weight;
                }
            }
        }
    sum = activate(sum);
    for (uint i = 0; i < 4; i++) y[at(p.yt, n, o, oy, ox + i)] = ox + i < p.wy ? sum[i] : 0.0;
}
