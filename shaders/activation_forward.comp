#version 450
// y = activation(x), over a picture as one run of quadruples of floats: padding is zero and stays so.
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt;
    uint quads, piece; // quadruples of a picture, of a workgroup
} p;

void main()
{
    const uint begin = gl_WorkGroupID.x * p.piece, end = min(begin + p.piece, p.quads);
    const uint to = at(p.yt, gl_WorkGroupID.y, 0, 0, 0) / 4, from = at(p.xt, gl_WorkGroupID.y, 0, 0, 0) / 4;
    for (uint i = begin + gl_LocalInvocationID.x; i < end; i += 64) y[to + i] = activate(x[from + i]);
}
