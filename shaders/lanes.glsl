// What the convolution kernels share whose workgroup is one subgroup. Its lanes fetch the input together,
// as quadruples of a row, and spread it by shuffles at constant lanes. Registers hold all the rest, so
// every loop over them is unrolled. The form with STORAGE reads storage buffers in place of texel buffers.
#ifndef LANES_GLSL
#define LANES_GLSL
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#define ACTIVATION_ID 9 // VKP_CONV_ACTIVATION of engine/ops/conv2d_pack.h
#include "activation.glsl"
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LANES = 8; // the subgroup's size

// Whether a forward pass leaves the moments of what it stores, for vkp_norm_merge: of each tile and channel.
layout(constant_id = 11) const bool MOMENTS = false;

layout(std430, binding = 0) buffer To { vec4 to[]; };
layout(std430, binding = 3) writeonly buffer Parts { vec4 parts[]; }; // [n][channel][tile]
#ifdef STORAGE
layout(std430, binding = 1) readonly buffer From { vec4 from[]; };
layout(std430, binding = 2) readonly buffer Weights { vec4 weights[]; };
#define FROM(place) from[place]
#define WEIGHTS(place) weights[place]
#else
layout(binding = 1) uniform samplerBuffer from;
layout(binding = 2) uniform samplerBuffer weights;
#define FROM(place) texelFetch(from, place)
#define WEIGHTS(place) texelFetch(weights, place)
#endif

// Offsets and strides of all four in quadruples.
layout(push_constant) uniform Push {
    Tensor to_at, from_at, weights_at, parts_at;
    int from_channels, from_height, to_channels, to_height, to_width, blocks;
    int tiles_across; // groups along x
} p;

// Rounded up division.
#define PARTS(count, size) (((count) + (size)-1) / (size))
// Zero for the floats of the quadruple starting at column x that lie beyond the row's end.
#define CROP(v, x, width) mix(vec4(0.0), v, lessThan(ivec4(x) + ivec4(0, 1, 2, 3), ivec4(width)))
// What is stored of a quadruple of sums; the gradient by the input has no activation.
#define STORED(v, x, width) CROP(activate(v), x, width)
#endif
