// What the loss of soft classes and its gradient share. A target between nodes belongs to the four around it,
// by bilinear weights: to node j of an axis with 1 - |place - j|, as far as that is above 0.
#ifndef SOFT_CLASSES_GLSL
#define SOFT_CLASSES_GLSL
#include "chroma_classes.glsl"
layout(constant_id = 1) const bool WEIGHTED = true;
layout(std430, binding = 2) readonly buffer Target { vec4 target[]; };
layout(std430, binding = 3) readonly buffer Weights { float weights[]; };
layout(push_constant) uniform Push {
    Tensor rt, lt, tt, wt; // result, logits (in quads), target, weights
    Walk walk;
    float range, factor;
} p;

// Where four targets lie on an axis of the grid, in nodes from its middle: counted from its end a place would
// have one digit less.
vec4 places(uint n, uint axis, uint i)
{
    const vec4 chroma = target[at(p.tt, n, axis, 0, 0) / 4 + i];
    return clamp(chroma * (MIDDLE / p.range), -MIDDLE, MIDDLE);
}

// A place as the lower of the two nodes around it, in the grid whatever the place, and the other's weight.
struct Between {
    int node;
    float x;
};

Between between(float place)
{
    const int node = clamp(int(place + MIDDLE), 0, K - 2);
    return Between(node, place - (float(node) - MIDDLE));
}

// The weight of a pixel: that of the classes it belongs to.
float weight(Between cr, Between cb)
{
    const uint first = p.wt.offset + cr.node * K + cb.node;
    return (1.0 - cr.x) * ((1.0 - cb.x) * weights[first] + cb.x * weights[first + 1]) +
           cr.x * ((1.0 - cb.x) * weights[first + K] + cb.x * weights[first + K + 1]);
}
#endif
