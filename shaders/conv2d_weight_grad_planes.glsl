// The weight gradient as in conv2d_weight_grad_lanes.glsl, for small planes: a tile is as wide as a row, and
// where ROWS are the plane's height it is the plane. So what taps reach beyond an edge is known when the
// loops are unrolled, and no product is made for it.
#extension GL_GOOGLE_include_directive : require
#include "conv2d_weight_grad.glsl"
layout(constant_id = 7) const bool WHOLE = false; // a tile is a plane
const int WIDE = SPAN * 4, ABOVE = WHOLE ? 0 : PAD, HIGH = ROWS + 2 * ABOVE;
const int QUADS_OF_H = CHANNELS * HIGH * SPAN, FETCHES = (QUADS_OF_H + LANES - 1) / LANES;

void main()
{
    const int lane = int(gl_SubgroupInvocationID), height = int(p.height), pitch = int(p.ht.pitch);
    const uint h_channels = p.h_channels, g_channels = p.g_channels;
    const uint g0 = gl_WorkGroupID.x * LANES * PER_LANE + lane, h0 = gl_WorkGroupID.y * CHANNELS;
    const uint begin = gl_WorkGroupID.z * p.rows_a_group, end = min(begin + p.rows_a_group, p.rows);
    const Tensor ht = p.ht, gt = p.gt;
    const uint n = begin / p.tile_rows;
    int y = int(begin % p.tile_rows) * ROWS;

    // Channels beyond the last one repeat it: their sums are not stored.
    int row[FETCHES];
    uint h_place[FETCHES], g_place[PER_LANE];
    [[unroll]] for (int f = 0; f < FETCHES; f++) {
        const int t = min(f * LANES + lane, QUADS_OF_H - 1);
        row[f] = t / SPAN % HIGH - ABOVE;
        h_place[f] = at(ht, n, min(h0 + uint(t / SPAN / HIGH), h_channels - 1), 0, uint(t % SPAN)) +
                     uint((y + row[f]) * pitch);
    }
    [[unroll]] for (int c = 0; c < PER_LANE; c++)
        g_place[c] = at(gt, n, min(g0 + c * LANES, g_channels - 1), y, 0);

    [[unroll]] for (int i = 0; i < SUMS; i++) sum[i] = 0.0;
    for (uint r = begin; r < end; r++) {
        vec4 fetched[FETCHES];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            const bool inside = WHOLE || (y + row[f] >= 0 && y + row[f] < height);
            fetched[f] = mix(vec4(0.0), quad(h, inside ? h_place[f] : 0), bvec4(inside));
        }
        float v[QUADS_OF_H * 4];
        [[unroll]] for (int i = 0; i < QUADS_OF_H * 4; i++)
            v[i] = subgroupShuffle(fetched[i / 4 / LANES][i % 4], i / 4 % LANES);
        [[unroll]] for (int c = 0; c < PER_LANE; c++) {
            vec4 part[ROWS * SPAN];
            [[unroll]] for (int i = 0; i < ROWS * SPAN; i++)
                part[i] = quad(g, g_place[c] + uint(i / SPAN * pitch + i % SPAN));
            [[unroll]] for (int line = 0; line < CHANNELS * KERNEL; line++)
                [[unroll]] for (int i = 0; i < ROWS * WIDE; i++)
                    [[unroll]] for (int kx = 0; kx < KERNEL; kx++) {
                        const int from_x = i % WIDE + kx - PAD;
                        const int from_y = i / WIDE + line % KERNEL - PAD + ABOVE;
                        if (from_x >= 0 && from_x < WIDE && from_y >= 0 && from_y < HIGH)
                            sum[(line * KERNEL + kx) * PER_LANE + c] +=
                                v[(line / KERNEL * HIGH + from_y) * WIDE + from_x] * part[i / 4][i % 4];
                    }
        }
        y += ROWS;
        const bool next = WHOLE || y >= height;
        y = next ? 0 : y;
        const int rows = next ? ROWS - height : ROWS;
        [[unroll]] for (int f = 0; f < FETCHES; f++) h_place[f] += (next ? ht.stride_n : 0) + rows * pitch;
        [[unroll]] for (int c = 0; c < PER_LANE; c++) g_place[c] += (next ? gt.stride_n : 0) + rows * pitch;
    }
    store_sums(h0, g0);
}
