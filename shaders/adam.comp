#version 450
// One step of Adam, in place: engine/ops/adam.c has the formula.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) buffer P { float p[]; };
layout(std430, binding = 1) readonly buffer G { float g[]; };
layout(std430, binding = 2) buffer State { float state[]; }; // m, v of each element
layout(std430, binding = 3) readonly buffer Hyper { float hyper[]; };
layout(push_constant) uniform Push {
    Tensor pt, gt, statet, hypert;
    uint count, step; // elements; invocations that share them
} push;

void main()
{
    const uint count = push.count, step = push.step, h = push.hypert.offset;
    const uint at_p = push.pt.offset, at_g = push.gt.offset, at_state = push.statet.offset;
    const float step_size = hyper[h], root = hyper[h + 1], beta1 = hyper[h + 2], beta2 = hyper[h + 3];
    const float eps = hyper[h + 4], rest1 = hyper[h + 5], rest2 = hyper[h + 6];
    for (uint i = gl_GlobalInvocationID.x; i < count; i += step) {
        const float gradient = g[at_g + i];
        const uint pair = at_state + 2 * i;
        const float m = beta1 * state[pair] + rest1 * gradient;
        const float v = beta2 * state[pair + 1] + rest2 * (gradient * gradient);
        state[pair] = m;
        state[pair + 1] = v;
        p[at_p + i] -= step_size * (m / (sqrt(v) / root + eps));
    }
}
