// What the passes over logits of chroma classes share: engine/ops/chroma_classes.h. An invocation has four
// pixels of a row, and goes through all their classes, whose planes follow each other.
#ifndef CHROMA_CLASSES_GLSL
#define CHROMA_CLASSES_GLSL
#include "quads.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const int K = 11;
const int CLASSES = K * K;
// The middle of an axis of the grid, in nodes. Constants that are made of specialized ones must be integers.
#define MIDDLE (0.5 * float(K - 1))
QUADS(1, logits);

vec4 greatest(uint start, uint plane)
{
    vec4 top = quad(logits, start);
    for (int j = 1; j < CLASSES; j++) top = max(top, quad(logits, start + j * plane));
    return top;
}
#endif
