// The gradient by the input of nearest upsampling and a 3x3 'same' convolution: for each of the nine products
// of conv2d_phase_steps.glsl a 1x1 convolution, all into one sum. Lanes are channels of the input as in
// conv2d_lanes.glsl; the tile is TILE quadruples of pixels in the order in which they lie in a plane.
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 4; // of a lane: 1, 2 or 4
layout(constant_id = 2) const int TILE = 8;
layout(constant_id = 3) const bool ADD = false;
const int FETCHES = PARTS(9 * TILE, LANES), QUADS = PARTS(9 * CHANNELS, 4);

void main()
{
    const int lane = int(gl_SubgroupInvocationID), blocks = p.blocks, tile = int(gl_WorkGroupID.x);
    const int n = int(gl_WorkGroupID.z) / blocks, block = int(gl_WorkGroupID.z) % blocks;
    // Of what was prepared a tile is a plane, and a channel a row of it.
    const int pitch = int(p.from_at.pitch), channels = p.from_height;
    const int start = int(at(p.from_at, n, tile, 0, 0));
    int place[FETCHES];
    [[unroll]] for (int f = 0; f < FETCHES; f++) place[f] = start + min(f * LANES + lane, 9 * TILE - 1);
    int weight_place = int(p.weights_at.offset + block * p.weights_at.stride_n) + lane;
    float sum[TILE * 4 * CHANNELS];
    [[unroll]] for (int i = 0; i < TILE * 4 * CHANNELS; i++) sum[i] = 0.0;

    for (int channel = 0; channel < channels; channel++) {
        vec4 fetched[FETCHES], w[QUADS];
        [[unroll]] for (int f = 0; f < FETCHES; f++) {
            fetched[f] = FROM(place[f]);
            place[f] += pitch;
        }
        [[unroll]] for (int q = 0; q < QUADS; q++) w[q] = WEIGHTS(weight_place + q * LANES);
        weight_place += QUADS * LANES;
        [[unroll]] for (int q = 0; q < TILE; q++) {
            float x[9 * 4];
            [[unroll]] for (int i = 0; i < 9 * 4; i++) {
                const int t = i / 4 * TILE + q;
                x[i] = subgroupShuffle(fetched[t / LANES][i % 4], t % LANES);
            }
            [[unroll]] for (int t = 0; t < 9; t++)
                [[unroll]] for (int i = 0; i < 4 * CHANNELS; i++) {
                    const int weight = t * CHANNELS + i % CHANNELS;
                    sum[q * 4 * CHANNELS + i] += x[t * 4 + i / CHANNELS] * w[weight / 4][weight % 4];
                }
        }
    }

    const int first_channel = (block * LANES + lane) * CHANNELS, to_plane = int(p.to_at.plane);
    [[unroll]] for (int c = 0; c < CHANNELS; c++) {
        if (first_channel + c >= p.to_channels) continue;
        const int start = int(at(p.to_at, n, first_channel + c, 0, tile * TILE));
        [[unroll]] for (int q = 0; q < TILE; q++) {
            if (tile * TILE + q >= to_plane) continue;
            const int i = q * 4 * CHANNELS + c;
            const vec4 v = vec4(sum[i], sum[i + CHANNELS], sum[i + 2 * CHANNELS], sum[i + 3 * CHANNELS]);
            to[start + q] = ADD ? to[start + q] + v : v;
        }
    }
}
