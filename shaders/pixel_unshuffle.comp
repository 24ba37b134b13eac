#version 450
// Blocks of factor x factor pixels to channels, or, for the gradient, channels back to pixels. An invocation
// makes 4 columns of a row.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt;
    uint c, h, w; // of y
    uint factor, to_pixels;
} p;

void main()
{
    const uint column = gl_GlobalInvocationID.x * 4, row = gl_GlobalInvocationID.y;
    const uint n = gl_WorkGroupID.z / p.c, c = gl_WorkGroupID.z % p.c, f = p.factor;
    if (column >= p.w || row >= p.h) return;
    const bool to_pixels = p.to_pixels != 0;
    // Where the row's first element comes from.
    const uint from = to_pixels ? at(p.xt, n, (c * f + row % f) * f, row / f, 0)
                                : at(p.xt, n, c / (f * f), row * f + c / f % f, c % f);
    const uint last = min(column + 4, p.w);
    vec4 v = vec4(0.0);
    for (uint k = column; k < last; k++)
        v[k - column] = x[from + (to_pixels ? k % f * p.xt.plane + k / f : k * f)];
    const uint place = at(p.yt, n, c, row, column) / 4;
    y[place] = ADD ? y[place] + v : v;
}
