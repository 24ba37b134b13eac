#version 450
// A copy whose source is a texel buffer, which some devices read faster than a storage buffer.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
layout(binding = 1) uniform samplerBuffer x;
layout(push_constant) uniform Push {
    Tensor yt, xt;
    uint count, step; // quadruples; invocations that share them
} p;

void main()
{
    const uint count = p.count, step = p.step;
    for (uint i = gl_GlobalInvocationID.x; i < count; i += step) y[i] = texelFetch(x, int(i));
}
