// The matrix product at the heart of the convolution's shapes for GPUs: ROWS x COLUMNS results a workgroup,
// ROWS_EACH x COLUMNS_EACH of them in an invocation's registers, from tiles of both operands in shared memory
// that are DEPTH deep. There are two of each tile: while one is multiplied the next is fetched into registers
// and put down in the other, so that a single barrier a tile is enough. With HALF the tiles hold 16-bit
// floats, two consecutive ones of the depth in a word (packHalf2x16, which every device has); products and
// sums are of 32 bits either way. The including file says how a tile is fetched and where results go.
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint INVOCATIONS = 128;
layout(constant_id = 1) const uint ROWS = 64;
layout(constant_id = 2) const uint COLUMNS = 64;
layout(constant_id = 3) const uint DEPTH = 8;
layout(constant_id = 4) const uint ROWS_EACH = 8;
layout(constant_id = 5) const uint COLUMNS_EACH = 4;
#define PARTS(count, size) (((count) + (size)-1) / (size)) // rounded up division

#ifdef HALF
#define QUAD uvec4
#define WORD uint
const uint VALUES = 2; // of the depth in a word
#else
#define QUAD vec4
#define WORD float
const uint VALUES = 1;
#endif
const uint LINES = DEPTH / VALUES;
const uint DOWN = ROWS / ROWS_EACH, ACROSS = COLUMNS / COLUMNS_EACH; // the invocations' grid
const uint ROW_QUADS = ROWS_EACH / 4, COLUMN_QUADS = COLUMNS_EACH / 4;

// [tile of the two][line][quad of rows or columns]. A quad more than needed shifts each line by four banks,
// so that invocations which write a column of lines do not meet in one bank.
const uint A_PITCH = ROWS / 4 + 1, B_PITCH = COLUMNS / 4 + 1;
shared QUAD a_tile[2 * LINES * A_PITCH];
shared QUAD b_tile[2 * LINES * B_PITCH];
#define A_TILE(side, line, quad) a_tile[((side) * LINES + (line)) * A_PITCH + (quad)]
#define B_TILE(side, line, quad) b_tile[((side) * LINES + (line)) * B_PITCH + (quad)]

// Result (row i, quadruple q of columns) of this invocation. Its quads lie a whole grid apart, so that
// neighbours read neighbouring quads of the tiles: no two of them in one bank.
vec4 sums[ROWS_EACH * COLUMN_QUADS];
uint row_of(uint i) { return (i / 4 * DOWN + gl_LocalInvocationID.x / ACROSS) * 4 + i % 4; }
uint column_of(uint q) { return (q * ACROSS + gl_LocalInvocationID.x % ACROSS) * 4; }

void clear_sums()
{
    [[unroll]] for (uint i = 0; i < ROWS_EACH * COLUMN_QUADS; i++) sums[i] = vec4(0.0);
}

#ifdef HALF
// The h-th value of each word's two.
vec4 values_of(uvec4 q, uint h)
{
    const vec4 xy = vec4(unpackHalf2x16(q.x), unpackHalf2x16(q.y));
    const vec4 zw = vec4(unpackHalf2x16(q.z), unpackHalf2x16(q.w));
    return vec4(xy[h], xy[2 + h], zw[h], zw[2 + h]);
}
#else
vec4 values_of(vec4 q, uint h) { return q; }
#endif

void multiply(uint side)
{
    const uint down = gl_LocalInvocationID.x / ACROSS, across = gl_LocalInvocationID.x % ACROSS;
    for (uint line = 0; line < LINES; line++) {
        QUAD a[ROW_QUADS], b[COLUMN_QUADS];
        [[unroll]] for (uint i = 0; i < ROW_QUADS; i++) a[i] = A_TILE(side, line, i * DOWN + down);
        [[unroll]] for (uint q = 0; q < COLUMN_QUADS; q++) b[q] = B_TILE(side, line, q * ACROSS + across);
        [[unroll]] for (uint h = 0; h < VALUES; h++) {
            vec4 left[ROW_QUADS];
            [[unroll]] for (uint i = 0; i < ROW_QUADS; i++) left[i] = values_of(a[i], h);
            [[unroll]] for (uint q = 0; q < COLUMN_QUADS; q++) {
                const vec4 right = values_of(b[q], h);
                [[unroll]] for (uint i = 0; i < ROWS_EACH; i++)
                    sums[i * COLUMN_QUADS + q] += left[i / 4][i % 4] * right;
            }
        }
    }
}

void fetch(uint tile);    // the operands' tiles into registers,
void put_down(uint side); // and from there into shared memory

void multiply_all(uint tiles)
{
    clear_sums();
    if (tiles == 0) return;
    fetch(0);
    put_down(0);
    barrier();
    for (uint tile = 0; tile < tiles; tile++) {
        if (tile + 1 < tiles) fetch(tile + 1);
        multiply(tile % 2);
        if (tile + 1 < tiles) put_down((tile + 1) % 2);
        barrier();
    }
}
