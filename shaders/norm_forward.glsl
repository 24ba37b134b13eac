// y = activation(gamma * (x - mean) / deviation + beta).
#include "norm.glsl"
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
QUADS(1, x);
layout(std430, binding = 2) readonly buffer K { vec4 table[]; }; // of norm_affine.comp
layout(push_constant) uniform Push {
    Tensor yt, xt, kt; // in quads
    Walk walk;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to = at(p.yt, n, c, 0, 0), from = at(p.xt, n, c, 0, 0), end = walk_end(walk);
    const vec4 k = table[at(p.kt, n / PICTURES, c, 0, 0)];
    const float mean = k.x, factor = k.y * k.z, beta = k.w;
    for (Place place = walk_start(walk); place.i < end; walk_step(walk, place)) {
        const vec4 value = activate((quad(x, from + place.i) - mean) * factor + beta);
        y[to + place.i] = without_padding(place, value, walk.w);
    }
}
