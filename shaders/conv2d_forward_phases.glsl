// Nearest upsampling by UP, then a 3x3 'same' convolution, from the input before it is upsampled. Along an
// axis with weights w0, w1, w2 and their sum S, the outputs of an input pixel y are the first, which sees the
// pixel before too, the last, which sees the next one too, and those in the middle, which see only y:
//   middle = S x[y],  first = middle - w0 (x[y] - x[y-1]),  last = middle + w2 (x[y+1] - x[y]),
// three products, nine for both axes, for any UP. Each is summed over the input channels on its own; the
// outputs are put together from the sums when they are stored.
// Lanes are output channels as in conv2d_lanes.glsl; a lane makes the outputs of a tile of WIDE x HIGH input
// pixels, and takes STEP input channels a turn.
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 2; // of a lane: 1, 2 or 4
layout(constant_id = 2) const int WIDE = 8;     // a multiple of 4
layout(constant_id = 3) const int HIGH = 4;
layout(constant_id = 4) const int UP = 4;
layout(constant_id = 5) const int STEP = 2;     // divides the input channels
const int ACROSS = WIDE / 4 + 2, ROWS = HIGH + 2, COLUMNS = WIDE + 2, PIXELS = WIDE * HIGH;
const int FETCHES = PARTS(STEP * ROWS * ACROSS, LANES), QUADS = PARTS(9 * CHANNELS, 4);
const int LINES = 2 * HIGH + 1; // the HIGH + 1 steps from row to row, then the tile's rows
#define LINE(t, py) ((t) == 0 ? (py) : (t) == 1 ? HIGH + 1 + (py) : (py) + 1)

// By pixel, tap, channel: a tap is 3 * its row's product (first, middle, last) + its column's.
float sum[PIXELS * 9 * CHANNELS];

// Class 0, 1, 2 (first, middle, last) of three sums.
float of_class(int part, float first, float middle, float last)
{
    return part == 0 ? middle - first : part == 1 ? middle : middle + last;
}

// The outputs of a channel over a pixel of the tile in a class of rows and one of columns.
float result(int c, int pixel, int row_class, int column_class)
{
    const int i = pixel * 9 * CHANNELS + c;
    float column[3];
    [[unroll]] for (int t = 0; t < 3; t++)
        column[t] = of_class(row_class, sum[i + t * CHANNELS], sum[i + (t + 3) * CHANNELS],
                             sum[i + (t + 6) * CHANNELS]);
    return of_class(column_class, column[0], column[1], column[2]);
}

// The class of an output row or column, counted from its input pixel's first.
int class_of(int place) { return place == 0 ? 0 : place == UP - 1 ? 2 : 1; }

void store(int n, int first_channel, int x0, int y0)
{
    const int to_width = p.to_width, to_pitch = int(p.to_at.pitch), height = p.from_height;
    [[unroll]] for (int c = 0; c < CHANNELS; c++)
        [[unroll]] for (int py = 0; py < HIGH; py++) {
            const bool inside = first_channel + c < p.to_channels && y0 + py < height;
            const int row = int(at(p.to_at, n, first_channel + c, (y0 + py) * UP, x0 * UP / 4));
            [[unroll]] for (int q = 0; q < WIDE * UP / 4; q++)
                if (inside && x0 * UP / 4 + q < to_pitch)
                    [[unroll]] for (int r = 0; r < UP; r++) {
                        vec4 v;
                        [[unroll]] for (int i = 0; i < 4; i++) {
                            const int x = q * 4 + i;
                            v[i] = result(c, py * WIDE + x / UP, class_of(r), class_of(x % UP));
                        }
                        to[row + r * to_pitch + q] = STORED(v, x0 * UP + q * 4, to_width);
                    }
        }
}

