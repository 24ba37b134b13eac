#version 450
// y = activation(gamma * (x - mean) / deviation + beta).
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "norm.glsl"
layout(constant_id = 3) const bool PER_PICTURE = false;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer K { vec4 table[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, kt;
    Pieces cut;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z, row = p.cut.row;
    const uint begin = gl_WorkGroupID.x * p.cut.piece, end = min(begin + p.cut.piece, p.cut.quads);
    const uint to = at(p.yt, n, c, 0, 0) / 4, from = at(p.xt, n, c, 0, 0) / 4;
    const vec4 k = table[at(p.kt, PER_PICTURE ? n : 0, c, 0, 0) / 4];
    const float mean = k.x, factor = k.y * k.z, beta = k.w;
    for (uint i = begin + gl_LocalInvocationID.x; i < end; i += LANES)
        y[to + i] = without_padding(activate((x[from + i] - mean) * factor + beta), used(i, row));
}
