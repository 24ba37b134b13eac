#version 450
// The moments of a piece of a plane, around the plane's first element so that a large mean costs no digits.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "norm.glsl"
#include "moments.glsl"
const uint BATCH = 8;
layout(std430, binding = 0) writeonly buffer P { vec4 parts[]; }; // moments, first element: [n][c][piece]
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(push_constant) uniform Push {
    Tensor pt, xt;
    Pieces cut;
} p;
shared vec3 part[LANES];

// Moments of the batch's quadruples from i on, a group's width apart: twice over registers.
vec3 batch_moments(uint i, float first)
{
    vec4 v[BATCH], sum = vec4(0.0), squares = vec4(0.0);
    [[unroll]] for (uint k = 0; k < BATCH; k++) v[k] = x[i + k * LANES] - first;
    [[unroll]] for (uint k = 0; k < BATCH; k++) sum += v[k];
    const float mean = total(sum) / float(4 * BATCH);
    [[unroll]] for (uint k = 0; k < BATCH; k++) squares += (v[k] - mean) * (v[k] - mean);
    return vec3(float(4 * BATCH), mean, total(squares));
}

vec3 quad_moments(uint i, uint count, float first)
{
    const vec4 v = without_padding(x[i] - first, count);
    const float mean = total(v) / float(count);
    const vec4 d = without_padding(v - mean, count);
    return vec3(float(count), mean, total(d * d));
}

void main()
{
    const uint lane = gl_LocalInvocationID.x, piece = gl_WorkGroupID.x, c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const uint begin = piece * p.cut.piece, end = min(begin + p.cut.piece, p.cut.quads), row = p.cut.row;
    const uint plane = at(p.xt, n, c, 0, 0) / 4;
    const float first = x[plane].x;
    vec3 m = vec3(0.0);
    uint i = begin + lane;
    if (TAIL == 0)
        for (; i + (BATCH - 1) * LANES < end; i += BATCH * LANES) m = merge(m, batch_moments(plane + i, first));
    for (; i < end; i += LANES) m = merge(m, quad_moments(plane + i, used(i, row), first));
    part[lane] = m;
    for (uint half_count = LANES / 2; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) part[lane] = merge(part[lane], part[lane + half_count]);
    }
    if (lane == 0) parts[at(p.pt, n, c, piece, 0) / 4] = vec4(part[0], first);
}
