#version 450
// Puts a convolution's weights, (co,ci,k,k), into the order in which a kernel reads them: see
// engine/ops/conv2d_pack.h. A tap of the result is the sum of a rectangle of the kernel's taps, from the
// first to the last listed row and column. An invocation does the taps of one pair of channels; the
// record after the last input channel's holds the bias.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool BIAS = true;
layout(constant_id = 1) const int KERNEL = 3;
layout(constant_id = 2) const int LANES = 8; // the rest as in vkp_conv_order
layout(constant_id = 3) const int CHANNELS = 4;
layout(constant_id = 4) const int UNIT = 4;
layout(constant_id = 5) const int TAPS = 3;
layout(constant_id = 6) const int ROW_TAPS = 3;
layout(constant_id = 7) const int RECORD = 288;
layout(constant_id = 8) const int FIRST = 0x210; // 4 bits a tap
layout(constant_id = 9) const int LAST = 0x210;
layout(std430, binding = 0) writeonly buffer Packed { float packed[]; };
layout(std430, binding = 1) readonly buffer W { float w[]; };
layout(std430, binding = 2) readonly buffer B { float b[]; };
layout(push_constant) uniform Push {
    Tensor packed_at, wt, bt;
    int to_channels, from_channels, to_stride, from_stride, blocks;
} p;
#define IS_IN(k, tap) ((k) >= (FIRST >> (tap) * 4 & 15) && (k) <= (LAST >> (tap) * 4 & 15))

void main()
{
    const int to = int(gl_GlobalInvocationID.x), from = int(gl_WorkGroupID.y);
    const int block = to / (LANES * CHANNELS), lane = to / CHANNELS % LANES, channel = to % CHANNELS;
    if (block >= p.blocks) return;
    const int start = int(p.packed_at.offset + block * p.packed_at.stride_n) + from * RECORD + lane * UNIT +
                      channel;
    if (from == p.from_channels) {
        packed[start] = BIAS && to < p.to_channels ? b[p.bt.offset + to] : 0.0;
        return;
    }
    // Channels that only fill the last block repeat the last one: nobody uses their sums.
    const int source = int(p.wt.offset) + min(to, p.to_channels - 1) * p.to_stride + from * p.from_stride;
    float weight[KERNEL * KERNEL];
    [[unroll]] for (int k = 0; k < KERNEL * KERNEL; k++) weight[k] = w[source + k];
    [[unroll]] for (int ty = 0; ty < TAPS; ty++) {
        float row[KERNEL];
        [[unroll]] for (int kx = 0; kx < KERNEL; kx++) {
            row[kx] = 0.0;
            [[unroll]] for (int ky = 0; ky < KERNEL; ky++)
                if (IS_IN(ky, ty)) row[kx] += weight[ky * KERNEL + kx];
        }
        [[unroll]] for (int tx = 0; tx < TAPS; tx++) {
            const int tap = ty * ROW_TAPS + tx, each = UNIT / CHANNELS;
            float sum = 0.0;
            [[unroll]] for (int kx = 0; kx < KERNEL; kx++)
                if (IS_IN(kx, tx)) sum += row[kx];
            packed[start + tap / each * LANES * UNIT + tap % each * CHANNELS] = sum;
        }
    }
}
