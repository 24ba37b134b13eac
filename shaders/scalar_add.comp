#version 450
// One scalar times a weight, written or added to another.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 1) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer R { float result[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push {
    Tensor rt, xt;
    float weight;
} p;

void main()
{
    const float v = p.weight * x[p.xt.offset];
    result[p.rt.offset] = ADD ? result[p.rt.offset] + v : v;
}
