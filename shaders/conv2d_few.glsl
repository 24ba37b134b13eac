// A 'same' convolution of stride 1, or its gradient by the input, of few input channels: lanes are pixels,
// and a lane keeps what goes into them of all CHANNELS while it makes one output channel after the other.
// The weights are fetched by the lanes together and spread.
#include "pixels.glsl"
const int RECORD = PARTS(TAPS, 4), BIAS = CHANNELS * RECORD, FETCHES = PARTS(BIAS + 1, LANES);

void main()
{
    find_tile();
    float x[CHANNELS * TILE];
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        float of_channel[TILE];
        fetch_tile(c * int(p.from_at.plane), of_channel);
        [[unroll]] for (int i = 0; i < TILE; i++) x[c * TILE + i] = of_channel[i];
    }
    // Lanes beyond the last weight fetch it again.
    int weight_place[FETCHES];
    [[unroll]] for (int f = 0; f < FETCHES; f++)
        weight_place[f] = int(p.weights_at.offset) + min(f * LANES + lane, BIAS);
    const int to_channels = p.to_channels, weights_each = int(p.weights_at.stride_n);

    find_target();
    for (int channel = 0; channel < to_channels; channel++) {
        vec4 fetched[FETCHES];
        [[unroll]] for (int f = 0; f < FETCHES; f++)
            fetched[f] = WEIGHTS(weight_place[f] + channel * weights_each);
        const float bias = subgroupShuffle(fetched[BIAS / LANES].x, BIAS % LANES);
        float sum[SUMS];
        [[unroll]] for (int i = 0; i < SUMS; i++) sum[i] = bias;
        [[unroll]] for (int c = 0; c < CHANNELS; c++)
            [[unroll]] for (int t = 0; t < TAPS; t++) {
                const int quad = c * RECORD + t / 4;
                const float w = subgroupShuffle(fetched[quad / LANES][t % 4], quad % LANES);
                [[unroll]] for (int i = 0; i < SUMS; i++) {
                    const int row = c * ROWS + i / WIDE + t / KERNEL;
                    sum[i] += x[row * COLUMNS + i % WIDE + t % KERNEL] * w;
                }
            }
        store_tile(channel, sum);
    }
}
