#version 450
// Adds the partial results of a weight gradient in their order. An invocation makes 4 weights.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer DW { float dw[]; };
layout(std430, binding = 1) readonly buffer P { vec4 part[]; };
layout(push_constant) uniform Push {
    Tensor dwt, pt; // pt in quads
    uint parts, weights;
} p;

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    if (i * 4 >= p.weights) return;
    vec4 sum = vec4(0.0);
    const uint parts = p.parts, stride = p.pt.stride_n;
    for (uint k = 0, place = p.pt.offset + i; k < parts; k++, place += stride) sum += part[place];
    const uint count = min(p.weights - i * 4, 4u);
    for (uint k = 0; k < count; k++) {
        const uint place = p.dwt.offset + i * 4 + k;
        dw[place] = ADD ? dw[place] + sum[k] : sum[k];
    }
}
