#version 450
// dx = dy * activation'(x), the derivative found from y; over a picture as one run of quadruples of floats.
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 2) const bool ADD = false;
layout(std430, binding = 0) buffer DX { vec4 dx[]; };
layout(std430, binding = 1) readonly buffer Y { vec4 y[]; };
layout(std430, binding = 2) readonly buffer DY { vec4 dy[]; };
layout(push_constant) uniform Push {
    Tensor dxt, yt, dyt;
    uint quads, piece; // quadruples of a picture, of a workgroup
} p;

void main()
{
    const uint begin = gl_WorkGroupID.x * p.piece, end = min(begin + p.piece, p.quads), n = gl_WorkGroupID.y;
    const uint to = at(p.dxt, n, 0, 0, 0) / 4, from = at(p.yt, n, 0, 0, 0) / 4, above = at(p.dyt, n, 0, 0, 0) / 4;
    for (uint i = begin + gl_LocalInvocationID.x; i < end; i += 64) {
        const vec4 gradient = activation_grad(y[from + i], dy[above + i]);
        dx[to + i] = ADD ? dx[to + i] + gradient : gradient;
    }
}
