// A 'same' convolution of stride 1, or its gradient by the input, with few output channels: lanes are pixels.
// A lane makes HIGH rows of QUADS quadruples for all CHANNELS; LANES_ACROSS lanes stand side by side, the
// others below them. The weights are fetched by the lanes together and spread.
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 2; // all of the output's
layout(constant_id = 2) const int QUADS = 2;
layout(constant_id = 3) const int HIGH = 4;
layout(constant_id = 4) const int KERNEL = 5;
layout(constant_id = 5) const bool ADD = false;
layout(constant_id = 6) const int LANES_ACROSS = 8;
const int PAD = KERNEL / 2, SIDE = PAD > 0 ? 1 : 0, TAPS = KERNEL * KERNEL;
const int ACROSS = QUADS + 2 * SIDE, ROWS = HIGH + 2 * PAD, WIDE = QUADS * 4;
const int WEIGHTS_EACH = PARTS(TAPS * CHANNELS, 4), FETCHES = PARTS(WEIGHTS_EACH, LANES);

void main()
{
    const int lane = int(gl_SubgroupInvocationID), height = p.from_height, n = int(gl_WorkGroupID.z);
    const int q0 = (int(gl_WorkGroupID.x) * LANES_ACROSS + lane % LANES_ACROSS) * QUADS;
    const int y0 = (int(gl_WorkGroupID.y) * (LANES / LANES_ACROSS) + lane / LANES_ACROSS) * HIGH;
    const int plane = int(p.from_at.plane), pitch = int(p.from_at.pitch), channels = p.from_channels;
    const int start = int(p.from_at.offset + n * p.from_at.stride_n);
    int row_place[ROWS], column_place[ACROSS], weight_place[FETCHES];
    bool row_inside[ROWS], column_inside[ACROSS];
    [[unroll]] for (int r = 0; r < ROWS; r++) {
        row_inside[r] = y0 + r - PAD >= 0 && y0 + r - PAD < height;
        row_place[r] = start + (row_inside[r] ? (y0 + r - PAD) * pitch : 0);
    }
    [[unroll]] for (int q = 0; q < ACROSS; q++) {
        column_inside[q] = q0 + q - SIDE >= 0 && q0 + q - SIDE < pitch;
        column_place[q] = column_inside[q] ? q0 + q - SIDE : 0;
    }
    // Lanes beyond the last weight fetch it again.
    [[unroll]] for (int f = 0; f < FETCHES; f++)
        weight_place[f] = int(p.weights_at.offset) + min(f * LANES + lane, WEIGHTS_EACH - 1);
    const vec4 bias = WEIGHTS(int(p.weights_at.offset) + channels * WEIGHTS_EACH);
    float sum[HIGH * WIDE * CHANNELS];
    [[unroll]] for (int i = 0; i < HIGH * WIDE * CHANNELS; i++) sum[i] = bias[i % CHANNELS];

    for (int channel = 0; channel < channels; channel++) {
        vec4 fetched[FETCHES], x[ROWS * ACROSS];
        float w[TAPS * CHANNELS];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            fetched[f] = WEIGHTS(weight_place[f]);
            weight_place[f] += WEIGHTS_EACH;
        }
        [[unroll]] for (int i = 0; i < TAPS * CHANNELS; i++)
            w[i] = subgroupShuffle(fetched[i / 4 / LANES][i % 4], i / 4 % LANES);
        [[unroll]] for (int r = 0; r < ROWS; r++) {
            [[unroll]] for (int q = 0; q < ACROSS; q++)
                x[r * ACROSS + q] = mix(vec4(0.0), FROM(row_place[r] + column_place[q]),
                                        bvec4(row_inside[r] && column_inside[q]));
            row_place[r] += plane;
        }
        [[unroll]] for (int py = 0; py < HIGH; py++)
            [[unroll]] for (int px = 0; px < WIDE; px++)
                [[unroll]] for (int c = 0; c < CHANNELS; c++)
                    [[unroll]] for (int t = 0; t < TAPS; t++) {
                        const int column = px + t % KERNEL + 4 * SIDE - PAD;
                        sum[(py * WIDE + px) * CHANNELS + c] +=
                            x[(py + t / KERNEL) * ACROSS + column / 4][column % 4] * w[t * CHANNELS + c];
                    }
    }

    const int to_width = p.to_width, to_height = p.to_height, to_pitch = int(p.to_at.pitch);
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        const int row = int(at(p.to_at, n, c, y0, q0));
        [[unroll]] for (int py = 0; py < HIGH; py++)
            [[unroll]] for (int q = 0; q < QUADS; q++) {
                if (y0 + py >= to_height || q0 + q >= to_pitch) continue;
                const int i = (py * WIDE + q * 4) * CHANNELS + c, target = row + py * to_pitch + q;
                vec4 v = vec4(sum[i], sum[i + CHANNELS], sum[i + 2 * CHANNELS], sum[i + 3 * CHANNELS]);
                v = STORED(v, (q0 + q) * 4, to_width);
                to[target] = ADD ? to[target] + v : v;
            }
    }
}
