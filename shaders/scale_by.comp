#version 450
// Numbers, each times one number: engine/ops/soft_classes.c.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer S { float s[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, st;
    uint count;
} p;

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    if (i < p.count) y[p.yt.offset + i] = s[p.st.offset] * x[p.xt.offset + i];
}
