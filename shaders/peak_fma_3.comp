#version 450
// Multiply-adds with 3 accumulators: as many as the 16 registers of a CPU hold.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 3
#include "peak_fma.glsl"
