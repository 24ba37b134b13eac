// A 'same' convolution of stride 1, or, with weights packed for it, its gradient by the input: lanes are
// consecutive output channels, CHANNELS each; a lane makes a tile of WIDE x HIGH pixels of them. The sums of
// four pixels stay in registers while all that goes into them in a turn is added.
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 4; // of a lane: 1, 2 or 4
layout(constant_id = 2) const int WIDE = 16;    // a multiple of 4
layout(constant_id = 3) const int HIGH = 2;
layout(constant_id = 4) const int KERNEL = 3;
layout(constant_id = 5) const bool ADD = false;
const int PAD = KERNEL / 2, SIDE = PAD > 0 ? 1 : 0; // SIDE: quadruples beside the tile
const int ACROSS = WIDE / 4 + 2 * SIDE, ROWS = HIGH + 2 * PAD, COLUMNS = WIDE + 2 * PAD;
const int FETCHES = PARTS(ROWS * ACROSS, LANES), TAPS = KERNEL * KERNEL, QUADS = PARTS(TAPS * CHANNELS, 4);

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
        const int t = f * LANES + lane, r = y0 - PAD + t / ACROSS, c = x0 / 4 - SIDE + t % ACROSS;
        inside[f] = t < ROWS * ACROSS && r >= 0 && r < height && c >= 0 && c < pitch;
        place[f] = start + (inside[f] ? r * pitch + c : 0);
    }
    int weight_place = int(p.weights_at.offset + block * p.weights_at.stride_n) + lane;
    const vec4 bias = WEIGHTS(weight_place + channels * QUADS * LANES);
    float sum[HIGH * WIDE * CHANNELS];
    [[unroll]] for (int i = 0; i < HIGH * WIDE * CHANNELS; i++) sum[i] = bias[i % CHANNELS];

    for (int channel = 0; channel < channels; channel++) {
        vec4 fetched[FETCHES], w[QUADS];
        float x[ROWS * COLUMNS];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            fetched[f] = mix(vec4(0.0), FROM(place[f]), bvec4(inside[f]));
            place[f] += plane;
        }
        [[unroll]] for (int r = 0; r < ROWS; r++)
            [[unroll]] for (int c = 0; c < COLUMNS; c++) {
                const int from_left = c + 4 * SIDE - PAD, t = r * ACROSS + from_left / 4;
                x[r * COLUMNS + c] = subgroupShuffle(fetched[t / LANES][from_left % 4], t % LANES);
            }
        [[unroll]] for (int q = 0; q < QUADS; q++) w[q] = WEIGHTS(weight_place + q * LANES);
        weight_place += QUADS * LANES;
        [[unroll]] for (int four = 0; four < HIGH * WIDE / 4; four++)
            [[unroll]] for (int t = 0; t < TAPS; t++)
                [[unroll]] for (int i = 0; i < 4 * CHANNELS; i++) {
                    const int py = four / (WIDE / 4), px = four % (WIDE / 4) * 4 + i / CHANNELS;
                    const int weight = t * CHANNELS + i % CHANNELS;
                    sum[four * 4 * CHANNELS + i] += x[(py + t / KERNEL) * COLUMNS + px + t % KERNEL] *
                                                    w[weight / 4][weight % 4];
                }
    }

    const int to_width = p.to_width, to_height = p.to_height, to_pitch = int(p.to_at.pitch);
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        const int o = (block * LANES + lane) * CHANNELS + c;
        const int row = int(at(p.to_at, n, o, y0, x0 / 4));
        [[unroll]] for (int py = 0; py < HIGH; py++)
            [[unroll]] for (int q = 0; q < WIDE / 4; q++)
                if (o < p.to_channels && y0 + py < to_height && x0 / 4 + q < to_pitch) {
                    const int i = (py * WIDE + q * 4) * CHANNELS + c, target = row + py * to_pitch + q;
                    vec4 v = vec4(sum[i], sum[i + CHANNELS], sum[i + 2 * CHANNELS], sum[i + 3 * CHANNELS]);
                    v = STORED(v, x0 + q * 4, to_width);
                    to[target] = ADD ? to[target] + v : v;
                }
    }
    if (!MOMENTS) return;

    const int wide = min(WIDE, to_width - x0), high = min(HIGH, to_height - y0);
    const float count = float(wide * high);
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        const int o = (block * LANES + lane) * CHANNELS + c;
        if (o >= p.to_channels) continue;
        // From the first pixel on, so that a large mean costs no digits.
        float total = 0.0, squares = 0.0;
        [[unroll]] for (int i = 0; i < HIGH * WIDE; i++)
            total += i % WIDE < wide && i / WIDE < high ? sum[i * CHANNELS + c] - sum[c] : 0.0;
        const float mean = total / count;
        [[unroll]] for (int i = 0; i < HIGH * WIDE; i++) {
            const float d = sum[i * CHANNELS + c] - sum[c] - mean;
            squares += i % WIDE < wide && i / WIDE < high ? d * d : 0.0;
        }
        const int tile = int(gl_WorkGroupID.y) * p.tiles_across + int(gl_WorkGroupID.x);
        parts[at(p.parts_at, n, o, tile, 0)] = vec4(count, mean, squares, sum[c]);
    }
}
