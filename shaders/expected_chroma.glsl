// The mean of the classes' places by softmax(logits * factor).
#include "chroma_classes.glsl"
layout(std430, binding = 0) writeonly buffer R { vec4 chroma[]; };
layout(push_constant) uniform Push {
    Tensor rt, lt; // chroma, logits (in quads)
    Walk walk;
    float range, factor;
} p;

void main()
{
    const uint n = gl_WorkGroupID.z, plane = p.lt.plane;
    const Place place = walk_start(p.walk);
    if (place.i >= p.walk.count) return;
    uint from = at(p.lt, n, 0, 0, 0) + place.i;
    const vec4 top = greatest(from, plane);
    vec4 all = vec4(0.0), cr = vec4(0.0), cb = vec4(0.0);
    for (int r = 0; r < K; r++) {
        vec4 row = vec4(0.0);
        for (int b = 0; b < K; b++, from += plane) {
            const vec4 e = exp(p.factor * (quad(logits, from) - top));
            row += e;
            cb += (float(b) - MIDDLE) * e;
        }
        all += row;
        cr += (float(r) - MIDDLE) * row;
    }
    const vec4 scale = walk_keep(place, p.range / (MIDDLE * all), 0.0, float(p.walk.w));
    const uint to = at(p.rt, n, 0, 0, 0) / 4 + place.i;
    chroma[to] = cr * scale;
    chroma[to + p.rt.plane / 4] = cb * scale;
}
