// The weight gradient of a 3x3 convolution of an input upsampled to the nearest, at the input's resolution.
// Along an axis let F be the gradient of the first output of an input pixel, L that of the last,
// T the sum of all. The first output sees the pixel before and this one, the last this one and the next, the
// others only this one, so
//   dw1 = sum T[y] x[y],  dw0 = dw1 + sum F[y] (x[y-1] - x[y]),  dw2 = dw1 + sum L[y] (x[y+1] - x[y]):
// three products, nine for both axes, instead of one for each output and tap. A group takes one of F, T, L
// for the rows (AXIS 0, 1, 2) and all three for the columns. For T the rows arrive summed
// (conv2d_phase_sums). Lanes, channels and partial results are like those of conv2d_weight_grad_lanes.glsl;
// a row of weights is put together from T and F or L by conv2d_weight_grad_phases_sum.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int LANES = 8;
layout(constant_id = 1) const int UPSAMPLE = 4;  // 2 to 4
layout(constant_id = 2) const int CHANNELS = 16; // of the input a group
layout(constant_id = 3) const int PER_LANE = 4;  // channels of the gradient a lane
layout(constant_id = 4) const int SPAN = 1;      // width of a tile, in quads of pixels
layout(constant_id = 5) const int ROWS = 1;      // height of a tile
layout(constant_id = 6) const int AXIS = 1;
#include "conv2d_phase_columns.glsl"
layout(std430, binding = 0) writeonly buffer P { float parts[]; }; // [part][axis][co][ci][3]
QUADS(1, h); // the input
QUADS(2, g); // the gradient, for T its sums
layout(push_constant) uniform Push {
    Tensor pt, ht, gt;          // pt: "pictures" are partial results, "channels" axes
    uint height, tile_rows;     // of a picture: in pixels, in tiles
    uint h_channels, g_channels;
    uint rows, rows_a_group;    // rows of tiles of all pictures
    uint first;                 // partial result of the dispatch's first group
} p;

const int WIDE = SPAN + 2, ACROSS = SPAN * 4 + 2;          // what a tile needs of the input: quads, pixels
const int FETCHES = (CHANNELS + LANES - 1) / LANES;        // of a column of quads, a line

vec4 quad_of_h(uint plane, int y, int x, int height, int wide)
{
    const bool inside = y >= 0 && y < height && x < wide;
    vec4 v = quad(h, plane + uint(inside ? y * wide + x : 0));
    if (!inside) v = vec4(0.0);
    return v;
}

// This group's part of the rows: the input, or its difference from the row above or below.
vec4 fetch_h(uint plane, int y, int x, int height, int wide)
{
    const vec4 here = quad_of_h(plane, y, x, height, wide);
    return AXIS == 1 ? here : quad_of_h(plane, AXIS == 0 ? y - 1 : y + 1, x, height, wide) - here;
}

// F, T and L of a quad of columns, for this group's part of the rows, of a channel that starts at `start`.
void fetch_g(uint start, uint pitch, uint channels, uint y, uint x, bool inside, out vec4 v[3])
{
    if (AXIS == 1) {
        [[unroll]] for (uint k = 0; k < 3; k++) {
            v[k] = quad(g, start + (inside ? y * pitch + (x * 3 + k) * channels : 0));
            if (!inside) v[k] = vec4(0.0);
        }
        return;
    }
    const uint line = y * UPSAMPLE + (AXIS == 0 ? 0 : UPSAMPLE - 1);
    vec4 quads[4];
    [[unroll]] for (uint q = 0; q < UPSAMPLE; q++) {
        const bool within = inside && x * UPSAMPLE + q < pitch;
        quads[q] = quad(g, start + (within ? line * pitch + x * UPSAMPLE + q : 0));
        if (!within) quads[q] = vec4(0.0);
    }
    phase_columns(quads, v);
}

