#version 450
#extension GL_GOOGLE_include_directive : require
#include "norm_grad_sums.glsl"
