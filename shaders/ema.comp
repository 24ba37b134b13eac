#version 450
// A step of an exponential moving average: average + rest * (value - average). Four elements at a time where
// the layout allows, one at a time for what is left. Old and new may be the same memory.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer N4 { vec4 next4[]; };
layout(std430, binding = 0) writeonly buffer N { float next[]; };
layout(std430, binding = 1) readonly buffer A4 { vec4 average4[]; };
layout(std430, binding = 1) readonly buffer A { float average[]; };
layout(std430, binding = 2) readonly buffer P4 { vec4 p4[]; };
layout(std430, binding = 2) readonly buffer P { float p[]; };
layout(std430, binding = 3) readonly buffer Rest { float rest[]; }; // 1 - decay
layout(push_constant) uniform Push {
    Tensor nt, at, pt, rt;
    uint quads, count, step; // whole quadruples; elements; invocations that share them
} push;

void main()
{
    const uint quads = push.quads, count = push.count, step = push.step;
    const uint to = push.nt.offset, from = push.at.offset, values = push.pt.offset;
    const float share = rest[push.rt.offset];
    for (uint i = gl_GlobalInvocationID.x; i < quads; i += step) {
        const vec4 old = average4[from / 4 + i];
        next4[to / 4 + i] = old + share * (p4[values / 4 + i] - old);
    }
    for (uint i = quads * 4 + gl_GlobalInvocationID.x; i < count; i += step) {
        const float old = average[from + i];
        next[to + i] = old + share * (p[values + i] - old);
    }
}
