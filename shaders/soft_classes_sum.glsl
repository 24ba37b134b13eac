// The first step of the loss: a group sums it over its part of a picture's pixels.
#include "group_sum.glsl"
#include "soft_classes.glsl"
layout(std430, binding = 0) writeonly buffer R { float partial[]; };

void main()
{
    const uint n = gl_WorkGroupID.z, plane = p.lt.plane;
    vec4 sum = vec4(0.0);
    const Place place = walk_start(p.walk);
    if (place.i < p.walk.count) {
        const uint start = at(p.lt, n, 0, 0, 0) + place.i;
        const vec4 top = greatest(start, plane), cr = places(n, 0, place.i), cb = places(n, 1, place.i);
        vec4 all = vec4(0.0);
        for (int j = 0; j < CLASSES; j++) all += exp(quad(logits, start + j * plane) - top);
        vec4 loss = log(all);
        for (int i = 0; i < 4; i++) {
            const Between r = between(cr[i]), b = between(cb[i]);
            const uint first = start + (r.node * K + b.node) * plane, second = first + K * plane;
            loss[i] -= (1.0 - r.x) * ((1.0 - b.x) * (quad(logits, first)[i] - top[i]) +
                                      b.x * (quad(logits, first + plane)[i] - top[i])) +
                       r.x * ((1.0 - b.x) * (quad(logits, second)[i] - top[i]) +
                              b.x * (quad(logits, second + plane)[i] - top[i]));
            if (WEIGHTED) loss[i] *= weight(r, b);
        }
        sum = walk_keep(place, loss, 0.0, float(p.walk.w));
    }
    const float total = group_sum((sum.x + sum.y) + (sum.z + sum.w));
    if (gl_LocalInvocationID.x == 0) partial[at(p.rt, n, 0, 0, gl_WorkGroupID.x)] = total;
}
