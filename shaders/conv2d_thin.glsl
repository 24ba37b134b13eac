// A 'same' convolution of stride 1, or its gradient by the input, with few output channels: lanes are pixels,
// and a lane makes all CHANNELS of them. The weights are fetched by the lanes together and spread.
#include "pixels.glsl"
const int WEIGHTS_EACH = PARTS(TAPS * CHANNELS, 4), FETCHES = PARTS(WEIGHTS_EACH, LANES);

void main()
{
    find_tile();
    const int plane = int(p.from_at.plane), channels = p.from_channels, weights_at = int(p.weights_at.offset);
    // Lanes beyond the last weight fetch it again.
    int weight_place[FETCHES];
    [[unroll]] for (int f = 0; f < FETCHES; f++)
        weight_place[f] = weights_at + min(f * LANES + lane, WEIGHTS_EACH - 1);
    const vec4 bias = WEIGHTS(weights_at + channels * WEIGHTS_EACH);
    float sum[SUMS * CHANNELS];
    [[unroll]] for (int i = 0; i < SUMS * CHANNELS; i++) sum[i] = bias[i % CHANNELS];

    for (int channel = 0; channel < channels; channel++) {
        vec4 fetched[FETCHES];
        float w[TAPS * CHANNELS], x[TILE];
        [[unroll]] for (int f = 0; f < FETCHES; f++)
            fetched[f] = WEIGHTS(weight_place[f] + channel * WEIGHTS_EACH);
        [[unroll]] for (int i = 0; i < TAPS * CHANNELS; i++)
            w[i] = subgroupShuffle(fetched[i / 4 / LANES][i % 4], i / 4 % LANES);
        fetch_tile(channel * plane, x);
        // A tap for all sums of a row: one sum after the other would wait for its own additions.
        [[unroll]] for (int r = 0; r < HIGH; r++)
            [[unroll]] for (int t = 0; t < TAPS; t++)
                [[unroll]] for (int i = 0; i < WIDE * CHANNELS; i++) {
                    const int from = (r + t / KERNEL) * COLUMNS + i / CHANNELS + t % KERNEL;
                    sum[r * WIDE * CHANNELS + i] += x[from] * w[t * CHANNELS + i % CHANNELS];
                }
    }

    find_target();
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        float of_channel[SUMS];
        [[unroll]] for (int i = 0; i < SUMS; i++) of_channel[i] = sum[i * CHANNELS + c];
        store_tile(c, of_channel);
    }
}
