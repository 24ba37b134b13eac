#version 450
// The gradient of blur3 by its input: every output that read this pixel, directly or as a repeated edge,
// gives its gradient times the weight. An invocation makes 4 pixels of a row.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer DX { float dx[]; };
layout(std430, binding = 1) readonly buffer DY { float dy[]; };
layout(std430, binding = 2) readonly buffer K { float kernel[]; };
layout(push_constant) uniform Push {
    Tensor dxt, dyt, kt;
    uint c, h, w;
} p;

// The part that outputs of one row give to column x: `row` is that row's place, `k` that of three weights.
float gather(uint row, uint k, int x, int w)
{
    float sum = 0.0;
    for (int ox = max(x - 1, 0); ox <= min(x + 1, w - 1); ox++)
        for (int kx = 0; kx < 3; kx++)
            if (clamp(ox + kx - 1, 0, w - 1) == x) sum += dy[row + uint(ox)] * kernel[k + uint(kx)];
    return sum;
}

void main()
{
    const int y = int(gl_GlobalInvocationID.y), x = int(gl_GlobalInvocationID.x) * 4;
    const uint n = gl_WorkGroupID.z / p.c, c = gl_WorkGroupID.z % p.c;
    const int h = int(p.h), w = int(p.w);
    if (y >= h || x >= w) return;
    const uint k = p.kt.offset + n * p.kt.stride_n;
    for (int i = 0; i < 4; i++) {
        float sum = 0.0;
        for (int oy = max(y - 1, 0); oy <= min(y + 1, h - 1) && x + i < w; oy++)
            for (int ky = 0; ky < 3; ky++)
                if (clamp(oy + ky - 1, 0, h - 1) == y)
                    sum += gather(at(p.dyt, n, c, uint(oy), 0), k + 3 * uint(ky), x + i, w);
        const uint place = at(p.dxt, n, c, uint(y), uint(x + i));
        dx[place] = ADD ? dx[place] + sum : sum;
    }
}
