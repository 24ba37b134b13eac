// What the normalization's passes over large tensors share: a plane is one run of quadruples of floats, its
// rows' padding included, cut into pieces; a workgroup takes a piece. Takes specialization constant 2.
#ifndef NORM_GLSL
#define NORM_GLSL
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 2) const uint TAIL = 0; // floats in a row's last quadruple where padding follows them; 0: none does
const uint LANES = 64;

struct Pieces {
    uint quads; // of a plane
    uint piece; // of a piece
    uint row;   // of a row
};

// The floats of quadruple i of a plane that are no padding.
uint used(uint i, uint row) { return TAIL != 0 && i % row == row - 1 ? TAIL : 4; }
vec4 without_padding(vec4 v, uint count)
{
    return TAIL == 0 ? v : mix(vec4(0.0), v, lessThan(uvec4(0, 1, 2, 3), uvec4(count)));
}
float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
#endif
