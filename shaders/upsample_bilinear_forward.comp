#version 450
#extension GL_GOOGLE_include_directive : require
#include "upsample_bilinear_forward.glsl"
