#version 450
// The gradient of a convolution by its input, by the definition: every output that read this input gives
// its gradient times the weight between them. An invocation makes 4 inputs of a row.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const uint KERNEL = 3;
layout(constant_id = 1) const int STRIDE = 1;
layout(constant_id = 2) const int PADDING = 1;
layout(constant_id = 3) const uint UPSAMPLE = 1;
layout(constant_id = 4) const bool ADD = false;
layout(std430, binding = 0) buffer DX { float dx[]; };
layout(std430, binding = 1) readonly buffer DY { float dy[]; };
layout(std430, binding = 2) readonly buffer W { float w[]; }; // [co][ci][kh][kw]
layout(push_constant) uniform Push {
    Tensor dxt, dyt, wt;
    uint ci, hx, wx, co, hy, wy;
} p;

// The sum over outputs for position (iy, ix) of the input as the convolution sees it.
float gather(uint n, uint c, int iy, int ix)
{
    float sum = 0.0;
    for (uint o = 0; o < p.co; o++)
        for (int ky = 0; ky < int(KERNEL); ky++) {
            const int ty = iy + PADDING - ky;
            if (ty < 0 || ty % STRIDE != 0 || ty / STRIDE >= int(p.hy)) continue;
            for (int kx = 0; kx < int(KERNEL); kx++) {
                const int tx = ix + PADDING - kx;
                if (tx < 0 || tx % STRIDE != 0 || tx / STRIDE >= int(p.wy)) continue;
                sum += dy[at(p.dyt, n, o, uint(ty / STRIDE), uint(tx / STRIDE))] *
                       w[p.wt.offset + ((o * p.ci + c) * KERNEL + uint(ky)) * KERNEL + uint(kx)];
            }
        }
    return sum;
}

void main()
{
    const uint y = gl_GlobalInvocationID.y, x = gl_GlobalInvocationID.x * 4;
    const uint n = gl_WorkGroupID.z / p.ci, c = gl_WorkGroupID.z % p.ci;
    if (y >= p.hx || x >= p.wx) return;
    for (uint i = 0; i < 4; i++) {
        const uint place = at(p.dxt, n, c, y, x + i);
        if (x + i >= p.wx) {
            dx[place] = 0.0;
            continue;
        }
        float sum = 0.0;
        for (uint uy = 0; uy < UPSAMPLE; uy++)
            for (uint ux = 0; ux < UPSAMPLE; ux++)
                sum += gather(n, c, int(y * UPSAMPLE + uy), int((x + i) * UPSAMPLE + ux));
        dx[place] = ADD ? dx[place] + sum : sum;
    }
}
