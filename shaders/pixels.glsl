// What the convolution kernels share whose lanes are pixels. A lane makes HIGH rows of QUADS quadruples;
// LANES_ACROSS lanes stand side by side, the others below them. What lies beside its own pixels a lane takes
// from its neighbours, or, at the subgroup's edges, from quadruples that the lanes fetch together.
#ifndef PIXELS_GLSL
#define PIXELS_GLSL
#include "lanes.glsl"
layout(constant_id = 1) const int CHANNELS = 2; // all of the side that has few
layout(constant_id = 2) const int QUADS = 2;
layout(constant_id = 3) const int HIGH = 3;
layout(constant_id = 4) const int KERNEL = 5;
layout(constant_id = 5) const bool ADD = false;
layout(constant_id = 6) const int LANES_ACROSS = 8;
const int PAD = KERNEL / 2, TAPS = KERNEL * KERNEL;
const int WIDE = QUADS * 4, COLUMNS = WIDE + 2 * PAD, ROWS = HIGH + 2 * PAD;
const int SUMS = HIGH * WIDE, TILE = ROWS * COLUMNS; // of a channel
const int LANES_DOWN = LANES / LANES_ACROSS;
const int EDGES = PARTS(2 * ROWS * LANES_DOWN, LANES); // fetches of quadruples beside the subgroup

int lane, n, y0, q0; // the lane's first row and quadruple
int place[ROWS * QUADS], edge_place[EDGES];
bool inside[ROWS * QUADS], edge_inside[EDGES];
int to_start, to_plane, to_pitch, to_width, to_height; // to_start: of the lane's pixels in channel 0

void find_tile()
{
    lane = int(gl_SubgroupInvocationID);
    n = int(gl_WorkGroupID.z);
    q0 = (int(gl_WorkGroupID.x) * LANES_ACROSS + lane % LANES_ACROSS) * QUADS;
    y0 = (int(gl_WorkGroupID.y) * LANES_DOWN + lane / LANES_ACROSS) * HIGH;
    const int height = p.from_height, pitch = int(p.from_at.pitch);
    const int start = int(p.from_at.offset + n * p.from_at.stride_n);
    [[unroll]] for (int i = 0; i < ROWS * QUADS; i++) {
        const int r = y0 + i / QUADS - PAD, q = q0 + i % QUADS;
        inside[i] = r >= 0 && r < height && q < pitch;
        place[i] = start + (inside[i] ? r * pitch + q : 0);
    }
    // In the order [left, right][row][lane below].
    [[unroll]] for (int e = 0; e < EDGES; e++) {
        const int i = e * LANES + lane;
        const bool left = i / LANES_DOWN < ROWS;
        const int row = i / LANES_DOWN - (left ? 0 : ROWS);
        const int r = (int(gl_WorkGroupID.y) * LANES_DOWN + i % LANES_DOWN) * HIGH + row - PAD;
        const int q = int(gl_WorkGroupID.x) * LANES_ACROSS * QUADS + (left ? -1 : LANES_ACROSS * QUADS);
        edge_inside[e] = r >= 0 && r < height && q >= 0 && q < pitch;
        edge_place[e] = start + (edge_inside[e] ? r * pitch + q : 0);
    }
}

// Where they are stored.
void find_target()
{
    to_start = int(at(p.to_at, n, 0, y0, q0));
    to_plane = int(p.to_at.plane);
    to_pitch = int(p.to_at.pitch);
    to_width = p.to_width;
    to_height = p.to_height;
}

// What goes into the lane's pixels of the input channel that starts `plane` quadruples after the first.
void fetch_tile(int plane, out float x[TILE])
{
    vec4 own[ROWS * QUADS], edge[EDGES];
    [[unroll]] for (int i = 0; i < ROWS * QUADS; i++)
        own[i] = mix(vec4(0.0), FROM(place[i] + plane), bvec4(inside[i]));
    if (PAD > 0)
        [[unroll]] for (int e = 0; e < EDGES; e++)
            edge[e] = mix(vec4(0.0), FROM(edge_place[e] + plane), bvec4(edge_inside[e]));
    const int before = max(lane - 1, 0), after = min(lane + 1, LANES - 1), down = lane / LANES_ACROSS;
    const bool first = lane % LANES_ACROSS == 0, last = lane % LANES_ACROSS == LANES_ACROSS - 1;
    [[unroll]] for (int r = 0; r < ROWS; r++) {
        const int left = r * LANES_DOWN, right = (ROWS + r) * LANES_DOWN;
        [[unroll]] for (int i = 0; i < WIDE; i++) x[r * COLUMNS + PAD + i] = own[r * QUADS + i / 4][i % 4];
        [[unroll]] for (int i = 0; i < PAD; i++) {
            const float lefts = subgroupShuffle(own[r * QUADS + QUADS - 1][4 - PAD + i], before);
            const float leftmost = subgroupShuffle(edge[left / LANES][4 - PAD + i], left % LANES + down);
            const float rights = subgroupShuffle(own[r * QUADS][i], after);
            const float rightmost = subgroupShuffle(edge[right / LANES][i], right % LANES + down);
            x[r * COLUMNS + i] = first ? leftmost : lefts;
            x[r * COLUMNS + PAD + WIDE + i] = last ? rightmost : rights;
        }
    }
}

void store_tile(int channel, float sum[SUMS])
{
    [[unroll]] for (int r = 0; r < HIGH; r++)
        [[unroll]] for (int q = 0; q < QUADS; q++)
            if (y0 + r < to_height && q0 + q < to_pitch) {
                const int i = r * WIDE + q * 4, target = to_start + channel * to_plane + r * to_pitch + q;
                vec4 v = vec4(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]);
                v = STORED(v, (q0 + q) * 4, to_width);
                to[target] = ADD ? to[target] + v : v;
            }
}
#endif
