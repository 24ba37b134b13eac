// A convolution, or its gradient by the input, as one matrix product for each class of pixels of `to`: rows
// are channels of `to`, columns are blocks of BLOCK x BLOCK of its pixels (n,y,x), the depth is channels and
// taps of `from`. A class is the pixels of a block that see the same taps; see engine/ops/conv2d_gemm.h.
#define MATRIX_WORD uvec4
#define MATRIX_ID 13
#include "conv2d_gemm.glsl"
#define ACTIVATION_ID 11
#include "activation.glsl"
layout(constant_id = 6) const int STEP = 1;   // rows of `from` from block to block
layout(constant_id = 7) const uint BLOCK = 1;
layout(constant_id = 8) const bool ADD = false;
layout(constant_id = 9) const bool DEEP = true; // a tile of the depth is one tap of DEPTH channels
layout(constant_id = 10) const uint CLASSES = 1; // along an axis
layout(std430, binding = 0) buffer To { vec4 to[]; };
layout(std430, binding = 1) readonly buffer From { float from[]; };
// [class][line][row], then a line with the bias
layout(std430, binding = 2) readonly buffer Weights { QUAD weights[]; };
layout(push_constant) uniform Push {
    Tensor to_at, from_at, weights_at; // to_at and weights_at in quads
    uint from_channels;
    int from_height, from_width;
    uint to_channels, to_height, to_width;
    uint high, wide; // blocks of a picture; wide is a multiple of 4
    uint pictures, grid, lines;
    uint axis[8]; // a class along either axis: bytes taps, first tap's place + 128, first and last pixel
} p;
#define BYTE(word, i) bitfieldExtract(word, 8 * (i), 8)

// What an invocation fetches: quads of the weights; of the input the columns fetched_column(j), and of
// those every LINE_STEP-th line.
const uint A_WIDE = ROWS / QUAD_ROWS, A_QUADS = A_WIDE * LINES, A_EACH = PARTS(A_QUADS, INVOCATIONS);
const uint FETCH_COLUMNS = PARTS(COLUMNS, INVOCATIONS), LINE_STEP = PARTS(INVOCATIONS, COLUMNS);
const uint FETCH_LINES = PARTS(LINES, LINE_STEP);
QUAD a_next[A_EACH];
WORD b_next[FETCH_COLUMNS * FETCH_LINES];
uint fetched_column(uint j) { return (gl_LocalInvocationID.x + j * INVOCATIONS) % COLUMNS; }

uint first_row, first_column; // of the workgroup's tile
uint taps_y, taps_x, a_place;
int from_y[FETCH_COLUMNS], from_x[FETCH_COLUMNS]; // of the first tap
uint from_place[FETCH_COLUMNS];                   // of the picture
uint tap_y = 0, tap_x = 0, first_channel = 0;     // of the next tile, where tiles are DEEP

struct Block { uint n, y, x; };
Block block_at(uint column)
{
    const uint row = column / p.wide;
    return Block(row / p.high, row % p.high, column % p.wide);
}

float value_at(uint j, uint tile, uint depth)
{
    uint channel = first_channel + depth, ty = tap_y, tx = tap_x;
    if (!DEEP) {
        const uint all = tile * DEPTH + depth, taps = taps_y * taps_x, tap = all % taps;
        channel = all / taps;
        ty = tap / taps_x;
        tx = tap % taps_x;
    }
    const int y = from_y[j] + int(ty), x = from_x[j] + int(tx);
    const bool inside = uint(y) < uint(p.from_height) && uint(x) < uint(p.from_width);
    if (!inside || channel >= p.from_channels) return 0.0;
    return from[from_place[j] + channel * p.from_at.plane + uint(y) * p.from_at.pitch + uint(x)];
}

WORD word_at(uint j, uint tile, uint depth)
{
#define PAIR(i) packHalf2x16(vec2(value_at(j, tile, depth + (i)), value_at(j, tile, depth + (i) + 1)))
#if defined(MATRIX)
    WORD word;
    UNROLL for (uint i = 0; i < PAIRS; i++) word[i] = PAIR(2 * i);
    return word;
#elif defined(HALF)
    return PAIR(0);
#else
    return value_at(j, tile, depth);
#endif
}

