#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "conv2d_weight_grad_planes.glsl"
