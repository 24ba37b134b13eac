#version 450
// Multiply-adds with 8 accumulators: for devices with many registers.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 8
#include "peak_fma.glsl"
