// The first stage of the sum of each channel over pictures and pixels (the gradient of a bias): a workgroup
// makes a partial result of one slice of a plane, in a fixed order.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ALONE = false; // each invocation takes a small plane, not a group a slice
layout(std430, binding = 0) writeonly buffer P { float part[]; };
QUADS(1, x);
layout(push_constant) uniform Push {
    Tensor pt, xt; // xt in quads
    uint slice;    // quads of a plane a group, padding (zeros) included
    uint first;    // partial result of the dispatch's first picture and slice
    uint slices;   // of a plane
    uint channels;
} p;
shared float sums[64];

// A plane of a few quads by one invocation: a group for each would do little but start.
void sum_alone(uint c, uint n)
{
    const uint plane = p.xt.offset + n * p.xt.stride_n + c * p.xt.plane;
    vec4 sum = vec4(0.0);
    for (uint i = 0; i < p.xt.plane; i++) sum += quad(x, plane + i);
    part[p.pt.offset + (p.first + n) * p.pt.stride_n + c] = (sum.x + sum.y) + (sum.z + sum.w);
}

void main()
{
    if (ALONE) {
        const uint own = gl_WorkGroupID.x * 64 + gl_LocalInvocationID.x;
        if (own < p.channels) sum_alone(own, gl_WorkGroupID.z);
        return;
    }
    const uint lane = gl_LocalInvocationID.x, c = gl_WorkGroupID.x, n = gl_WorkGroupID.z;
    const uint plane = p.xt.offset + n * p.xt.stride_n + c * p.xt.plane;
    const uint begin = gl_WorkGroupID.y * p.slice, end = min(begin + p.slice, p.xt.plane);
    vec4 sum[4] = vec4[](vec4(0.0), vec4(0.0), vec4(0.0), vec4(0.0));
    uint i = begin + lane;
    for (; i + 192 < end; i += 256) {
        sum[0] += quad(x, plane + i);
        sum[1] += quad(x, plane + i + 64);
        sum[2] += quad(x, plane + i + 128);
        sum[3] += quad(x, plane + i + 192);
    }
    for (; i < end; i += 64) sum[0] += quad(x, plane + i);
    const vec4 total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    sums[lane] = (total.x + total.y) + (total.z + total.w);
    for (uint half_count = 32; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) sums[lane] += sums[lane + half_count];
    }
    const uint result = p.first + n * p.slices + gl_WorkGroupID.y;
    if (lane == 0) part[p.pt.offset + result * p.pt.stride_n + c] = sums[0];
}
