// Sums over a group's part of a plane of g and of g times the normalized x, g being the gradient by what the
// activation took. Padding adds nothing: dy is zero there.
#include "norm_gradient.glsl"
shared vec2 part[LANES];

void main()
{
    const uint lane = gl_LocalInvocationID.x, c = norm_channel(), n = gl_WorkGroupID.z;
    if (ALONE && c >= p.channels) return;
    const Walk walk = p.walk;
    const uint from = at(p.xt, n, c, 0, 0), above = at(p.dyt, n, c, 0, 0), end = norm_end(walk);
    const vec4 k = table[at(p.kt, n / PICTURES, c, 0, 0)];
    const uint pooled = pooled_plane();
    vec4 sum = vec4(0.0), product = vec4(0.0);
    for (Place place = norm_start(walk); place.i < end; walk_step(walk, place)) {
        const vec4 normal = (quad(x, from + place.i) - k.x) * k.y;
        const vec4 g = activation_grad(normal * k.z + k.w, gradient_at(place, above, pooled));
        sum += g;
        product += g * normal;
    }
    vec2 sums = vec2(total(sum), total(product));
    if (!ALONE) {
        part[lane] = sums;
        for (uint half_count = LANES / 2; half_count > 0; half_count /= 2) {
            barrier();
            if (lane < half_count) part[lane] += part[lane + half_count];
        }
        sums = part[0];
    }
    // [n][c][group]
    if (ALONE || lane == 0) result[at(p.rt, n, c, gl_WorkGroupID.x, 0)] = vec4(sums, 0.0, 0.0);
}
