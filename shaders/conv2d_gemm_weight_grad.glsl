// The gradient of a convolution by its weights as a matrix product: rows are channels of `plain`, columns are
// channels and taps of `gathered`, the depth is the pixels (n,y,x) of `plain` and the padding of its rows,
// which is zero. A workgroup along the third axis does one part of the depth; see engine/ops/conv2d_gemm.h.
#define MATRIX_WORD uvec2 // rows of pixels are multiples of 4
#define MATRIX_ID 7
#include "conv2d_gemm.glsl"
layout(constant_id = 6) const uint STEP = 1; // rows of `gathered` from row to row of `plain`
layout(std430, binding = 0) writeonly buffer Parts { float part[]; }; // [part][row][column]
layout(std430, binding = 1) readonly buffer Plain { float plain[]; };
layout(std430, binding = 2) readonly buffer Gathered { float gathered[]; };
layout(push_constant) uniform Push {
    Tensor part_at, plain_at, gathered_at;
    uint rows, columns, taps; // taps along an axis
    int first_tap;            // its row of `gathered` for row 0 of `plain`
    uint high, wide;          // of `plain`, with its padding
    int gathered_height, gathered_width;
    uint pixels, depth_a_part, first_part;
} p;

// What an invocation fetches: of either operand every ROW_STEP-th row (column), always of the same line.
const uint ROW_STEP = INVOCATIONS / LINES;
const uint A_EACH = PARTS(ROWS, ROW_STEP), B_EACH = PARTS(COLUMNS, ROW_STEP);
WORD a_next[A_EACH], b_next[B_EACH];

uint first_row, first_column;
uint pixel, pixel_end;            // the next one to fetch, and where the part ends
uint pixel_n, pixel_y, pixel_x;   // the place of `pixel`
uint column_place[B_EACH];        // the channel of a column to fetch
int column_y[B_EACH], column_x[B_EACH]; // its tap for pixel 0

float plain_at_row(uint row, uint h)
{
    if (pixel >= pixel_end || row >= p.rows) return 0.0;
    return plain[at(p.plain_at, pixel_n, row, pixel_y, pixel_x + h)];
}

float gathered_at_column(uint j, uint h)
{
    const int y = int(pixel_y * STEP) + column_y[j], x = int((pixel_x + h) * STEP) + column_x[j];
    const bool inside = uint(y) < uint(p.gathered_height) && uint(x) < uint(p.gathered_width);
    if (!inside || pixel >= pixel_end) return 0.0;
    return gathered[column_place[j] + at(p.gathered_at, pixel_n, 0, uint(y), uint(x))];
}

#if defined(MATRIX)
#define WORD_OF(value) WORD(packHalf2x16(vec2(value(0), value(1))), packHalf2x16(vec2(value(2), value(3))))
#elif defined(HALF)
#define WORD_OF(value) packHalf2x16(vec2(value(0), value(1)))
#else
#define WORD_OF(value) value(0)
#endif

void fetch(uint tile)
{
    const uint first = gl_LocalInvocationID.x / LINES;
#define PLAIN(h) plain_at_row(first_row + first + i * ROW_STEP, h)
    UNROLL for (uint i = 0; i < A_EACH; i++) a_next[i] = WORD_OF(PLAIN);
#define GATHERED(h) gathered_at_column(j, h)
    UNROLL for (uint j = 0; j < B_EACH; j++) b_next[j] = WORD_OF(GATHERED);
    pixel += DEPTH;
    pixel_x += DEPTH;
    while (pixel_x >= p.wide) {
        pixel_x -= p.wide;
        if (++pixel_y < p.high) continue;
        pixel_y = 0;
        pixel_n++;
    }
}

void put_down(uint side)
{
    const uint line = gl_LocalInvocationID.x % LINES, first = gl_LocalInvocationID.x / LINES;
    UNROLL for (uint i = 0; i < A_EACH; i++) {
        const uint row = first + i * ROW_STEP;
        if (row < ROWS) A_WORD(side, line, row) = a_next[i];
    }
    UNROLL for (uint j = 0; j < B_EACH; j++) {
        const uint column = first + j * ROW_STEP;
        if (column < COLUMNS) B_WORD(side, line, column) = b_next[j];
    }
}

void put_result(uint row, uint column, vec4 v)
{
    if (first_row + row >= p.rows) return;
    const uint start = p.part_at.offset + (p.first_part + gl_WorkGroupID.z) * p.part_at.stride_n +
                       (first_row + row) * p.columns;
    UNROLL for (uint k = 0; k < 4; k++) {
        const uint at_column = first_column + column + k;
        if (at_column < p.columns) part[start + at_column] = v[k];
    }
}

void main()
{
    const uint line = gl_LocalInvocationID.x % LINES, first = gl_LocalInvocationID.x / LINES;
    const uint start = gl_WorkGroupID.z * p.depth_a_part;
    first_column = gl_WorkGroupID.x * COLUMNS;
    first_row = gl_WorkGroupID.y * ROWS;
    // The last dispatch may have fewer pictures, and then parts without any.
    pixel_end = max(start, min(start + p.depth_a_part, p.pixels));
    pixel = start + line * VALUES;
    pixel_x = pixel % p.wide;
    pixel_y = pixel / p.wide % p.high;
    pixel_n = pixel / p.wide / p.high;
    UNROLL for (uint j = 0; j < B_EACH; j++) {
        const uint column = first_column + first + j * ROW_STEP, tap = column % (p.taps * p.taps);
        column_place[j] = column / (p.taps * p.taps) * p.gathered_at.plane;
        // Columns beyond the last are outside for every pixel.
        column_y[j] = column < p.columns ? int(tap / p.taps) + p.first_tap : -0x10000000;
        column_x[j] = int(tap % p.taps) + p.first_tap;
    }
    multiply_all(PARTS(pixel_end - start, DEPTH));
    put_results();
}
