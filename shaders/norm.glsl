// What the normalization's passes over large tensors share. Takes specialization constants 0 to 3, two of
// them through activation.glsl.
#ifndef NORM_GLSL
#define NORM_GLSL
#include "activation.glsl"
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 2) const bool MASK = true; // rows have padding
layout(constant_id = 3) const uint PICTURES = 1; // of one statistic

vec4 without_padding(Place place, vec4 v, uint w) { return MASK ? walk_keep(place, v, 0.0, float(w)) : v; }

// The quad that ends this group's part of a plane.
uint walk_end(Walk walk) { return min((gl_WorkGroupID.x + 1) * LANES * walk.each, walk.count); }

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
#endif
