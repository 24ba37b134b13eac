#version 450
// One step of Adam, in place: engine/ops/adam.c has the formula. Four elements at a time where the layout
// allows, one at a time for what is left. A number that is not finite any more rings hyper's alarm.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) buffer P4 { vec4 p4[]; };
layout(std430, binding = 0) buffer P { float p[]; };
layout(std430, binding = 1) readonly buffer G4 { vec4 g4[]; };
layout(std430, binding = 1) readonly buffer G { float g[]; };
layout(std430, binding = 2) buffer State4 { vec4 state4[]; }; // m, v, m, v of two elements
layout(std430, binding = 2) buffer State { float state[]; };
layout(std430, binding = 3) buffer Hyper { float hyper[]; };
layout(std430, binding = 3) buffer Alarm { uint alarm[]; };
layout(push_constant) uniform Push {
    Tensor pt, gt, statet, hypert;
    uint quads, count, step; // whole quadruples; elements; invocations that share them
} push;

void main()
{
    const uint quads = push.quads, count = push.count, step = push.step, h = push.hypert.offset;
    const uint at_p = push.pt.offset, at_g = push.gt.offset, at_state = push.statet.offset;
    const float step_size = hyper[h], root = hyper[h + 1], beta1 = hyper[h + 2], beta2 = hyper[h + 3];
    const float eps = hyper[h + 4], rest1 = hyper[h + 5], rest2 = hyper[h + 6], decay = hyper[h + 7];
    float all = 0.0; // of magnitudes: finite while they are
    for (uint i = gl_GlobalInvocationID.x; i < quads; i += step) {
        const uint pair = at_state / 4 + 2 * i;
        const vec4 gradient = g4[at_g / 4 + i], a = state4[pair], b = state4[pair + 1];
        const vec4 m = beta1 * vec4(a.xz, b.xz) + rest1 * gradient;
        const vec4 v = beta2 * vec4(a.yw, b.yw) + rest2 * (gradient * gradient);
        state4[pair] = vec4(m.x, v.x, m.y, v.y);
        state4[pair + 1] = vec4(m.z, v.z, m.w, v.w);
        vec4 value = p4[at_p / 4 + i];
        if (decay != 0.0) value -= decay * value; // 1 - decay would round most of a small decay away
        value -= step_size * (m / (sqrt(v) / root + eps));
        p4[at_p / 4 + i] = value;
        all += dot(abs(value) + v, vec4(1.0));
    }
    for (uint i = quads * 4 + gl_GlobalInvocationID.x; i < count; i += step) {
        const uint pair = at_state + 2 * i;
        const float gradient = g[at_g + i];
        const float m = beta1 * state[pair] + rest1 * gradient;
        const float v = beta2 * state[pair + 1] + rest2 * (gradient * gradient);
        state[pair] = m;
        state[pair + 1] = v;
        float value = p[at_p + i];
        if (decay != 0.0) value -= decay * value;
        value -= step_size * (m / (sqrt(v) / root + eps));
        p[at_p + i] = value;
        all += abs(value) + v;
    }
    if ((floatBitsToUint(all) & 0x7f800000u) == 0x7f800000u) atomicOr(alarm[h + 8], floatBitsToUint(1.0));
}
