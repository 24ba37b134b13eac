#version 450
// Each output pixel from two rows and two columns of the input, as the tables say. An invocation makes 4
// columns of 4 rows, so that the columns' part of the tables is read once for four rows.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer R { float rows[]; }; // triples: two indices, or -1, and a weight
layout(std430, binding = 3) readonly buffer C { float cols[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, rt, ct;
    uint c, hx, wx, hy, wy;
} p;

struct Tap {
    uint i0, i1;
    float w0, w1;
};

// Index -1 becomes weight 0. No table makes the shader read outside the plane.
Tap tap(float i0, float i1, float w, uint size)
{
    const uint last = size - 1;
    return Tap(min(uint(max(i0, 0.0)), last), min(uint(max(i1, 0.0)), last), i0 < 0.0 ? 0.0 : 1.0 - w,
               i1 < 0.0 ? 0.0 : w);
}

void main()
{
    const uint ox = gl_GlobalInvocationID.x * 4, first = gl_GlobalInvocationID.y * 4;
    const uint n = gl_WorkGroupID.z / p.c, c = gl_WorkGroupID.z % p.c;
    const uint hx = p.hx, wx = p.wx, hy = p.hy, wy = p.wy, xpitch = p.xt.pitch;
    if (ox >= wy || first >= hy) return;
    const uint plane = at(p.xt, n, c, 0, 0);
    Tap col[4];
    for (uint i = 0; i < 4; i++) {
        const uint place = p.ct.offset + 3 * min(ox + i, wy - 1);
        col[i] = tap(cols[place], cols[place + 1], cols[place + 2], wx);
    }
    const uint end = min(first + 4, hy);
    for (uint oy = first; oy < end; oy++) {
        const uint place = p.rt.offset + 3 * oy;
        const Tap row = tap(rows[place], rows[place + 1], rows[place + 2], hx);
        const uint top = plane + row.i0 * xpitch, bottom = plane + row.i1 * xpitch;
        vec4 sum;
        for (uint i = 0; i < 4; i++) {
            const float above = col[i].w0 * x[top + col[i].i0] + col[i].w1 * x[top + col[i].i1];
            const float below = col[i].w0 * x[bottom + col[i].i0] + col[i].w1 * x[bottom + col[i].i1];
            sum[i] = ox + i < wy ? row.w0 * above + row.w1 * below : 0.0;
        }
        y[at(p.yt, n, c, oy, ox) / 4] = sum;
    }
}
