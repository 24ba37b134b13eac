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

// Where the element of y comes from.
uint source(uint n, uint c, uint row, uint column)
{
    const uint f = p.factor;
    if (p.to_pixels != 0) return at(p.xt, n, (c * f + row % f) * f + column % f, row / f, column / f);
    return at(p.xt, n, c / f / f, row * f + c / f % f, column * f + c % f);
}

void main()
{
    const uint column = gl_GlobalInvocationID.x * 4, row = gl_GlobalInvocationID.y;
    const uint n = gl_WorkGroupID.z / p.c, c = gl_WorkGroupID.z % p.c;
    if (column >= p.w || row >= p.h) return;
    vec4 v = vec4(0.0);
    for (uint i = 0; i < 4; i++)
        if (column + i < p.w) v[i] = x[source(n, c, row, column + i)];
    const uint place = at(p.yt, n, c, row, column) / 4;
    y[place] = ADD ? y[place] + v : v;
}
