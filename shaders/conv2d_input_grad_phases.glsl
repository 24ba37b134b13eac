// The gradient by the input of nearest upsampling by UP (2 or 4) and a 3x3 'same' convolution. See
// conv2d_forward_phases.glsl: output rows and columns fall into classes (first, middle, last of their input
// pixel); gradients of one class meet the same summed weight, so those in the middle are added up before
// anything else, and what is left is a convolution of stride CLASSES over classes of rows and columns, from
// the last of the pixel before to the first of the pixel after. The tile is WIDE x HIGH input pixels.
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 4; // of a lane: 1, 2 or 4
layout(constant_id = 2) const int WIDE = 8;     // a multiple of 4
layout(constant_id = 3) const int HIGH = 2;
layout(constant_id = 4) const int UP = 4;
layout(constant_id = 5) const bool ADD = false;
const int CLASSES = UP == 2 ? 2 : 3, TAPS = CLASSES + 2, QUADS = PARTS(TAPS * CHANNELS, 4); // of a tap row
const int ROWS = CLASSES * HIGH + 2, COLUMNS = CLASSES * WIDE + 2;                          // of classes
const int ACROSS = WIDE * UP / 4 + 2;
// Rows of classes that are one row of gradients, and those that are two in the middle.
const int MIDDLES = UP == 2 ? 0 : HIGH, SINGLES = ROWS - MIDDLES;
const int SINGLE_FETCHES = PARTS(SINGLES * ACROSS, LANES), MIDDLE_FETCHES = PARTS(MIDDLES * ACROSS, LANES);
const int FETCHES = SINGLE_FETCHES + MIDDLE_FETCHES;

// Row of gradients, counted from the tile's first, of single row s; of middle row m.
#define SINGLE_ROW(s) (UP == 2 ? (s) - 1 : (s) % 2 == 0 ? 2 * (s) - 1 : 2 * (s) - 2)
#define MIDDLE_ROW(m) (4 * (m) + 1)
// Where the quadruple of a row of classes is among the fetched ones. With UP 4 a quadruple is an input
// pixel's four columns; its third float becomes the last class.
#define IS_MIDDLE(row) (UP == 4 && (row) % 3 == 2)
#define FETCHED(row, across) (IS_MIDDLE(row) ? SINGLE_FETCHES * LANES + (row) / 3 * ACROSS + (across) \
                                             : (UP == 2 ? (row) : (row) - (row) / 3) * ACROSS + (across))
#define QUAD_OF(column) (UP == 2 ? ((column) + 3) / 4 : ((column) + 2) / 3)
#define PART_OF(column) (UP == 2 ? ((column) + 3) % 4 : ((column) + 2) % 3)

vec4 column_classes(vec4 v) { return UP == 2 ? v : vec4(v.x, v.y + v.z, v.w, 0.0); }

void main()
{
    const int lane = int(gl_SubgroupInvocationID), blocks = p.blocks, height = p.from_height;
    const int x0 = int(gl_WorkGroupID.x) * WIDE, y0 = int(gl_WorkGroupID.y) * HIGH;
    const int n = int(gl_WorkGroupID.z) / blocks, block = int(gl_WorkGroupID.z) % blocks;
    const int plane = int(p.from_at.plane), pitch = int(p.from_at.pitch), channels = p.from_channels;
    const int start = int(p.from_at.offset + n * p.from_at.stride_n);
    int place[FETCHES];
    bool inside[FETCHES];
    [[unroll]] for (int f = 0; f < FETCHES; f++) {
        const bool single = f < SINGLE_FETCHES;
        const int t = (single ? f : f - SINGLE_FETCHES) * LANES + lane, c = x0 * UP / 4 - 1 + t % ACROSS;
        const int r = y0 * UP + (single ? SINGLE_ROW(t / ACROSS) : MIDDLE_ROW(t / ACROSS));
        inside[f] = t / ACROSS < (single ? SINGLES : MIDDLES) && r >= 0 && r < height && c >= 0 && c < pitch;
        place[f] = start + (inside[f] ? r * pitch + c : 0);
    }
    int weight_place = int(p.weights_at.offset + block * p.weights_at.stride_n) + lane;
    float sum[HIGH * WIDE * CHANNELS];
    [[unroll]] for (int i = 0; i < HIGH * WIDE * CHANNELS; i++) sum[i] = 0.0;

    for (int channel = 0; channel < channels; channel++) {
        vec4 fetched[FETCHES], w[TAPS * QUADS];
        float x[ROWS * COLUMNS];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            vec4 v = FROM(place[f]);
            if (f >= SINGLE_FETCHES) v += FROM(place[f] + (inside[f] ? pitch : 0));
            fetched[f] = column_classes(mix(vec4(0.0), v, bvec4(inside[f])));
            place[f] += plane;
        }
        [[unroll]] for (int r = 0; r < ROWS; r++)
            [[unroll]] for (int c = 0; c < COLUMNS; c++) {
                const int t = FETCHED(r, QUAD_OF(c));
                x[r * COLUMNS + c] = subgroupShuffle(fetched[t / LANES][PART_OF(c)], t % LANES);
            }
        [[unroll]] for (int q = 0; q < TAPS * QUADS; q++) w[q] = WEIGHTS(weight_place + q * LANES);
        weight_place += TAPS * QUADS * LANES;
        [[unroll]] for (int four = 0; four < HIGH * WIDE / 4; four++)
            [[unroll]] for (int t = 0; t < TAPS * TAPS; t++)
                [[unroll]] for (int i = 0; i < 4 * CHANNELS; i++) {
                    const int py = four / (WIDE / 4), px = four % (WIDE / 4) * 4 + i / CHANNELS;
                    const int ty = t / TAPS, tx = t % TAPS, weight = tx * CHANNELS + i % CHANNELS;
                    sum[four * 4 * CHANNELS + i] += x[(CLASSES * py + ty) * COLUMNS + CLASSES * px + tx] *
                                                    w[ty * QUADS + weight / 4][weight % 4];
                }
    }

    const int to_width = p.to_width, to_height = p.to_height, to_pitch = int(p.to_at.pitch);
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        const int o = (block * LANES + lane) * CHANNELS + c;
        const int row = int(at(p.to_at, n, o, y0, x0 / 4));
        if (o >= p.to_channels) continue;
        [[unroll]] for (int py = 0; py < HIGH; py++)
            [[unroll]] for (int q = 0; q < WIDE / 4; q++) {
                if (y0 + py >= to_height || x0 / 4 + q >= to_pitch) continue;
                const int i = (py * WIDE + q * 4) * CHANNELS + c, target = row + py * to_pitch + q;
                vec4 v = vec4(sum[i], sum[i + CHANNELS], sum[i + 2 * CHANNELS], sum[i + 3 * CHANNELS]);
                v = CROP(v, x0 + q * 4, to_width);
                to[target] = ADD ? to[target] + v : v;
            }
    }
}
