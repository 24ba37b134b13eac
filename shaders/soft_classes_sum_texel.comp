#version 450
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "soft_classes_sum.glsl"
