// dx = dy * activation'(x), the derivative found from y. Padding is zero and stays so.
#include "activation.glsl"
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 2) const bool ADD = false;
layout(std430, binding = 0) buffer DX { vec4 dx[]; };
QUADS(1, y);
QUADS(2, dy);
layout(push_constant) uniform Push {
    Tensor dxt, yt, dyt; // in quads
    Walk walk;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to = at(p.dxt, n, c, 0, 0), from = at(p.yt, n, c, 0, 0), above = at(p.dyt, n, c, 0, 0);
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        const vec4 gradient = activation_grad(quad(y, from + place.i), quad(dy, above + place.i));
        dx[to + place.i] = ADD ? dx[to + place.i] + gradient : gradient;
    }
}
