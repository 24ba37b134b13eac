#version 450
// Puts a convolution's weights, (co,ci,k,k), into the order in which conv2d_gemm_pixels.glsl reads them:
// [class][line][row], where a line is one place of the depth, or VALUES of them as 16-bit floats, two in a
// 32-bit word; and after the lines one with the bias. A tap of a class is the sum of a rectangle of the
// kernel's taps.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint VALUES = 1;
layout(constant_id = 1) const bool BIAS = true;
layout(constant_id = 2) const int KERNEL = 3;
layout(constant_id = 3) const uint DEPTH = 8;
layout(constant_id = 4) const bool DEEP = true;
layout(constant_id = 5) const uint CLASSES = 1;
layout(constant_id = 6) const int LOW_STEP = 1; // the rectangle's first row or column, from tap to tap
layout(constant_id = 7) const int LOW_COUNT = 1; // its rows and columns, those beyond the kernel left out
layout(std430, binding = 0) writeonly buffer Packed { uint packed[]; };
layout(std430, binding = 1) readonly buffer W { float w[]; };
layout(std430, binding = 2) readonly buffer B { float b[]; };
layout(push_constant) uniform Push {
    Tensor packed_at, wt, bt;
    uint to_channels, from_channels, to_stride, from_stride, lines;
    uint axis[8]; // a class along either axis: bytes taps, the first tap's first row or column + 128
} p;

int low_of(uint axis, uint tap) { return int(bitfieldExtract(axis, 8, 8)) - 128 + int(tap) * LOW_STEP; }

float weight_at(uint depth, uint row)
{
    const uint y_axis = p.axis[gl_WorkGroupID.z / CLASSES], x_axis = p.axis[gl_WorkGroupID.z % CLASSES];
    const uint taps_x = x_axis & 255, taps = (y_axis & 255) * taps_x;
    if (taps == 0 || row >= p.to_channels) return 0.0;
    const uint tile = depth / DEPTH, tap = DEEP ? tile % taps : depth % taps;
    const uint channel = DEEP ? tile / taps * DEPTH + depth % DEPTH : depth / taps;
    if (channel >= p.from_channels) return 0.0;
    const uint start = p.wt.offset + row * p.to_stride + channel * p.from_stride;
    const int low_y = low_of(y_axis, tap / taps_x), low_x = low_of(x_axis, tap % taps_x);
    float sum = 0.0;
    for (int y = max(low_y, 0); y < min(low_y + LOW_COUNT, KERNEL); y++)
        for (int x = max(low_x, 0); x < min(low_x + LOW_COUNT, KERNEL); x++)
            sum += w[start + uint(y * KERNEL + x)];
    return sum;
}

void main()
{
    const uint place = gl_GlobalInvocationID.x, line = gl_WorkGroupID.y;
    if (place >= p.packed_at.pitch) return;
    uint word;
    if (line == p.lines)
        word = floatBitsToUint(BIAS && place < p.to_channels ? b[p.bt.offset + place] : 0.0);
    else if (VALUES == 1)
        word = floatBitsToUint(weight_at(line, place));
    else {
        const uint pairs = VALUES / 2, row = place / pairs, depth = line * VALUES + place % pairs * 2;
        word = packHalf2x16(vec2(weight_at(depth, row), weight_at(depth + 1, row)));
    }
    packed[at(p.packed_at, gl_WorkGroupID.z, 0, line, place)] = word;
}
