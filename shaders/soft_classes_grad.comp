#version 450
#extension GL_GOOGLE_include_directive : require
#include "soft_classes_grad.glsl"
