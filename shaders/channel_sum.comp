#version 450
// The sum of each channel over pictures and pixels (the gradient of a bias): a workgroup a channel, in a
// fixed order.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer S { float s[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(push_constant) uniform Push {
    Tensor st, xt;
    uint n, rows4; // rows4: quadruples of floats in a plane, padding (zeros) included
} p;
shared float part[64];

void main()
{
    const uint lane = gl_LocalInvocationID.x, c = gl_WorkGroupID.x;
    const uint count = p.rows4;
    vec4 sum = vec4(0.0);
    for (uint n = 0; n < p.n; n++) {
        const uint start = (p.xt.offset + n * p.xt.stride_n + c * p.xt.plane) / 4;
        for (uint i = lane; i < count; i += 64) sum += x[start + i];
    }
    part[lane] = (sum.x + sum.y) + (sum.z + sum.w);
    for (uint half_count = 32; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) part[lane] += part[lane + half_count];
    }
    if (lane == 0) s[p.st.offset + c] = ADD ? s[p.st.offset + c] + part[0] : part[0];
}
