// y = activation(a + b), a picture's planes as one. Padding is zero and stays so.
#include "activation.glsl"
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
QUADS(1, a);
QUADS(2, b);
layout(push_constant) uniform Push {
    Tensor yt, at, bt; // in quads
    Walk walk;
} p;

void main()
{
    const uint n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to = at(p.yt, n, 0, 0, 0), from_a = at(p.at, n, 0, 0, 0), from_b = at(p.bt, n, 0, 0, 0);
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place))
        y[to + place.i] = activate(quad(a, from_a + place.i) + quad(b, from_b + place.i));
}
