// dx = gamma / deviation * (g - mean of g - normalized x * mean of g times normalized x), the means being
// zero where the statistics do not depend on x.
#include "norm_gradient.glsl"
layout(constant_id = 8) const bool ADD = false;

void main()
{
    const uint c = norm_channel(), n = gl_WorkGroupID.z;
    if (ALONE && c >= p.channels) return;
    const Walk walk = p.walk;
    const uint to = at(p.rt, n, c, 0, 0), from = at(p.xt, n, c, 0, 0), above = at(p.dyt, n, c, 0, 0);
    const uint entry = at(p.kt, n / PICTURES, c, 0, 0), end = norm_end(walk);
    const vec4 k = table[entry], means = table[entry + 1];
    const uint pooled = pooled_plane();
    const float factor = k.y * k.z;
    for (Place place = norm_start(walk); place.i < end; walk_step(walk, place)) {
        const vec4 normal = (quad(x, from + place.i) - k.x) * k.y;
        const vec4 g = activation_grad(normal * k.z + k.w, gradient_at(place, above, pooled));
        const vec4 dx = without_padding(place.x, (g - means.x - normal * means.y) * factor, walk.w);
        result[to + place.i] = ADD ? result[to + place.i] + dx : dx;
    }
}
