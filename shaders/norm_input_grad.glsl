// dx = gamma / deviation * (g - mean of g - normalized x * mean of g times normalized x), the means being
// zero where the statistics do not depend on x.
#include "norm.glsl"
layout(constant_id = 4) const bool ADD = false;
layout(std430, binding = 0) buffer DX { vec4 dx[]; };
QUADS(1, x);
QUADS(2, dy);
layout(std430, binding = 3) readonly buffer K { vec4 table[]; }; // of norm_affine.comp
layout(push_constant) uniform Push {
    Tensor dxt, xt, dyt, kt; // in quads
    Walk walk;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to = at(p.dxt, n, c, 0, 0), from = at(p.xt, n, c, 0, 0), above = at(p.dyt, n, c, 0, 0);
    const uint entry = at(p.kt, n / PICTURES, c, 0, 0), end = walk_end(walk);
    const vec4 k = table[entry], means = table[entry + 1];
    const float factor = k.y * k.z;
    for (Place place = walk_start(walk); place.i < end; walk_step(walk, place)) {
        const vec4 normal = (quad(x, from + place.i) - k.x) * k.y;
        const vec4 g = activation_grad(normal * k.z + k.w, quad(dy, above + place.i));
        const vec4 gradient = without_padding(place, (g - means.x - normal * means.y) * factor, walk.w);
        dx[to + place.i] = ADD ? dx[to + place.i] + gradient : gradient;
    }
}
