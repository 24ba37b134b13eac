#version 450
// The gradient of an elementwise loss by its first input.
#extension GL_GOOGLE_include_directive : require
#include "loss.glsl"
layout(constant_id = 2) const bool ADD = false;
layout(std430, binding = 0) buffer R { vec4 da[]; };
layout(std430, binding = 3) readonly buffer E { float d_loss[]; };

// The derivative of the loss by x; 0 in the kinks of L1 and HINGE, as PyTorch has it.
vec4 slope(vec4 x, vec4 y, float target)
{
    if (KIND == L1) return sign(x - y);
    if (KIND == BCE) {
        const vec4 e = exp(-abs(x));
        return mix(vec4(1.0), e, lessThan(x, vec4(0.0))) / (1.0 + e) - target;
    }
    if (KIND == MINUS) return vec4(-1.0);
    return mix(vec4(target), vec4(0.0), lessThanEqual(1.0 + target * x, vec4(0.0)));
}

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const float target = p.target, scale = p.scale * d_loss[p.et.offset];
    const uint a_start = at(p.at, n, c, 0, 0) / 4, b_start = at(p.bt, n, c, 0, 0) / 4;
    const uint r_start = at(p.rt, n, c, 0, 0) / 4;
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        vec4 v = scale * slope(a[a_start + place.i], BINARY ? b[b_start + place.i] : vec4(0.0), target);
        if (ADD) v += da[r_start + place.i];
        da[r_start + place.i] = MASK ? walk_keep(place, v, 0.0, float(walk.w)) : v;
    }
}
