// y = x * (1 + scale) + shift, a scale and a shift for each plane; without the shift it is the gradient by x.
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool SHIFT = true;
layout(constant_id = 1) const bool MASK = true; // rows have padding
layout(constant_id = 2) const bool ADD = false;
layout(std430, binding = 0) buffer Y { vec4 y[]; };
QUADS(1, x);
layout(std430, binding = 2) readonly buffer F { float film[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, ft; // yt, xt in quads
    Walk walk;
    uint channels;
} p;

void main()
{
    const uint c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    const Walk walk = p.walk;
    const uint to = at(p.yt, n, c, 0, 0), from = at(p.xt, n, c, 0, 0);
    const float scale = 1.0 + film[at(p.ft, n, c, 0, 0)];
    const float shift = SHIFT ? film[at(p.ft, n, p.channels + c, 0, 0)] : 0.0;
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        vec4 v = quad(x, from + place.i) * scale;
        if (SHIFT) v += shift;
        if (SHIFT && MASK) v = walk_keep(place, v, 0.0, float(walk.w));
        y[to + place.i] = ADD ? y[to + place.i] + v : v;
    }
}
