#version 450
// dx = gamma / deviation * (g - mean of g - normalized x * mean of g times normalized x), the means being
// zero where the statistics do not depend on x.
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "norm.glsl"
layout(constant_id = 3) const bool PER_PICTURE = false;
layout(constant_id = 4) const bool ADD = false;
layout(std430, binding = 0) buffer DX { vec4 dx[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer DY { vec4 dy[]; };
layout(std430, binding = 3) readonly buffer K { vec4 table[]; };
layout(push_constant) uniform Push {
    Tensor dxt, xt, dyt, kt;
    Pieces cut;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z, row = p.cut.row;
    const uint begin = gl_WorkGroupID.x * p.cut.piece, end = min(begin + p.cut.piece, p.cut.quads);
    const uint to = at(p.dxt, n, c, 0, 0) / 4, from = at(p.xt, n, c, 0, 0) / 4, above = at(p.dyt, n, c, 0, 0) / 4;
    const uint entry = at(p.kt, PER_PICTURE ? n : 0, c, 0, 0) / 4;
    const vec4 k = table[entry], means = table[entry + 1];
    const float factor = k.y * k.z;
    for (uint i = begin + gl_LocalInvocationID.x; i < end; i += LANES) {
        const vec4 normal = (x[from + i] - k.x) * k.y, g = activation_grad(normal * k.z + k.w, dy[above + i]);
        const vec4 gradient = without_padding((g - means.x - normal * means.y) * factor, used(i, row));
        dx[to + i] = ADD ? dx[to + i] + gradient : gradient;
    }
}
