// The moments of a group's part of a plane, taken from the plane's first element on so that a large mean
// costs no digits.
#extension GL_EXT_control_flow_attributes : require
#include "moments.glsl"
#include "norm.glsl"
const uint BATCH = 8;
layout(std430, binding = 0) writeonly buffer P { vec4 parts[]; }; // moments, first element: [n][c][group]
QUADS(1, x);
layout(push_constant) uniform Push {
    Tensor pt, xt; // in quads
    Walk walk;
    uint h, channels;
} p;
shared vec3 part[LANES];

// Moments of the batch's quads from i on, a group's width apart: by two passes over registers.
vec3 batch_moments(uint i, float first)
{
    vec4 v[BATCH], sum = vec4(0.0), squares = vec4(0.0);
    [[unroll]] for (uint k = 0; k < BATCH; k++) v[k] = quad(x, i + k * LANES) - first;
    [[unroll]] for (uint k = 0; k < BATCH; k++) sum += v[k];
    const float mean = total(sum) / float(4 * BATCH);
    [[unroll]] for (uint k = 0; k < BATCH; k++) squares += (v[k] - mean) * (v[k] - mean);
    return vec3(float(4 * BATCH), mean, total(squares));
}

vec3 quad_moments(Place place, vec4 v, uint w)
{
    const float count = MASK ? float(min(w - 4 * place.x, 4)) : 4.0;
    const float mean = total(without_padding(place.x, v, w)) / count;
    const vec4 d = without_padding(place.x, v - mean, w);
    return vec3(count, mean, total(d * d));
}

void main()
{
    const uint lane = gl_LocalInvocationID.x, c = norm_channel(), n = gl_WorkGroupID.z;
    if (ALONE && c >= p.channels) return;
    const Walk walk = p.walk;
    const uint start = at(p.xt, n, c, 0, 0), end = norm_end(walk);
    const float first = quad(x, start).x;
    vec3 m = vec3(0.0);
    Place place = norm_start(walk);
    if (!MASK && !ALONE)
        for (; place.i + (BATCH - 1) * LANES < end; place.i += BATCH * LANES)
            m = merge(m, batch_moments(start + place.i, first));
    for (; place.i < end; walk_step(walk, place))
        m = merge(m, quad_moments(place, quad(x, start + place.i) - first, walk.w));
    if (!ALONE) {
        part[lane] = m;
        for (uint half_count = LANES / 2; half_count > 0; half_count /= 2) {
            barrier();
            if (lane < half_count) part[lane] = merge(part[lane], part[lane + half_count]);
        }
        m = part[0];
    }
    if (ALONE || lane == 0) parts[at(p.pt, n, c, gl_WorkGroupID.x, 0)] = vec4(m, first);
}
