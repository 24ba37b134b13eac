#version 450
// A copy, or an addition, of each picture's floats: by four where the layout allows (QUADS), else one by one.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool QUADS = true;
layout(constant_id = 1) const bool ADD = false;
layout(std430, binding = 0) buffer Y4 { vec4 y4[]; };
layout(std430, binding = 0) buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer X4 { vec4 x4[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt;
    uint count, step; // quadruples or floats of a picture; invocations that share them
} p;

void main()
{
    const uint n = gl_WorkGroupID.y, count = p.count, step = p.step;
    const uint to = p.yt.offset + n * p.yt.stride_n, from = p.xt.offset + n * p.xt.stride_n;
    if (QUADS) {
        for (uint i = gl_GlobalInvocationID.x; i < count; i += step)
            y4[to / 4 + i] = ADD ? y4[to / 4 + i] + x4[from / 4 + i] : x4[from / 4 + i];
    } else {
        for (uint i = gl_GlobalInvocationID.x; i < count; i += step)
            y[to + i] = ADD ? y[to + i] + x[from + i] : x[from + i];
    }
}
