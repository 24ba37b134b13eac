#version 450
// The second step of a sum: a group adds the partial sums of one row, in a fixed order, and scales the
// result.
#extension GL_GOOGLE_include_directive : require
#include "group_sum.glsl"
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer S { float s[]; };
layout(std430, binding = 1) readonly buffer P { float part[]; };
layout(push_constant) uniform Push {
    Tensor st, pt;
    uint count;
    float scale;
} p;

void main()
{
    const uint row = gl_WorkGroupID.x, count = p.count, start = p.pt.offset + row * p.pt.stride_n;
    float sum = 0.0;
    for (uint i = gl_LocalInvocationID.x; i < count; i += 64) sum += part[start + i];
    sum = group_sum(sum);
    if (gl_LocalInvocationID.x == 0) s[p.st.offset + row * p.st.stride_n] = sum * p.scale;
}
