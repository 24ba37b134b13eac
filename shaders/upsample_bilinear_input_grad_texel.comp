#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "upsample_bilinear_input_grad.glsl"
