#version 450
// Mean and biased variance of each channel over the pictures of one statistic, from its pieces' moments.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#include "moments.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ALONE = false; // so few pieces that an invocation takes all of a channel's
layout(std430, binding = 0) writeonly buffer S { float stats[]; };
layout(std430, binding = 1) readonly buffer P { vec4 parts[]; };
layout(push_constant) uniform Push {
    Tensor st, pt; // pt in quads
    uint pictures, pieces; // pictures of one statistic, pieces of a plane
    uint channels;
} p;
shared vec3 part[64];

void main()
{
    const uint lane = ALONE ? 0 : gl_LocalInvocationID.x, lanes = ALONE ? 1 : 64, g = gl_WorkGroupID.y;
    const uint c = ALONE ? gl_GlobalInvocationID.x : gl_WorkGroupID.x;
    if (ALONE && c >= p.channels) return;
    const uint pieces = p.pieces, count = p.pictures * pieces;
    // All means are taken from the first picture's first element on.
    const float first = parts[at(p.pt, g * p.pictures, c, 0, 0)].w;
    vec3 m = vec3(0.0);
    for (uint i = lane; i < count; i += lanes) {
        const vec4 other = parts[at(p.pt, g * p.pictures + i / pieces, c, i % pieces, 0)];
        m = merge(m, vec3(other.x, other.y + (other.w - first), other.z));
    }
    if (!ALONE) {
        part[lane] = m;
        for (uint half_count = 32; half_count > 0; half_count /= 2) {
            barrier();
            if (lane < half_count) part[lane] = merge(part[lane], part[lane + half_count]);
        }
        m = part[0];
    }
    if (lane == 0) {
        const uint place = at(p.st, g, c, 0, 0);
        stats[place] = first + m.y;
        stats[place + 1] = m.z / m.x;
    }
}