void fetch(uint tile)
{
    const uint lane = gl_LocalInvocationID.x;
    UNROLL for (uint i = 0; i < A_EACH; i++) {
        const uint quad = lane + i * INVOCATIONS;
        const uint line = tile * LINES + quad / A_WIDE;
        if (quad < A_QUADS) a_next[i] = weights[a_place + line * p.weights_at.pitch + quad % A_WIDE];
    }
    UNROLL for (uint j = 0; j < FETCH_COLUMNS; j++)
        UNROLL for (uint i = 0; i < FETCH_LINES; i++) {
            const uint depth = (lane / COLUMNS + i * LINE_STEP) * VALUES;
            b_next[j * FETCH_LINES + i] = word_at(j, tile, depth);
        }
    if (!DEEP || ++tap_x < taps_x) return;
    tap_x = 0;
    if (++tap_y < taps_y) return;
    tap_y = 0;
    first_channel += DEPTH;
}

void put_down(uint side)
{
    const uint lane = gl_LocalInvocationID.x;
    UNROLL for (uint i = 0; i < A_EACH; i++) {
        const uint quad = lane + i * INVOCATIONS;
        if (quad < A_QUADS) A_QUAD(side, quad / A_WIDE, quad % A_WIDE) = a_next[i];
    }
    UNROLL for (uint j = 0; j < FETCH_COLUMNS; j++)
        UNROLL for (uint i = 0; i < FETCH_LINES; i++) {
            const uint line = lane / COLUMNS + i * LINE_STEP, column = fetched_column(j);
            if (line < LINES) B_WORD(side, line, column) = b_next[j * FETCH_LINES + i];
        }
}

float bias_of(uint row)
{
    const QUAD bias = weights[p.weights_at.offset + gl_WorkGroupID.z * p.weights_at.stride_n +
                              p.lines * p.weights_at.pitch + row / 4];
#if defined(MATRIX) || defined(HALF)
    return uintBitsToFloat(bias[row % 4]);
#else
    return bias[row % 4];
#endif
}

// Puts four neighbouring blocks' results to all pixels of their class.
void put(uint channel, Block block, vec4 v)
{
    const uint y_class = p.axis[gl_WorkGroupID.z / CLASSES], x_class = p.axis[gl_WorkGroupID.z % CLASSES];
    const uint picture = p.to_at.offset + block.n * p.to_at.stride_n + channel * p.to_at.plane;
    for (uint i = BYTE(y_class, 2); i <= BYTE(y_class, 3); i++) {
        const uint y = block.y * BLOCK + i, row = picture + y * p.to_at.pitch;
        if (y >= p.to_height) return;
        if (BLOCK == 1) {
            const uint place = row + block.x / 4;
            v = mix(vec4(0.0), v, lessThan(uvec4(block.x) + uvec4(0, 1, 2, 3), uvec4(p.to_width)));
            to[place] = ADD ? to[place] + v : v;
            continue;
        }
        for (uint k = 0; k < 4; k++)
            for (uint j = BYTE(x_class, 2); j <= BYTE(x_class, 3); j++) {
                const uint x = (block.x + k) * BLOCK + j, place = row + x / 4;
                if (x >= p.to_at.pitch * 4) continue;
                const float value = x < p.to_width ? v[k] : 0.0;
                to[place][x % 4] = ADD ? to[place][x % 4] + value : value;
            }
    }
}

void put_result(uint row, uint column, vec4 v)
{
    const Block block = block_at(first_column + column);
    if (first_row + row >= p.to_channels || block.n >= p.pictures) return;
    put(first_row + row, block, activate(v + bias_of(first_row + row)));
}

void main()
{
    const uint y_class = p.axis[gl_WorkGroupID.z / CLASSES], x_class = p.axis[gl_WorkGroupID.z % CLASSES];
    // The grid's second axis goes on where the first ends.
    const uint row_tiles = PARTS(p.to_channels, ROWS);
    first_row = gl_WorkGroupID.y % row_tiles * ROWS;
    first_column = (gl_WorkGroupID.x + gl_WorkGroupID.y / row_tiles * p.grid) * COLUMNS;
    taps_y = BYTE(y_class, 0);
    taps_x = BYTE(x_class, 0);
    a_place = p.weights_at.offset + gl_WorkGroupID.z * p.weights_at.stride_n + first_row / QUAD_ROWS;
    UNROLL for (uint j = 0; j < FETCH_COLUMNS; j++) {
        const Block block = block_at(first_column + fetched_column(j));
        from_place[j] = p.from_at.offset + block.n * p.from_at.stride_n;
        // Beyond the last picture everything is outside.
        from_y[j] = block.n < p.pictures ? int(block.y) * STEP + int(BYTE(y_class, 1)) - 128 : -0x10000000;
        from_x[j] = int(block.x) * STEP + int(BYTE(x_class, 1)) - 128;
    }
    const uint taps = taps_y * taps_x;
    multiply_all(DEEP ? PARTS(p.from_channels, DEPTH) * taps : PARTS(p.from_channels * taps, DEPTH));
    put_results();
}
