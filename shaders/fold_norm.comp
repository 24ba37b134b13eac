#version 450
// A convolution's weights, or its bias, with the norm that follows folded in. See engine/ops/fold_norm.c.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool BIAS = false;
layout(std430, binding = 0) writeonly buffer To { float to[]; };
layout(std430, binding = 1) readonly buffer From { float from[]; };
layout(std430, binding = 2) readonly buffer K { vec4 table[]; }; // of norm_affine.comp
layout(push_constant) uniform Push {
    Tensor to_at, from_at, kt; // kt in quads
    uint each, step;           // values of a channel; invocations for a channel
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, each = p.each, step = p.step;
    const uint first_to = p.to_at.offset + c * each, first_from = p.from_at.offset + c * each;
    const vec4 k = table[at(p.kt, 0, c, 0, 0)];
    const float factor = k.y * k.z;
    for (uint i = gl_GlobalInvocationID.x; i < each; i += step) {
        const float value = from[first_from + i];
        to[first_to + i] = BIAS ? (value - k.x) * factor + k.w : value * factor;
    }
}
