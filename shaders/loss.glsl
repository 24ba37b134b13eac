// What the sum of an elementwise loss and its gradient have in common: engine/ops/loss.h in GLSL.
#ifndef LOSS_GLSL
#define LOSS_GLSL
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
const uint L1 = 0;      // |a - b|
const uint SQUARED = 1; // (a - b)², both clamped to 0..1 and scaled to 0..255
const uint BCE = 2;     // binary cross entropy of sigmoid(a) with the target
const uint MINUS = 3;   // -a
const uint HINGE = 4;   // max(0, 1 + target a)
layout(constant_id = 0) const uint KIND = L1;
layout(constant_id = 1) const bool MASK = true; // some floats of the rows do not count
layout(std430, binding = 1) readonly buffer A { vec4 a[]; };
layout(std430, binding = 2) readonly buffer B { vec4 b[]; };
layout(push_constant) uniform Push {
    Tensor rt, at, bt, et; // result, a, b, and the fourth binding
    Walk walk;
    float target, scale;
} p;
const bool BINARY = KIND == L1 || KIND == SQUARED;
#endif
