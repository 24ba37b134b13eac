#version 450
// Adds the partial results of conv2d_weight_grad_phases in their order and puts the weights together: T of
// the rows belongs to all three rows of weights, F to the first, L to the last. An invocation makes a column
// of three weights.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer DW { float dw[]; };
layout(std430, binding = 1) readonly buffer P { float parts[]; }; // [part][axis][co * ci][3]
layout(push_constant) uniform Push {
    Tensor dwt, pt; // pt: "pictures" are partial results, "channels" are axes
    uint count, pairs;
} p;

void main()
{
    // Which column of the weights of which pair of channels.
    const uint i = gl_GlobalInvocationID.x, count = p.count, plane = p.pt.plane, stride = p.pt.stride_n;
    if (i >= p.pairs * 3) return;
    float first = 0.0, all = 0.0, last = 0.0;
    for (uint k = 0, place = p.pt.offset + i; k < count; k++, place += stride) {
        first += parts[place];
        all += parts[place + plane];
        last += parts[place + 2 * plane];
    }
    const uint weight = p.dwt.offset + i / 3 * 9 + i % 3;
    const float rows[3] = float[](all + first, all, all + last);
    for (uint k = 0; k < 3; k++) dw[weight + 3 * k] = ADD ? dw[weight + 3 * k] + rows[k] : rows[k];
}