void main()
{
    const int lane = int(gl_SubgroupInvocationID), height = int(p.height), wide = int(p.ht.pitch);
    const uint h_channels = p.h_channels, g_channels = p.g_channels, tile_rows = p.tile_rows;
    const uint g0 = gl_WorkGroupID.x * LANES * PER_LANE + lane, h0 = gl_WorkGroupID.y * CHANNELS;
    const Tensor ht = p.ht, gt = p.gt;

    // Channels beyond the last one repeat it: their sums are not stored.
    uint h_start[FETCHES], g_start[PER_LANE];
    [[unroll]] for (int f = 0; f < FETCHES; f++)
        h_start[f] = ht.offset + min(h0 + f * LANES + lane, h_channels - 1) * ht.plane;
    [[unroll]] for (int c = 0; c < PER_LANE; c++)
        g_start[c] = gt.offset + min(g0 + c * LANES, g_channels - 1) * (AXIS == 1 ? 1 : gt.plane);

    float sum[CHANNELS * 3 * PER_LANE];
    [[unroll]] for (int i = 0; i < CHANNELS * 3 * PER_LANE; i++) sum[i] = 0.0;
    const uint begin = gl_WorkGroupID.z * p.rows_a_group, end = min(begin + p.rows_a_group, p.rows);
    for (uint r = begin; r < end; r++) {
        const uint n = r / tile_rows;
        const int y = int(r % tile_rows) * ROWS;
        vec4 column[FETCHES * ROWS * WIDE]; // the first two are those of the tile before
        [[unroll]] for (int i = 0; i < FETCHES * ROWS; i++) {
            column[i] = vec4(0.0);
            column[i + FETCHES * ROWS] =
                fetch_h(h_start[i / ROWS] + n * ht.stride_n, y + i % ROWS, 0, height, wide);
        }
        for (int x = 0; x < wide; x += SPAN) {
            vec4 part_g[PER_LANE * ROWS * SPAN][3];
            [[unroll]] for (int i = 0; i < PER_LANE * ROWS * SPAN; i++) {
                const int py = i / SPAN % ROWS, px = i % SPAN;
                const bool inside = (py == 0 || y + py < height) && (px == 0 || x + px < wide);
                fetch_g(g_start[i / (SPAN * ROWS)] + n * gt.stride_n, gt.pitch, g_channels, y + py, x + px,
                        inside, part_g[i]);
            }
            [[unroll]] for (int i = 2 * FETCHES * ROWS; i < WIDE * FETCHES * ROWS; i++)
                column[i] = fetch_h(h_start[i / ROWS % FETCHES] + n * ht.stride_n, y + i % ROWS,
                                    x + i / (FETCHES * ROWS) - 1, height, wide);
            float v[CHANNELS * ROWS * ACROSS];
            [[unroll]] for (int i = 0; i < CHANNELS * ROWS * ACROSS; i++) {
                const int px = i % ACROSS + 3, t = i / ACROSS / ROWS, line = i / ACROSS % ROWS;
                const int fetch = (px / 4 * FETCHES + t / LANES) * ROWS + line;
                v[i] = subgroupShuffle(column[fetch][px % 4], t % LANES);
            }
            float step[CHANNELS * ROWS * ACROSS]; // to the next pixel
            [[unroll]] for (int i = 0; i < CHANNELS * ROWS * ACROSS; i++)
                step[i] = i % ACROSS == ACROSS - 1 ? 0.0 : v[i + 1] - v[i];
            [[unroll]] for (int c = 0; c < PER_LANE; c++)
                [[unroll]] for (int a = 0; a < CHANNELS; a++)
                    [[unroll]] for (int i = 0; i < ROWS * SPAN * 4; i++) {
                        const int py = i / (SPAN * 4), px = i % (SPAN * 4);
                        const int q = (c * ROWS + py) * SPAN + px / 4;
                        const int k = (a * ROWS + py) * ACROSS + px, s = a * 3 * PER_LANE + c;
                        sum[s] += step[k] * part_g[q][0][px % 4];
                        sum[s + PER_LANE] += v[k + 1] * part_g[q][1][px % 4];
                        sum[s + 2 * PER_LANE] += step[k + 1] * part_g[q][2][px % 4];
                    }
            [[unroll]] for (int i = 0; i < 2 * FETCHES * ROWS; i++)
                column[i] = column[i + SPAN * FETCHES * ROWS];
        }
    }

    const uint place = p.pt.offset + (p.first + gl_WorkGroupID.z) * p.pt.stride_n + AXIS * p.pt.plane;
    [[unroll]] for (int a = 0; a < CHANNELS; a++)
        [[unroll]] for (int c = 0; c < PER_LANE; c++) {
            if (h0 + a >= h_channels || g0 + c * LANES >= g_channels) continue;
            const uint weights = place + ((g0 + c * LANES) * h_channels + h0 + a) * 3;
            const int s = a * 3 * PER_LANE + c;
            parts[weights] = sum[s + PER_LANE] - sum[s];
            parts[weights + 1] = sum[s + PER_LANE];
            parts[weights + 2] = sum[s + PER_LANE] + sum[s + 2 * PER_LANE];
        }
}
