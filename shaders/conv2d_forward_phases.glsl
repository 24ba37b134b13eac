// Nearest upsampling by UP, then a 3x3 'same' convolution, from the input before it is upsampled. Output
// rows of an input row y fall into classes that read the same inputs with the same summed weights: the
// first (inputs y-1, y), those in the middle (y) and the last (y, y+1); columns likewise. So every input
// pixel has 5 x 5 summed taps (4 x 4 where UP is 2 and there is no middle) in place of UP * UP * 9.
// Lanes are output channels as in conv2d_lanes.glsl; a lane makes the outputs of a class of rows for a tile
// of WIDE x HIGH input pixels.
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 4; // of a lane: 1, 2 or 4
layout(constant_id = 2) const int WIDE = 16;    // a multiple of 4
layout(constant_id = 3) const int HIGH = 1;
layout(constant_id = 4) const int UP = 4;
layout(constant_id = 5) const bool MIDDLE = false; // the rows in the middle; else the first and the last rows
const int CLASSES = UP == 2 ? 2 : 3, TAPS = CLASSES + 2, TAP_ROWS = MIDDLE ? 1 : 2;
const int ACROSS = WIDE / 4 + 2, ROWS = HIGH + TAP_ROWS - 1, COLUMNS = WIDE + 2;
const int FETCHES = PARTS(ROWS * ACROSS, LANES), QUADS = PARTS(TAPS * CHANNELS, 4); // QUADS: of a row of taps
const int SUMS = WIDE * CLASSES * CHANNELS;                                         // of a row of the tile

// The tap of a row reads the input this far to the right, and belongs to this class of outputs.
#define SHIFT(tap) ((tap) == 0 ? -1 : (tap) == TAPS - 1 ? 1 : 0)
#define CLASS(tap) ((tap) < 2 ? 0 : (tap) < TAPS - 2 ? 1 : CLASSES - 1)
// The class of an output column, counted from its input pixel's first.
#define COLUMN_CLASS(column) ((column) == 0 ? 0 : (column) < UP - 1 ? 1 : CLASSES - 1)
#define SUM(py, x, c) sum[(py) * SUMS + ((x) / UP * CLASSES + COLUMN_CLASS((x) % UP)) * CHANNELS + (c)]

void main()
{
    const int lane = int(gl_SubgroupInvocationID), blocks = p.blocks, height = p.from_height;
    const int x0 = int(gl_WorkGroupID.x) * WIDE, y0 = int(gl_WorkGroupID.y) * HIGH;
    const int block = int(gl_WorkGroupID.z) % blocks;
    // Without the middle, every other z takes the last rows, the others the first.
    const int picture = int(gl_WorkGroupID.z) / blocks, n = MIDDLE ? picture : picture / 2;
    const int last = MIDDLE ? 0 : picture % 2;
    const int plane = int(p.from_at.plane), pitch = int(p.from_at.pitch), channels = p.from_channels;
    const int start = int(p.from_at.offset + n * p.from_at.stride_n);
    int place[FETCHES];
    bool inside[FETCHES];
    [[unroll]] for (int f = 0; f < FETCHES; f++) {
        const int t = f * LANES + lane, c = x0 / 4 - 1 + t % ACROSS;
        const int r = y0 + t / ACROSS + (MIDDLE ? 0 : last - 1);
        inside[f] = t < ROWS * ACROSS && r >= 0 && r < height && c >= 0 && c < pitch;
        place[f] = start + (inside[f] ? r * pitch + c : 0);
    }
    const int first_weight = int(p.weights_at.offset + block * p.weights_at.stride_n) + lane;
    const vec4 bias = WEIGHTS(first_weight + channels * TAPS * QUADS * LANES);
    int weight_place = first_weight + (MIDDLE ? 2 : last * (TAPS - 2)) * QUADS * LANES;
    float sum[HIGH * SUMS];
    [[unroll]] for (int i = 0; i < HIGH * SUMS; i++) sum[i] = bias[i % CHANNELS];

    for (int channel = 0; channel < channels; channel++) {
        vec4 fetched[FETCHES], w[TAP_ROWS * QUADS];
        float x[ROWS * COLUMNS];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            fetched[f] = mix(vec4(0.0), FROM(place[f]), bvec4(inside[f]));
            place[f] += plane;
        }
        [[unroll]] for (int r = 0; r < ROWS; r++)
            [[unroll]] for (int c = 0; c < COLUMNS; c++) {
                const int t = r * ACROSS + (c + 3) / 4;
                x[r * COLUMNS + c] = subgroupShuffle(fetched[t / LANES][(c + 3) % 4], t % LANES);
            }
        [[unroll]] for (int q = 0; q < TAP_ROWS * QUADS; q++) w[q] = WEIGHTS(weight_place + q * LANES);
        weight_place += TAPS * QUADS * LANES;
        [[unroll]] for (int two = 0; two < HIGH * WIDE / 2; two++)
            [[unroll]] for (int ty = 0; ty < TAP_ROWS; ty++)
                [[unroll]] for (int tx = 0; tx < TAPS; tx++)
                    [[unroll]] for (int i = 0; i < 2 * CHANNELS; i++) {
                        const int py = two / (WIDE / 2), px = two % (WIDE / 2) * 2 + i / CHANNELS;
                        const int c = i % CHANNELS, weight = tx * CHANNELS + c;
                        sum[py * SUMS + (px * CLASSES + CLASS(tx)) * CHANNELS + c] +=
                            x[(py + ty) * COLUMNS + px + SHIFT(tx) + 1] *
                            w[ty * QUADS + weight / 4][weight % 4];
                    }
    }

    const int to_width = p.to_width, to_pitch = int(p.to_at.pitch);
    const int first_row = MIDDLE ? 1 : last * (UP - 1), end_row = MIDDLE ? UP - 1 : first_row + 1;
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        const int o = (block * LANES + lane) * CHANNELS + c;
        if (o >= p.to_channels) continue;
        [[unroll]] for (int py = 0; py < HIGH; py++) {
            if (y0 + py >= height) continue;
            const int row = int(at(p.to_at, n, o, (y0 + py) * UP + first_row, x0 * UP / 4));
            [[unroll]] for (int q = 0; q < WIDE * UP / 4; q++) {
                if (x0 * UP / 4 + q >= to_pitch) continue;
                const int x = q * 4;
                vec4 v = vec4(SUM(py, x, c), SUM(py, x + 1, c), SUM(py, x + 2, c), SUM(py, x + 3, c));
                v = STORED(v, x0 * UP + x, to_width);
                for (int r = 0; r < end_row - first_row; r++) to[row + r * to_pitch + q] = v;
            }
        }
    }
}
