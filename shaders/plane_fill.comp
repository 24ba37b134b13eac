#version 450
// Each plane filled with a number of its own, scaled: the gradient of its mean.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool MASK = true; // rows have padding
layout(constant_id = 1) const bool ADD = false;
layout(std430, binding = 0) buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt; // yt in quads
    Walk walk;
    float scale;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z, to = at(p.yt, n, c, 0, 0);
    const Walk walk = p.walk;
    const vec4 number = vec4(x[at(p.xt, n, c, 0, 0)] * p.scale);
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        const vec4 v = MASK ? walk_keep(place, number, 0.0, float(walk.w)) : number;
        y[to + place.i] = ADD ? y[to + place.i] + v : v;
    }
}
