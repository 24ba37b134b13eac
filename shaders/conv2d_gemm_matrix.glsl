// conv2d_gemm.glsl's product by cooperative matrices (GL_KHR_cooperative_matrix): a workgroup's subgroups lie in
// a grid, each with ROWS_EACH x COLUMNS_EACH results, which are M x N matrices of 32-bit sums. What is
// multiplied are M x K and K x N matrices of 16-bit floats, taken from the tiles. The including file says what a
// WORD is: MATRIX_WORD, uvec4 of 8 values or uvec2 of 4; and which specialization constants are M, N and K:
// MATRIX_ID and the next two.
//
// With LOOPS there are no cooperative matrices: each invocation computes some of its subgroup's sums from the
// same tiles at the same places. So all the rest can be tested on devices without them, and told apart from a
// driver's mistakes in them on devices that have them.
#ifndef LOOPS
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_shader_subgroup_basic : require
#endif
layout(constant_id = MATRIX_ID) const uint M = 16;
layout(constant_id = MATRIX_ID + 1) const uint N = 16;
layout(constant_id = MATRIX_ID + 2) const uint K = 16;
#define WORD MATRIX_WORD
const uint PAIRS = WORD(0).length(); // a word's values are pairs of 16-bit floats
const uint VALUES = 2 * PAIRS;
const uint LINES = DEPTH / VALUES;
const uint DOWN = ROWS / ROWS_EACH, ACROSS = COLUMNS / COLUMNS_EACH; // the subgroups' grid
const uint LANES = INVOCATIONS / (DOWN * ACROSS);
const uint TALL = ROWS_EACH / M, WIDE = COLUMNS_EACH / N; // matrices of a subgroup

// [tile of the two][row or column][line]: neighbours in the depth are neighbours in memory. Rows begin at
// multiples of 16 bytes, as they must for matrices, and at odd ones, so that eight rows begin in eight banks.
const uint ROW_WORDS = 4 / PAIRS, PITCH = (PARTS(LINES, ROW_WORDS) | 1) * ROW_WORDS;
shared WORD a_tile[2 * ROWS * PITCH];
shared WORD b_tile[2 * COLUMNS * PITCH];
#define A_WORD(side, line, row) a_tile[((side) * ROWS + (row)) * PITCH + (line)]
#define B_WORD(side, line, column) b_tile[((side) * COLUMNS + (column)) * PITCH + (line)]
#define QUAD uvec4 // of weights: a word of one row, where words are uvec4
#define A_QUAD A_WORD
const uint QUAD_ROWS = 1;

// A matrix of results of each subgroup on its way to memory, in quads of columns.
const uint RESULT_PITCH = N / 4 + 1;
shared vec4 results[DOWN * ACROSS * M * RESULT_PITCH];

#ifdef LOOPS
const uint SUMS_EACH = PARTS(M * N, LANES); // of a matrix, the invocation's
float sums[TALL * WIDE * SUMS_EACH];
uint subgroup() { return gl_LocalInvocationID.x / LANES; }
uint lane() { return gl_LocalInvocationID.x % LANES; }

void clear_sums()
{
    UNROLL for (uint i = 0; i < TALL * WIDE * SUMS_EACH; i++) sums[i] = 0.0;
}

float value_of(WORD word, uint i) { return unpackHalf2x16(word[i / 2])[i % 2]; }

// The matrices of K values of the depth that begin at these places of the tiles.
void multiply_matrices(uint a_place, uint b_place)
{
    UNROLL for (uint i = 0; i < TALL * WIDE * SUMS_EACH; i++) {
        const uint matrix = i / SUMS_EACH, element = i % SUMS_EACH * LANES + lane();
        if (element >= M * N) continue;
        const uint a_row = a_place + (matrix / WIDE * M + element / N) * PITCH;
        const uint b_column = b_place + (matrix % WIDE * N + element % N) * PITCH;
        UNROLL for (uint k = 0; k < K; k++)
            sums[i] += value_of(a_tile[a_row + k / VALUES], k % VALUES) *
                       value_of(b_tile[b_column + k / VALUES], k % VALUES);
    }
}

void store_matrix(uint matrix, uint place)
{
    UNROLL for (uint i = 0; i < SUMS_EACH; i++) {
        const uint element = i * LANES + lane(), row = element / N, column = element % N;
        if (element < M * N)
            results[place + row * RESULT_PITCH + column / 4][column % 4] = sums[matrix * SUMS_EACH + i];
    }
}
#else
#define MATRIX_OF(type, rows, columns, use) coopmat<type, gl_ScopeSubgroup, rows, columns, gl_MatrixUse##use>
MATRIX_OF(float, M, N, Accumulator) sums[TALL * WIDE];
uint subgroup() { return gl_SubgroupID; }
uint lane() { return gl_SubgroupInvocationID; }

void clear_sums()
{
    [[unroll]] for (uint i = 0; i < TALL * WIDE; i++) sums[i] = MATRIX_OF(float, M, N, Accumulator)(0.0);
}

// The matrices of K values of the depth that begin at these places of the tiles.
void multiply_matrices(uint a_place, uint b_place)
{
    MATRIX_OF(float16_t, M, K, A) a[TALL];
    MATRIX_OF(float16_t, K, N, B) b;
    [[unroll]] for (uint i = 0; i < TALL; i++)
        coopMatLoad(a[i], a_tile, a_place + i * M * PITCH, PITCH, gl_CooperativeMatrixLayoutRowMajor);
    [[unroll]] for (uint j = 0; j < WIDE; j++) {
        coopMatLoad(b, b_tile, b_place + j * N * PITCH, PITCH, gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint i = 0; i < TALL; i++)
            sums[i * WIDE + j] = coopMatMulAdd(a[i], b, sums[i * WIDE + j]);
    }
}

void store_matrix(uint matrix, uint place)
{
    coopMatStore(sums[matrix], results, place, RESULT_PITCH, gl_CooperativeMatrixLayoutRowMajor);
}
#endif

uint subgroup_row() { return subgroup() / ACROSS * ROWS_EACH; }
uint subgroup_column() { return subgroup() % ACROSS * COLUMNS_EACH; }

void multiply(uint side)
{
    const uint a_place = (side * ROWS + subgroup_row()) * PITCH;
    const uint b_place = (side * COLUMNS + subgroup_column()) * PITCH;
    UNROLL for (uint line = 0; line < LINES; line += K / VALUES)
        multiply_matrices(a_place + line, b_place + line);
}

// Which element of a matrix an invocation has is the device's secret: through shared memory they become rows.
void put_results()
{
    const uint place = subgroup() * M * RESULT_PITCH;
    UNROLL for (uint i = 0; i < TALL * WIDE; i++) {
        store_matrix(i, place);
        barrier();
        UNROLL for (uint q = lane(); q < M * (N / 4); q += LANES) {
            const uint row = q / (N / 4), quad = q % (N / 4);
            put_result(subgroup_row() + i / WIDE * M + row, subgroup_column() + i % WIDE * N + quad * 4,
                       results[place + row * RESULT_PITCH + quad]);
        }
        barrier();
    }
}
