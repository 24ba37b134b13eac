// da = db = dy * activation'(a + b), the derivative found from y. Padding is zero and stays so.
#include "activation.glsl"
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 2) const bool ADD_A = false;
layout(constant_id = 3) const bool ADD_B = false;
layout(std430, binding = 0) buffer DA { vec4 da[]; };
layout(std430, binding = 1) buffer DB { vec4 db[]; };
QUADS(2, y);
QUADS(3, dy);
layout(push_constant) uniform Push {
    Tensor dat, dbt, yt, dyt; // in quads
    Walk walk;
} p;

void main()
{
    const uint n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to_a = at(p.dat, n, 0, 0, 0), to_b = at(p.dbt, n, 0, 0, 0);
    const uint from = at(p.yt, n, 0, 0, 0), above = at(p.dyt, n, 0, 0, 0);
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        const vec4 gradient = activation_grad(quad(y, from + place.i), quad(dy, above + place.i));
        da[to_a + place.i] = ADD_A ? da[to_a + place.i] + gradient : gradient;
        db[to_b + place.i] = ADD_B ? db[to_b + place.i] + gradient : gradient;
    }
}
