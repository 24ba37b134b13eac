#version 450
// Puts a convolution's weights, (co,ci,k,k), into the order in which a kernel reads them: see
// engine/ops/conv2d_pack.h. A tap of the result is the sum of a rectangle of the kernel's taps, from the
// first to the last listed row and column; the record after the last input channel's holds the bias.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool BIAS = true;
layout(std430, binding = 0) writeonly buffer Packed { float packed[]; };
layout(std430, binding = 1) readonly buffer W { float w[]; };
layout(std430, binding = 2) readonly buffer B { float b[]; };
layout(push_constant) uniform Push {
    Tensor packed_at, wt, bt;
    uint to_channels, from_channels, to_stride, from_stride, kernel;
    uint lanes, channels, unit, taps, row_taps, record; // as in vkp_conv_order
    uint first, last;                                   // 4 bits a tap
} p;

float weight(uint to, uint from, uint tap)
{
    const uint ty = tap / p.row_taps, tx = tap % p.row_taps;
    if (ty >= p.taps || tx >= p.taps) return 0.0;
    float sum = 0.0;
    for (uint ky = p.first >> ty * 4 & 15; ky <= (p.last >> ty * 4 & 15); ky++)
        for (uint kx = p.first >> tx * 4 & 15; kx <= (p.last >> tx * 4 & 15); kx++)
            sum += w[p.wt.offset + to * p.to_stride + from * p.from_stride + ky * p.kernel + kx];
    return sum;
}

void main()
{
    const uint i = gl_GlobalInvocationID.x, from = gl_WorkGroupID.y, block = gl_WorkGroupID.z;
    if (i >= p.record) return;
    const uint j = i % p.unit, lane = i / p.unit % p.lanes;
    const uint tap = i / p.unit / p.lanes * (p.unit / p.channels) + j / p.channels;
    const uint to = (block * p.lanes + lane) * p.channels + j % p.channels;
    float value = 0.0;
    if (to < p.to_channels) {
        if (from < p.from_channels) value = weight(to, from, tap);
        else if (BIAS && tap == 0) value = b[p.bt.offset + to];
    }
    packed[p.packed_at.offset + block * p.packed_at.stride_n + from * p.record + i] = value;
}
