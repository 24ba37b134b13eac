#version 450
#extension GL_GOOGLE_include_directive : require
#define MATRIX
#define LOOPS
#include "conv2d_gemm_pixels.glsl"
