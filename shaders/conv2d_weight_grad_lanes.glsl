// The weight gradient of a stride-1 convolution that keeps the size, for a few channels of one operand and
// many of the other: CHANNELS of H are fetched together, with what the taps reach around the tile, and spread
// to all lanes by shuffles. Every sum stays in registers to the end.
#extension GL_GOOGLE_include_directive : require
#include "conv2d_weight_grad.glsl"

const int SIDE = PAD > 0 ? 1 : 0;
const int HIGH = ROWS + 2 * PAD, WIDE = SPAN + 2 * SIDE; // what a tile needs of H: pixels by quads
const int FETCHES = (HIGH * CHANNELS + LANES - 1) / LANES; // of a column of quads
const int ACROSS = SPAN * 4 + 2 * PAD;                   // what is used of its width, in pixels

void main()
{
    const int lane = int(gl_SubgroupInvocationID), height = int(p.height), wide = int(p.ht.pitch);
    const uint h_channels = p.h_channels, g_channels = p.g_channels, tile_rows = p.tile_rows;
    const uint g0 = gl_WorkGroupID.x * LANES * PER_LANE + lane, h0 = gl_WorkGroupID.y * CHANNELS;
    const Tensor ht = p.ht, gt = p.gt;

    // Channels beyond the last one repeat it: their sums are not stored.
    int row[FETCHES];
    uint h_start[FETCHES], g_start[PER_LANE];
    [[unroll]] for (int f = 0; f < FETCHES; f++) {
        const int t = min(f * LANES + lane, HIGH * CHANNELS - 1);
        row[f] = t % HIGH - PAD;
        h_start[f] = ht.offset + min(h0 + uint(t / HIGH), h_channels - 1) * ht.plane;
    }
    [[unroll]] for (int c = 0; c < PER_LANE; c++)
        g_start[c] = gt.offset + min(g0 + c * LANES, g_channels - 1) * gt.plane;

    [[unroll]] for (int i = 0; i < SUMS; i++) sum[i] = 0.0;
    const uint begin = gl_WorkGroupID.z * p.rows_a_group, end = min(begin + p.rows_a_group, p.rows);
    for (uint r = begin; r < end; r++) {
        const uint n = r / tile_rows;
        const int y = int(r % tile_rows) * ROWS;
        uint line[FETCHES];
        bool inside[FETCHES];
        vec4 column[FETCHES * WIDE]; // the first 2 * SIDE are those of the tile before
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            inside[f] = y + row[f] >= 0 && y + row[f] < height;
            line[f] = h_start[f] + n * ht.stride_n + (inside[f] ? uint((y + row[f]) * wide) : 0);
            [[unroll]] for (int q = 0; q < 2 * SIDE; q++)
                column[q * FETCHES + f] = q == 1 && inside[f] ? quad(h, line[f]) : vec4(0.0);
        }
        for (int x = 0; x < wide; x += SPAN) {
            [[unroll]] for (int i = 2 * SIDE * FETCHES; i < FETCHES * WIDE; i++) {
                const int f = i % FETCHES, hx = x + i / FETCHES - SIDE;
                column[i] = quad(h, line[f] + (hx < wide ? hx : 0));
                if (!inside[f] || hx >= wide) column[i] = vec4(0.0);
            }
            float v[CHANNELS * HIGH * ACROSS];
            [[unroll]] for (int i = 0; i < CHANNELS * HIGH * ACROSS; i++) {
                const int px = i % ACROSS + 4 * SIDE - PAD, t = i / ACROSS;
                v[i] = subgroupShuffle(column[px / 4 * FETCHES + t / LANES][px % 4], t % LANES);
            }
            [[unroll]] for (int c = 0; c < PER_LANE; c++) {
                vec4 part[ROWS * SPAN];
                [[unroll]] for (int i = 0; i < ROWS * SPAN; i++) {
                    const int py = i / SPAN, px = i % SPAN, gy = y + py, gx = x + px;
                    const bool within = (py == 0 || gy < height) && (px == 0 || gx < wide);
                    part[i] = quad(g, g_start[c] + n * gt.stride_n + (within ? gy * wide + gx : 0));
                    if (!within) part[i] = vec4(0.0);
                }
                // The sums of a row of taps in turn: a single one would wait for its own additions.
                [[unroll]] for (int row = 0; row < CHANNELS * KERNEL; row++)
                    [[unroll]] for (int i = 0; i < ROWS * SPAN * 4; i++)
                        [[unroll]] for (int kx = 0; kx < KERNEL; kx++) {
                            const int py = i / (SPAN * 4), px = i % (SPAN * 4);
                            const int from = row / KERNEL * HIGH + row % KERNEL + py;
                            sum[(row * KERNEL + kx) * PER_LANE + c] +=
                                v[from * ACROSS + px + kx] * part[py * SPAN + px / 4][px % 4];
                        }
            }
            [[unroll]] for (int i = 0; i < 2 * SIDE * FETCHES; i++) column[i] = column[i + SPAN * FETCHES];
        }
    }
    store_sums(h0, g0);
}
