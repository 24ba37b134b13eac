#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "conv2d_phase_steps.glsl"
