#version 450
// Sums over a piece of a plane of g and of g times the normalized x, g being the gradient by what the
// activation took. Padding adds nothing: dy is zero there.
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "norm.glsl"
layout(constant_id = 3) const bool PER_PICTURE = false;
layout(std430, binding = 0) writeonly buffer P { vec2 parts[]; }; // [n][c][piece]
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer DY { vec4 dy[]; };
layout(std430, binding = 3) readonly buffer K { vec4 table[]; };
layout(push_constant) uniform Push {
    Tensor pt, xt, dyt, kt;
    Pieces cut;
} p;
shared vec2 part[LANES];

void main()
{
    const uint lane = gl_LocalInvocationID.x, piece = gl_WorkGroupID.x, c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const uint begin = piece * p.cut.piece, end = min(begin + p.cut.piece, p.cut.quads);
    const uint from = at(p.xt, n, c, 0, 0) / 4, above = at(p.dyt, n, c, 0, 0) / 4;
    const vec4 k = table[at(p.kt, PER_PICTURE ? n : 0, c, 0, 0) / 4];
    vec4 sum = vec4(0.0), product = vec4(0.0);
    for (uint i = begin + lane; i < end; i += LANES) {
        const vec4 normal = (x[from + i] - k.x) * k.y, g = activation_grad(normal * k.z + k.w, dy[above + i]);
        sum += g;
        product += g * normal;
    }
    part[lane] = vec2(total(sum), total(product));
    for (uint half_count = LANES / 2; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) part[lane] += part[lane + half_count];
    }
    if (lane == 0) parts[at(p.pt, n, c, piece, 0) / 2] = part[0];
}