// Of a channel's outputs over wide x high pixels: how many, the mean less the first pixel's middle, the sum
// of squared distances from the mean, that middle. Counted from there, a large mean costs no digits.
vec4 moments(int c, int wide, int high)
{
    const float near = sum[4 * CHANNELS + c], count = float(wide * high * UP * UP);
    float total = 0.0, squares = 0.0, mean = 0.0;
    [[unroll]] for (int round = 0; round < 2; round++) {
        [[unroll]] for (int i = 0; i < PIXELS * 9; i++) {
            const int pixel = i / 9, row_class = i % 9 / 3, column_class = i % 3;
            const int times = (row_class == 1 ? UP - 2 : 1) * (column_class == 1 ? UP - 2 : 1);
            const bool inside = times > 0 && pixel % WIDE < wide && pixel / WIDE < high;
            const float d = result(c, pixel, row_class, column_class) - near - mean;
            if (round == 0) total += inside ? float(times) * d : 0.0;
            else squares += inside ? float(times) * (d * d) : 0.0;
        }
        mean = total / count;
    }
    return vec4(count, mean, squares, near);
}

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
        const int t = f * LANES + lane, s = t / (ROWS * ACROSS);
        const int r = y0 - 1 + t / ACROSS % ROWS, c = x0 / 4 - 1 + t % ACROSS;
        inside[f] = s < STEP && r >= 0 && r < height && c >= 0 && c < pitch;
        place[f] = start + (inside[f] ? s * plane + r * pitch + c : 0);
    }
    int weight_place = int(p.weights_at.offset + block * p.weights_at.stride_n) + lane;
    const vec4 bias = WEIGHTS(weight_place + channels * QUADS * LANES);
    [[unroll]] for (int i = 0; i < PIXELS * 9 * CHANNELS; i++)
        sum[i] = i / CHANNELS % 9 == 4 ? bias[i % CHANNELS] : 0.0;

    for (int channel = 0; channel < channels; channel += STEP) {
        vec4 fetched[FETCHES], w[STEP * QUADS];
        float x[STEP * ROWS * COLUMNS], v[STEP * LINES * COLUMNS], d[STEP * LINES * COLUMNS];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            fetched[f] = mix(vec4(0.0), FROM(place[f]), bvec4(inside[f]));
            place[f] += STEP * plane;
        }
        [[unroll]] for (int i = 0; i < STEP * ROWS * COLUMNS; i++) {
            const int c = i % COLUMNS + 3, t = i / COLUMNS * ACROSS + c / 4;
            x[i] = subgroupShuffle(fetched[t / LANES][c % 4], t % LANES);
        }
        [[unroll]] for (int i = 0; i < STEP * LINES * COLUMNS; i++) {
            const int line = i / COLUMNS % LINES, s = i / COLUMNS / LINES;
            const int from = (s * ROWS + (line <= HIGH ? line : line - HIGH)) * COLUMNS + i % COLUMNS;
            v[i] = line <= HIGH ? x[from + COLUMNS] - x[from] : x[from];
        }
        [[unroll]] for (int i = 0; i < STEP * LINES * COLUMNS; i++)
            d[i] = i % COLUMNS == COLUMNS - 1 ? 0.0 : v[i + 1] - v[i];
        [[unroll]] for (int q = 0; q < STEP * QUADS; q++) w[q] = WEIGHTS(weight_place + q * LANES);
        weight_place += STEP * QUADS * LANES;
        [[unroll]] for (int t = 0; t < 9; t++)
            [[unroll]] for (int i = 0; i < PIXELS * CHANNELS; i++)
                [[unroll]] for (int s = 0; s < STEP; s++) {
                    const int pixel = i / CHANNELS, c = i % CHANNELS, weight = t * CHANNELS + c;
                    const int from = (s * LINES + LINE(t / 3, pixel / WIDE)) * COLUMNS + pixel % WIDE;
                    sum[(pixel * 9 + t) * CHANNELS + c] +=
                        (t % 3 == 0 ? d[from] : t % 3 == 1 ? v[from + 1] : d[from + 1]) *
                        w[s * QUADS + weight / 4][weight % 4];
                }
    }

    const int first_channel = (block * LANES + lane) * CHANNELS;
    store(n, first_channel, x0, y0);
    if (!MOMENTS) return;
    const int tile = int(gl_WorkGroupID.y) * p.tiles_across + int(gl_WorkGroupID.x);
    const int wide = min(WIDE, p.to_width / UP - x0), high = min(HIGH, height - y0);
    [[unroll]] for (int c = 0; c < CHANNELS; c++)
        if (first_channel + c < p.to_channels)
            parts[at(p.parts_at, n, first_channel + c, tile, 0)] = moments(c, wide, high);
}
