#version 450
// Adds partial results in their order, the second stage of a sum over many. An invocation makes 4 results.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer S { float s[]; };
layout(std430, binding = 1) readonly buffer P { vec4 part[]; };
layout(push_constant) uniform Push {
    Tensor st, pt; // pt in quads, a "picture" a part
    uint parts, count;
} p;

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    if (i * 4 >= p.count) return;
    vec4 sum = vec4(0.0);
    const uint parts = p.parts, stride = p.pt.stride_n;
    for (uint k = 0, place = p.pt.offset + i; k < parts; k++, place += stride) sum += part[place];
    const uint results = min(p.count - i * 4, 4u);
    for (uint k = 0; k < results; k++) {
        const uint place = p.st.offset + i * 4 + k;
        s[place] = ADD ? s[place] + sum[k] : sum[k];
    }
}
