// The weight gradient of a stride-1 convolution that keeps the size, for a few channels of one operand and
// many of the other: a subgroup goes over tiles of pixels, its lanes hold channels of the operand G, and the
// CHANNELS of the operand H are fetched together, with what the taps reach around the tile, and spread to
// all lanes by shuffles. Every sum stays in registers to the end. G is the output gradient and H the input;
// where there are few output channels G is the input, H the output gradient, and the taps run backwards.
// The group's sums are one of several partial results, which conv2d_weight_grad_reduce adds in order.
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
layout(constant_id = 4) const int SPAN = 2;        // width of a tile, in quads of pixels
layout(constant_id = 5) const int ROWS = 1;     // height of a tile
layout(constant_id = 6) const bool FLIP = false;
layout(std430, binding = 0) writeonly buffer P { float part[]; };
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

const int TAPS = KERNEL * KERNEL, PAD = KERNEL / 2, SIDE = PAD > 0 ? 1 : 0;
const int WIDE = SPAN + 2 * SIDE, HIGH = ROWS + 2 * PAD, AREA = WIDE * HIGH; // the fetched part, in quads
const int FETCHES = (AREA * CHANNELS + LANES - 1) / LANES;
const int ACROSS = SPAN * 4 + 2 * PAD;         // the used part of its width, in pixels

void main()
{
    const int lane = int(gl_SubgroupInvocationID), height = int(p.height), wide = int(p.ht.pitch);
    const uint h_channels = p.h_channels, g_channels = p.g_channels, tile_rows = p.tile_rows;
    const uint g0 = gl_WorkGroupID.x * LANES * PER_LANE + lane, h0 = gl_WorkGroupID.y * CHANNELS;
    const Tensor ht = p.ht, gt = p.gt;

    int row[FETCHES], column[FETCHES], start[FETCHES];
    [[unroll]] for (int f = 0; f < FETCHES; f++) {
        const int t = f * LANES + lane;
        const uint c = h0 + uint(t / AREA);
        row[f] = c < h_channels && t < AREA * CHANNELS ? t % AREA / WIDE - PAD : 0x40000000; // never inside
        column[f] = t % WIDE - SIDE;
        start[f] = int(ht.offset + c * ht.plane);
    }
    uint g_start[PER_LANE];
    [[unroll]] for (int c = 0; c < PER_LANE; c++)
        g_start[c] = gt.offset + min(g0 + c * LANES, g_channels - 1) * gt.plane;

    float sum[CHANNELS * TAPS * PER_LANE];
    [[unroll]] for (int i = 0; i < CHANNELS * TAPS * PER_LANE; i++) sum[i] = 0.0;
    const uint begin = gl_WorkGroupID.z * p.rows_a_group, end = min(begin + p.rows_a_group, p.rows);
    for (uint r = begin; r < end; r++) {
        const uint n = r / tile_rows;
        const int y = int(r % tile_rows) * ROWS, h_picture = int(n * ht.stride_n), g_picture = int(n * gt.stride_n);
        for (int x = 0; x < wide; x += SPAN) {
            vec4 part_h[FETCHES], part_g[PER_LANE * ROWS * SPAN];
            [[unroll]] for (int f = 0; f < FETCHES; f++) {
                const int hy = y + row[f], hx = x + column[f];
                const bool inside = hy >= 0 && hy < height && hx >= 0 && hx < wide;
                part_h[f] = quad(h, inside ? start[f] + h_picture + hy * wide + hx : int(ht.offset));
                if (!inside) part_h[f] = vec4(0.0);
            }
            [[unroll]] for (int c = 0; c < PER_LANE; c++)
                [[unroll]] for (int i = 0; i < ROWS * SPAN; i++) {
                    const int gy = y + i / SPAN, gx = x + i % SPAN;
                    const bool inside = gy < height && gx < wide;
                    part_g[c * ROWS * SPAN + i] = quad(g, g_start[c] + g_picture + (inside ? gy * wide + gx : 0));
                    if (!inside) part_g[c * ROWS * SPAN + i] = vec4(0.0);
                }
            float v[CHANNELS * HIGH * ACROSS];
            [[unroll]] for (int i = 0; i < CHANNELS * HIGH * ACROSS; i++) {
                const int px = i % ACROSS + 4 * SIDE - PAD, t = i / ACROSS * WIDE + px / 4;
                v[i] = subgroupShuffle(part_h[t / LANES][px % 4], t % LANES);
            }
            [[unroll]] for (int a = 0; a < CHANNELS; a++)
                [[unroll]] for (int t = 0; t < TAPS; t++)
                    [[unroll]] for (int c = 0; c < PER_LANE; c++)
                        [[unroll]] for (int i = 0; i < ROWS * SPAN * 4; i++) {
                            const int py = i / (SPAN * 4), px = i % (SPAN * 4);
                            sum[(a * TAPS + t) * PER_LANE + c] +=
                                v[(a * HIGH + py + t / KERNEL) * ACROSS + px + t % KERNEL] *
                                part_g[(c * ROWS + py) * SPAN + px / 4][px % 4];
                        }
        }
    }

    const uint place = p.pt.offset + (p.first + gl_WorkGroupID.z) * p.pt.stride_n;
    [[unroll]] for (int a = 0; a < CHANNELS; a++)
        [[unroll]] for (int c = 0; c < PER_LANE; c++) {
            if (h0 + a >= h_channels || g0 + c * LANES >= g_channels) continue;
            const uint weight = place + (h0 + a) * p.h_stride + (g0 + c * LANES) * p.g_stride;
            [[unroll]] for (int t = 0; t < TAPS; t++)
                part[weight + (FLIP ? TAPS - 1 - t : t)] = sum[(a * TAPS + t) * PER_LANE + c];
        }
}
