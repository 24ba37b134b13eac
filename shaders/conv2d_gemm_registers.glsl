// conv2d_gemm.glsl's product by ROWS_EACH x COLUMNS_EACH sums in each invocation's registers. With HALF the
// tiles hold 16-bit floats, two of the depth in a word (packHalf2x16, which every device has); products and
// sums are of 32 bits either way.
#ifdef HALF
#define QUAD uvec4
#define WORD uint
const uint VALUES = 2;
#else
#define QUAD vec4
#define WORD float
const uint VALUES = 1;
#endif
const uint QUAD_ROWS = 4; // whose words, of the same line, are a QUAD
const uint LINES = DEPTH / VALUES;
const uint DOWN = ROWS / ROWS_EACH, ACROSS = COLUMNS / COLUMNS_EACH; // the invocations' grid
const uint ROW_QUADS = ROWS_EACH / 4, COLUMN_QUADS = COLUMNS_EACH / 4;

// [tile of the two][line][quad of rows or columns]. A quad more than needed shifts each line by four banks,
// so that invocations which write a column of lines do not meet in one bank.
const uint A_PITCH = ROWS / 4 + 1, B_PITCH = COLUMNS / 4 + 1;
shared QUAD a_tile[2 * LINES * A_PITCH];
shared QUAD b_tile[2 * LINES * B_PITCH];
#define A_QUAD(side, line, quad) a_tile[((side) * LINES + (line)) * A_PITCH + (quad)]
#define B_QUAD(side, line, quad) b_tile[((side) * LINES + (line)) * B_PITCH + (quad)]
#define A_WORD(side, line, row) A_QUAD(side, line, (row) / 4)[(row) % 4]
#define B_WORD(side, line, column) B_QUAD(side, line, (column) / 4)[(column) % 4]

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
        [[unroll]] for (uint i = 0; i < ROW_QUADS; i++) a[i] = A_QUAD(side, line, i * DOWN + down);
        [[unroll]] for (uint q = 0; q < COLUMN_QUADS; q++) b[q] = B_QUAD(side, line, q * ACROSS + across);
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

void put_results()
{
    [[unroll]] for (uint i = 0; i < ROWS_EACH; i++)
        [[unroll]] for (uint q = 0; q < COLUMN_QUADS; q++)
            put_result(row_of(i), column_of(q), sums[i * COLUMN_QUADS + q]);
}
