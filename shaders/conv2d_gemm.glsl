// The matrix product at the heart of the convolution's shapes for GPUs: ROWS x COLUMNS results a workgroup,
// from tiles of both operands in shared memory that are DEPTH deep. There are two of each tile: while one is
// multiplied the next is fetched into registers and put down in the other, so that a single barrier a tile
// is enough. A tile is made of WORDs, each VALUES consecutive values of the depth of one row or column; LINES
// of them reach through its depth. How tiles lie in shared memory and who multiplies what is in
// conv2d_gemm_registers.glsl or, with MATRIX, in conv2d_gemm_matrix.glsl. The including file says how a tile
// is fetched and where results go.
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
#ifdef LOOPS
#define UNROLL [[dont_unroll]] // only for tests: what matters is that it compiles fast
#else
#define UNROLL [[unroll]]
#endif
#define PARTS(count, size) (((count) + (size)-1) / (size)) // rounded up division

void put_result(uint row, uint column, vec4 v); // of the workgroup's tile, four neighbouring columns

#ifdef MATRIX
#include "conv2d_gemm_matrix.glsl"
#else
#include "conv2d_gemm_registers.glsl"
#endif

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
