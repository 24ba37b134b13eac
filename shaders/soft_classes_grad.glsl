// The gradient by the logits: softmax less the target's classes, times the pixel's weight and the gradient by
// the loss. `weights` holds the products of those, or, where the classes have no weights, the latter alone.
#include "soft_classes.glsl"
layout(constant_id = 2) const bool ADD = false;
layout(std430, binding = 0) buffer R { vec4 d_logits[]; };

void main()
{
    const uint n = gl_WorkGroupID.z, plane = p.lt.plane;
    const Place place = walk_start(p.walk);
    if (place.i >= p.walk.count) return;
    const uint start = at(p.lt, n, 0, 0, 0) + place.i;
    const vec4 top = greatest(start, plane), cr = places(n, 0, place.i), cb = places(n, 1, place.i);
    vec4 all = vec4(0.0), share = vec4(weights[p.wt.offset]);
    for (int j = 0; j < CLASSES; j++) all += exp(quad(logits, start + j * plane) - top);
    if (WEIGHTED)
        for (int i = 0; i < 4; i++) share[i] = weight(between(cr[i]), between(cb[i]));
    share = walk_keep(place, share * p.factor, 0.0, float(p.walk.w));
    const vec4 each = share / all;
    uint from = start, to = at(p.rt, n, 0, 0, 0) / 4 + place.i;
    for (int r = 0; r < K; r++) {
        const vec4 row = share * max(1.0 - abs(cr - (float(r) - MIDDLE)), 0.0);
        for (int b = 0; b < K; b++, from += plane, to += plane) {
            const vec4 column = max(1.0 - abs(cb - (float(b) - MIDDLE)), 0.0);
            const vec4 d = each * exp(quad(logits, from) - top) - row * column;
            d_logits[to] = ADD ? d_logits[to] + d : d;
        }
    }
}
