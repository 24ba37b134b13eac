#version 450
// The first step of an elementwise loss: a group sums the loss over its part of a plane. RECT: only over each
// picture's rectangle.
#extension GL_GOOGLE_include_directive : require
#include "group_sum.glsl"
#include "loss.glsl"
layout(constant_id = 2) const bool RECT = false;
layout(std430, binding = 0) writeonly buffer R { float partial[]; };
layout(std430, binding = 3) readonly buffer E { float rect[]; }; // x0, y0, x1, y1 a picture, half-open

// log(1 + e) for e in 0..1 from the series of the inverse hyperbolic tangent, 2 atanh(e / (2 + e)): the
// built-in logarithm of 1 + e loses what a small e says, and Vulkan asks only 2^-21 of it there.
vec4 log1p(vec4 e)
{
    const vec4 z = e / (2.0 + e), q = z * z;
    vec4 sum = vec4(1.0 / 13.0);
    for (int i = 11; i > 0; i -= 2) sum = 1.0 / float(i) + q * sum;
    return 2.0 * z * sum;
}

// By comparison, because max() may lose a NaN, and a loss must show it.
vec4 relu(vec4 v) { return mix(v, vec4(0.0), lessThanEqual(v, vec4(0.0))); }

vec4 loss(vec4 x, vec4 y, float target)
{
    if (KIND == L1) return abs(x - y);
    if (KIND == SQUARED) {
        const vec4 d = (clamp(x, 0.0, 1.0) - clamp(y, 0.0, 1.0)) * 255.0;
        return d * d;
    }
    if (KIND == BCE) return relu(x) - x * target + log1p(exp(-abs(x)));
    if (KIND == MINUS) return -x;
    return relu(1.0 + target * x);
}

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const float target = p.target;
    const uint a_start = at(p.at, n, c, 0, 0) / 4, b_start = at(p.bt, n, c, 0, 0) / 4;
    float x0 = 0.0, y0 = 0.0, x1 = float(walk.w), y1 = 0.0;
    if (RECT) {
        const uint e = p.et.offset + n * p.et.stride_n;
        x0 = rect[e], y0 = rect[e + 1], x1 = rect[e + 2], y1 = rect[e + 3];
    }
    vec4 sum = vec4(0.0);
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        if (RECT && !(float(place.y) >= y0 && float(place.y) < y1)) continue;
        const vec4 v = loss(a[a_start + place.i], BINARY ? b[b_start + place.i] : vec4(0.0), target);
        sum += MASK ? walk_keep(place, v, x0, x1) : v;
    }
    const float total = group_sum((sum.x + sum.y) + (sum.z + sum.w));
    if (gl_LocalInvocationID.x == 0) partial[at(p.rt, n, c, 0, gl_WorkGroupID.x)] = total;
}
