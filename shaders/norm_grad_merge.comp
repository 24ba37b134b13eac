#version 450
// From the pieces' sums: the gradients of beta and gamma, and, for statistics of the batch itself, the
// means over each statistic's elements that the gradient of x needs.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool TRAINING = true;
layout(constant_id = 1) const bool WANT_GAMMA = true;
layout(constant_id = 2) const bool ADD_GAMMA = false;
layout(constant_id = 3) const bool WANT_BETA = true;
layout(constant_id = 4) const bool ADD_BETA = false;
// There are so few pieces that an invocation takes all that it needs: a statistic's or, where the parameters'
// gradients are wanted, a channel's.
layout(constant_id = 5) const bool ALONE = false;
layout(std430, binding = 0) writeonly buffer K { vec4 table[]; };
layout(std430, binding = 1) readonly buffer P { vec4 parts[]; };
layout(std430, binding = 2) buffer DG { float dgamma[]; };
layout(std430, binding = 3) buffer DB { float dbeta[]; };
layout(push_constant) uniform Push {
    Tensor kt, pt, dgt, dbt; // kt, pt in quads
    uint statistics, pictures, pieces; // statistics of a channel, pictures of one, pieces of a plane
    float count;                       // elements of one
    uint channels;
} p;
shared vec2 part[64];

vec2 sum_of_alone(uint g, uint c)
{
    vec2 sum = vec2(0.0);
    for (uint i = 0; i < p.pictures; i++)
        for (uint k = 0; k < p.pieces; k++) sum += parts[at(p.pt, g * p.pictures + i, c, k, 0)].xy;
    return sum;
}

// The sum over the pieces of statistic g for lane 0, nothing for the others.
vec2 sum_of(uint g, uint c, uint lane)
{
    const uint pieces = p.pieces, count = p.pictures * pieces;
    vec2 sum = vec2(0.0);
    for (uint i = lane; i < count; i += 64)
        sum += parts[at(p.pt, g * p.pictures + i / pieces, c, i % pieces, 0)].xy;
    barrier();
    part[lane] = sum;
    for (uint half_count = 32; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) part[lane] += part[lane + half_count];
    }
    return lane == 0 ? part[0] : vec2(0.0);
}

void main()
{
    const uint lane = ALONE ? 0 : gl_LocalInvocationID.x;
    const uint c = ALONE ? gl_GlobalInvocationID.x : gl_WorkGroupID.x;
    if (ALONE && c >= p.channels) return;
    const bool apart = ALONE && !WANT_GAMMA && !WANT_BETA;
    const uint first = apart ? gl_WorkGroupID.y : 0, end = apart ? first + 1 : p.statistics;
    vec2 all = vec2(0.0);
    for (uint g = first; g < end; g++) {
        vec2 sum;
        if (ALONE) sum = sum_of_alone(g, c);
        else sum = sum_of(g, c, lane);
        if (TRAINING && lane == 0) table[at(p.kt, g, c, 0, 0) + 1] = vec4(sum / p.count, 0.0, 0.0);
        all += sum;
    }
    if (lane != 0) return;
    if (WANT_BETA) dbeta[p.dbt.offset + c] = all.x + (ADD_BETA ? dbeta[p.dbt.offset + c] : 0.0);
    if (WANT_GAMMA) dgamma[p.dgt.offset + c] = all.y + (ADD_GAMMA ? dgamma[p.dgt.offset + c] : 0.0);
}
