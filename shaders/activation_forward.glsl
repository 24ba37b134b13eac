// y = activation(x). Padding is zero and stays so.
#include "activation.glsl"
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
QUADS(1, x);
layout(push_constant) uniform Push {
    Tensor yt, xt; // in quads
    Walk walk;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to = at(p.yt, n, c, 0, 0), from = at(p.xt, n, c, 0, 0);
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place))
        y[to + place.i] = activate(quad(x, from + place.i));
}
