#version 450
// A 3x3 matrix and a constant for every pixel, between a picture's R, G, B planes and its Y plane with its
// Cr, Cb planes; also for the gradients of that, where Y's may be unwanted.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool TO_RGB = true; // or from it
layout(constant_id = 1) const bool HAS_Y = true;
layout(constant_id = 2) const bool MASK = true;   // rows have padding
layout(constant_id = 3) const bool ADD = false;
layout(std430, binding = 0) buffer RGB { vec4 rgb[]; };
layout(std430, binding = 1) buffer Y { vec4 y[]; };
layout(std430, binding = 2) buffer CrCb { vec4 crcb[]; };
layout(push_constant) uniform Push {
    Tensor rgbt, yt, crcbt;
    Walk walk;
    float m00, m01, m02, m10, m11, m12, m20, m21, m22; // row by row
    float k0, k1, k2;
} p;

void main()
{
    const uint n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const vec3 m0 = vec3(p.m00, p.m01, p.m02), m1 = vec3(p.m10, p.m11, p.m12), m2 = vec3(p.m20, p.m21, p.m22);
    const vec3 k = vec3(p.k0, p.k1, p.k2);
    const uvec3 rgb_start = uvec3(at(p.rgbt, n, 0, 0, 0), at(p.rgbt, n, 1, 0, 0), at(p.rgbt, n, 2, 0, 0)) / 4;
    const uvec3 ycc_start = uvec3(at(p.yt, n, 0, 0, 0), at(p.crcbt, n, 0, 0, 0), at(p.crcbt, n, 1, 0, 0)) / 4;
    Place place = walk_start(walk);
    for (uint s = 0; s < walk.each && place.i < walk.count; s++, walk_step(walk, place)) {
        const uvec3 r = rgb_start + place.i, c = ycc_start + place.i;
        vec4 u0, u1, u2;
        if (TO_RGB) u0 = y[c.x], u1 = crcb[c.y], u2 = crcb[c.z];
        else u0 = rgb[r.x], u1 = rgb[r.y], u2 = rgb[r.z];
        vec4 v0 = m0.x * u0 + m0.y * u1 + m0.z * u2 + k.x;
        vec4 v1 = m1.x * u0 + m1.y * u1 + m1.z * u2 + k.y;
        vec4 v2 = m2.x * u0 + m2.y * u1 + m2.z * u2 + k.z;
        if (MASK) {
            v0 = walk_keep(place, v0, 0.0, float(walk.w));
            v1 = walk_keep(place, v1, 0.0, float(walk.w));
            v2 = walk_keep(place, v2, 0.0, float(walk.w));
        }
        if (TO_RGB) {
            rgb[r.x] = ADD ? rgb[r.x] + v0 : v0;
            rgb[r.y] = ADD ? rgb[r.y] + v1 : v1;
            rgb[r.z] = ADD ? rgb[r.z] + v2 : v2;
        } else {
            if (HAS_Y) y[c.x] = ADD ? y[c.x] + v0 : v0;
            crcb[c.y] = ADD ? crcb[c.y] + v1 : v1;
            crcb[c.z] = ADD ? crcb[c.z] + v2 : v2;
        }
    }
}
