#version 450
#extension GL_GOOGLE_include_directive : require
#define STORAGE
#include "conv2d_few.glsl"
