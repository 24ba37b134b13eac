// Sums over a group's part of a plane of g and of g times the normalized x, g being the gradient by what the
// activation took. Padding adds nothing: dy is zero there.
#include "norm.glsl"
layout(std430, binding = 0) writeonly buffer P { vec4 parts[]; }; // [n][c][group]
QUADS(1, x);
QUADS(2, dy);
layout(std430, binding = 3) readonly buffer K { vec4 table[]; }; // of norm_affine.comp
layout(push_constant) uniform Push {
    Tensor pt, xt, dyt, kt; // in quads
    Walk walk;
} p;
shared vec2 part[LANES];

void main()
{
    const uint lane = gl_LocalInvocationID.x, c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint from = at(p.xt, n, c, 0, 0), above = at(p.dyt, n, c, 0, 0), end = walk_end(walk);
    const vec4 k = table[at(p.kt, n / PICTURES, c, 0, 0)];
    vec4 sum = vec4(0.0), product = vec4(0.0);
    for (Place place = walk_start(walk); place.i < end; walk_step(walk, place)) {
        const vec4 normal = (quad(x, from + place.i) - k.x) * k.y;
        const vec4 g = activation_grad(normal * k.z + k.w, quad(dy, above + place.i));
        sum += g;
        product += g * normal;
    }
    part[lane] = vec2(total(sum), total(product));
    for (uint half_count = LANES / 2; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) part[lane] += part[lane + half_count];
    }
    if (lane == 0) parts[at(p.pt, n, c, gl_WorkGroupID.x, 0)] = vec4(part[0], 0.0, 0.0);
}
