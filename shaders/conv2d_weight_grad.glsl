// What the weight gradients by lanes share: each subgroup's lanes hold channels of the operand G, and it goes
// over tiles of pixels with CHANNELS of the operand H. G is the output gradient and H the input; where there
// are few output channels G is the input, H the output gradient, and the taps run backwards. A group's sums
// are one of several partial results, which sum_parts adds in order, or, alone, the gradient.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LANES = 8;
layout(constant_id = 1) const int KERNEL = 3;   // odd; the padding is its half
layout(constant_id = 2) const int CHANNELS = 3; // of H a group
layout(constant_id = 3) const int PER_LANE = 4; // channels of G a lane
layout(constant_id = 4) const int SPAN = 2;     // width of a tile, in quads of pixels
layout(constant_id = 5) const int ROWS = 1;     // height of a tile
layout(constant_id = 6) const bool FLIP = false;
layout(std430, binding = 0) writeonly buffer P { float parts[]; };
QUADS(1, h);
QUADS(2, g);
layout(push_constant) uniform Push {
    Tensor pt, ht, gt;              // pt.stride_n: from partial result to partial result
    uint height, tile_rows;         // of a picture: in pixels, in tiles
    uint h_channels, g_channels;
    uint h_stride, g_stride;        // of the weights
    uint rows, rows_a_group;        // rows of tiles of all pictures
    uint first;                     // partial result of the dispatch's first group
} p;

const int TAPS = KERNEL * KERNEL, PAD = KERNEL / 2;
const int SUMS = CHANNELS * TAPS * PER_LANE; // of a lane: [channel of H][tap][channel of G]
float sum[SUMS];

// Sums of channels beyond the last one are dropped. h0, g0: the first channels of H, and of G for the lane.
void store_sums(uint h0, uint g0)
{
    const uint h_channels = p.h_channels, g_channels = p.g_channels;
    const uint place = p.pt.offset + (p.first + gl_WorkGroupID.z) * p.pt.stride_n;
    [[unroll]] for (int a = 0; a < CHANNELS; a++)
        [[unroll]] for (int c = 0; c < PER_LANE; c++) {
            if (h0 + a >= h_channels || g0 + c * LANES >= g_channels) continue;
            const uint weight = place + (h0 + a) * p.h_stride + (g0 + c * LANES) * p.g_stride;
            [[unroll]] for (int t = 0; t < TAPS; t++)
                parts[weight + (FLIP ? TAPS - 1 - t : t)] = sum[(a * TAPS + t) * PER_LANE + c];
        }
}
