// What the normalization's passes over large tensors share. Takes specialization constants 0 to 9, two of
// them through activation.glsl.
//
// With pooling a pass goes through tiles of FACTOR x FACTOR quads, which make or take one quad of the pooled
// tensor; without it FACTOR is 1.
#ifndef NORM_GLSL
#define NORM_GLSL
#include "activation.glsl"
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 2) const bool MASK = true; // rows have padding
layout(constant_id = 3) const uint PICTURES = 1; // of one statistic
layout(constant_id = 4) const uint FACTOR = 1;
layout(constant_id = 5) const bool POOLED = false; // there is a pooled tensor
layout(constant_id = 6) const bool WANTED = true;  // there is y, or its gradient
layout(constant_id = 7) const bool CUT = true;     // tiles at the planes' edges are not whole
// Planes are so small that an invocation takes a whole one: a group goes through LANES channels side by side,
// and nothing is left to add up. Constant 8 belongs to norm_input_grad.glsl.
layout(constant_id = 9) const bool ALONE = false;

// The row's elements before column w, zeros elsewhere; x is the quad's number in the row.
vec4 keep_columns(uint x, vec4 v, uint w)
{
    return mix(vec4(0.0), v, lessThan(uvec4(4 * x) + uvec4(0, 1, 2, 3), uvec4(w)));
}

vec4 without_padding(uint x, vec4 v, uint w) { return MASK ? keep_columns(x, v, w) : v; }

uint norm_channel() { return ALONE ? gl_WorkGroupID.y * LANES + gl_LocalInvocationID.x : gl_WorkGroupID.y; }

Place norm_start(Walk walk) { return ALONE ? walk_start_alone(walk) : walk_start(walk); }

// The quad that ends this group's part of a plane.
uint norm_end(Walk walk)
{
    return ALONE ? walk.count : min((gl_WorkGroupID.x + 1) * LANES * walk.each, walk.count);
}

// Quad i of row j of a tile: whether it is in the plane, of h rows of `row` quads, and its number there, or
// that of one that is.
bool in_plane(Place tile, uint i, uint j, uint row, uint h)
{
    return !CUT || (tile.x * FACTOR + i < row && tile.y * FACTOR + j < h);
}

uint tile_quad(Place tile, uint i, uint j, uint row, uint h)
{
    if (FACTOR == 1) return tile.i;
    if (!CUT) return (tile.y * FACTOR + j) * row + tile.x * FACTOR + i;
    return min(tile.y * FACTOR + j, h - 1) * row + min(tile.x * FACTOR + i, row - 1);
}

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
#endif
