/* The convolution's shape for GPUs: which tile a product gets, on made-up devices, and every tile on the
 * device at hand against the plain shader. tests/test_ops.c checks the variants against the reference. */
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "device_fixture.h"
#include "ops/conv2d_gemm.h"

#define MATRIX(rows, columns, depth, of_lanes) \
    {.m = (rows), .n = (columns), .k = (depth), .lanes = (of_lanes), .loops = true}
static const vkp_limits smallest = {.group_invocations = 128,
                                    .group_size = {128, 128, 64},
                                    .shared_bytes = 16384,
                                    .at_once = 8192,
                                    .half = true,
                                    .matrix = MATRIX(16, 16, 16, 32)};
static const vkp_limits discrete = {.group_invocations = 1024,
                                    .group_size = {1024, 1024, 64},
                                    .shared_bytes = 49152,
                                    .at_once = 65536,
                                    .half = true,
                                    .matrix = MATRIX(16, 8, 16, 64)};

static vkp_gemm_shape shape_of(uint32_t rows, uint64_t columns, uint32_t depth, uint32_t most_parts)
{
    return (vkp_gemm_shape){
        .rows = rows, .columns = columns, .depth = depth, .classes = 1, .most_parts = most_parts};
}

static double groups_of(const vkp_gemm_tile *t, const vkp_gemm_shape *s)
{
    return (double)vkp_groups(s->rows, t->rows) * vkp_groups(s->columns, t->columns) * t->parts;
}

/* Whatever the product, the tile is one that the device may have, and its parts are the depth. */
static void tiles_keep_limits_and_cover_the_depth(void **state)
{
    (void)state;
    const vkp_limits *const limits[] = {&smallest, &discrete};
    const uint32_t sizes[] = {1, 2, 3, 17, 64, 129, 1000, 60000};
    const uint32_t depths[] = {0, 1, 9, 127, 4097, 1638400};
    for (uint32_t i = 0; i < 2 * 8 * 8 * 6 * 2 * 3; i++) {
        const vkp_limits *l = limits[i % 2];
        vkp_gemm_shape s =
            shape_of(sizes[i / 2 % 8], sizes[i / 16 % 8], depths[i / 128 % 6], i / 768 % 2 ? 40 : 1);
        s.form = (vkp_gemm_form)(i / 1536);
        const bool matrix = s.form == VKP_GEMM_MATRIX;
        const vkp_gemm_tile t = vkp_conv_gemm_tile(l, &s);
        assert_true(vkp_gemm_form_allowed(l, s.form));
        assert_in_range(t.invocations, 1, l->group_invocations);
        assert_int_equal(t.rows / t.rows_each * (t.columns / t.columns_each) * (matrix ? l->matrix.lanes : 1),
                         t.invocations);
        assert_int_equal(t.depth, matrix ? 32 : s.form == VKP_GEMM_F16 ? 16 : 8);
        assert_true(!matrix || (t.rows_each % l->matrix.m == 0 && t.columns_each % l->matrix.n == 0));
        assert_in_range(t.parts, 1, s.most_parts);
        assert_int_equal(t.depth_a_part % t.depth, 0);
        assert_true((uint64_t)t.parts * t.depth_a_part >= s.depth);
        assert_true(s.depth == 0 || (uint64_t)(t.parts - 1) * t.depth_a_part < s.depth);
    }
}

static void devices_are_filled(void **state)
{
    (void)state;
    /* Much to do: the tile that computes most of what it loads. */
    const vkp_gemm_shape much = shape_of(128, 4 * 320 * 320, 1152, 1);
    vkp_gemm_tile t = vkp_conv_gemm_tile(&discrete, &much);
    assert_true(t.rows == 128 && t.columns == 128);
    t = vkp_conv_gemm_tile(&smallest, &much);
    assert_true(t.rows * t.columns == 128 * 64);
    /* 20 x 20 pixels of 4 pictures: smaller tiles, that there be groups for most of the device. */
    const vkp_gemm_shape few = shape_of(256, 4 * 20 * 20, 1152, 1);
    t = vkp_conv_gemm_tile(&discrete, &few);
    assert_true(groups_of(&t, &few) * t.invocations >= discrete.at_once / 4);
    assert_true(t.rows * t.columns < 128 * 128);
    /* A weight gradient of few weights and many pixels: many parts. None where the depth is short. */
    const vkp_gemm_shape deep = shape_of(32, 25, 4 * 320 * 320, 10000), flat = shape_of(32, 25, 100, 10000);
    t = vkp_conv_gemm_tile(&discrete, &deep);
    assert_true(groups_of(&t, &deep) * t.invocations >= discrete.at_once / 2);
    assert_true(t.parts > 100);
    assert_int_equal(vkp_conv_gemm_tile(&discrete, &flat).parts, 1);
    /* Two colours: no tile of 64 rows. */
    const vkp_gemm_shape colours = shape_of(2, 4 * 320 * 320, 1600, 1);
    assert_int_equal(vkp_conv_gemm_tile(&discrete, &colours).rows, 4);
}

/* The forms with 16 bits have to be asked for; matrices must be there, and of a size that tiles are made of.
 */
static void forms_need_what_they_use(void **state)
{
    (void)state;
    vkp_limits l = discrete;
    vkp_gemm_tile list[VKP_GEMM_TILES];
    assert_true(vkp_gemm_form_allowed(&l, VKP_GEMM_MATRIX));
    l.matrix.loops = false;
    assert_int_equal(vkp_gemm_form_allowed(&l, VKP_GEMM_MATRIX),
                     vkp_shader_is_built(VKP_SHADER_conv2d_gemm_pixels_coopmat));
    l = discrete;
    l.half = false;
    assert_true(vkp_gemm_form_allowed(&l, VKP_GEMM_F32));
    assert_false(vkp_gemm_form_allowed(&l, VKP_GEMM_F16));
    assert_false(vkp_gemm_form_allowed(&l, VKP_GEMM_MATRIX));
    l = discrete;
    l.matrix = (vkp_matrix){0};
    assert_true(vkp_gemm_form_allowed(&l, VKP_GEMM_F16));
    assert_false(vkp_gemm_form_allowed(&l, VKP_GEMM_MATRIX));
    l.matrix = (vkp_matrix)MATRIX(64, 64, 16, 32);
    assert_int_equal(vkp_gemm_tiles(&l, VKP_GEMM_MATRIX, list), 0);
    assert_false(vkp_gemm_form_allowed(&l, VKP_GEMM_MATRIX));
}

/* x, weight, dy, bias; then y, dx, dw: what a convolution reads and makes. */
enum { X, WEIGHT, DY, BIAS, Y, DX, DW, TENSORS };

typedef vkp_status recorder(vkp_program *program, const vkp_node *node);

typedef struct problem {
    vkp_tensor tensors[TENSORS];
    vkp_buffer buffers[TENSORS]; /* of the host's memory */
} problem;

static void make(problem *p, vkp_shape x, vkp_shape weight)
{
    const vkp_shape y = {x.n, weight.n, x.h, x.w}, bias = {1, weight.n, 1, 1};
    const vkp_shape shapes[TENSORS] = {x, weight, y, bias, y, x, weight};
    uint32_t random = 1;
    for (uint32_t i = 0; i < TENSORS; i++) {
        const bool packed = i == WEIGHT || i == BIAS || i == DW;
        p->tensors[i] = packed ? vkp_tensor_packed(0, shapes[i]) : vkp_tensor_activation(0, shapes[i]);
        const uint64_t count = vkp_shape_count(shapes[i]), bytes = vkp_extent(&p->tensors[i]) * sizeof(float);
        float *values = calloc(count, sizeof *values);
        assert_non_null(values);
        for (uint64_t k = 0; i < Y && k < count; k++) {
            random = random * 1664525u + 1013904223u;
            values[k] = (float)(random >> 8) / 8388608 - 1;
        }
        assert_ok(vkp_buffer_create(test_device, bytes, VKP_MEMORY_HOST, "values", &p->buffers[i]));
        dense_spread(&p->tensors[i], values, p->buffers[i].mapped);
        free(values);
    }
}

/* Fills y, dx and dw by the three ways given, and returns copies of them as they lie in memory. */
static void run(problem *p, recorder *const ways[3], float *results[3])
{
    vkp_program *program;
    vkp_arena arena = {0};
    vkp_tensor t[TENSORS];
    assert_ok(vkp_program_create(test_device, &program));
    for (uint32_t i = 0; i < TENSORS; i++) {
        t[i] = p->tensors[i];
        assert_ok(
            vkp_program_external(program, &p->buffers[i], 0, p->buffers[i].bytes, "values", &t[i].buffer));
        if (i >= Y) memset(p->buffers[i].mapped, 0x7f, p->buffers[i].bytes);
    }
    const vkp_node node = {
        .op = &vkp_op_conv2d,
        .attr = {.kernel = t[WEIGHT].shape.h, .stride = 1, .padding = t[WEIGHT].shape.h / 2},
        .in = {t[X], t[WEIGHT], t[BIAS]},
        .out = {t[Y]},
        .d_out = {t[DY]},
        .d_in = {t[DX], t[DW]}};
    for (uint32_t i = 0; i < 3; i++) assert_ok(ways[i](program, &node));
    assert_ok(vkp_program_build(program, &arena));
    assert_ok(vkp_program_run(program, 0, 1));
    for (uint32_t i = 0; i < 3; i++) {
        const uint64_t bytes = vkp_extent(&t[Y + i]) * sizeof(float);
        results[i] = malloc(bytes);
        assert_non_null(results[i]);
        memcpy(results[i], p->buffers[Y + i].mapped, bytes);
    }
    vkp_program_destroy(program);
    vkp_arena_destroy(test_device, &arena);
}

/* The normalized root mean square error that 16-bit rounding of both factors of every product allows. */
#define HALF_TOLERANCE 0x1p-10

static recorder *const forms[][3] = {
    [VKP_GEMM_F32] = {vkp_conv2d_gemm_forward, vkp_conv2d_gemm_input_grad, vkp_conv2d_gemm_weight_grad},
    [VKP_GEMM_F16] = {vkp_conv2d_gemm_f16_forward, vkp_conv2d_gemm_f16_input_grad,
                      vkp_conv2d_gemm_f16_weight_grad},
    [VKP_GEMM_MATRIX] = {vkp_conv2d_gemm_matrix_forward, vkp_conv2d_gemm_matrix_input_grad,
                         vkp_conv2d_gemm_matrix_weight_grad},
};

/* The plain shaders against these, on a device that pretends to have `limits`. */
static void compare(vkp_shape x, vkp_shape weight, const vkp_limits *limits, vkp_gemm_form first,
                    vkp_gemm_form last)
{
    static recorder *const direct[] = {vkp_conv2d_direct_forward, vkp_conv2d_direct_input_grad,
                                       vkp_conv2d_direct_weight_grad};
    problem p = {0};
    float *want[3], *got[3];
    make(&p, x, weight);
    run(&p, direct, want);
    const vkp_limits own = test_device->info.limits;
    test_device->info.limits = *limits;
    for (int form = (int)first; form <= (int)last; form++) {
        run(&p, forms[form], got);
        for (uint32_t i = 0; i < 3; i++) {
            const double error = dense_compare(got[i], want[i], vkp_extent(&p.tensors[Y + i]), 0).mean;
            if (!(error < (form == VKP_GEMM_F32 ? 2e-6 : HALF_TOLERANCE)))
                fail_msg("direction %u, %u to %u channels, %u x %u, form %d, %u x %u x %u: error %g", i, x.c,
                         weight.n, x.h, x.w, form, limits->matrix.m, limits->matrix.n, limits->matrix.k,
                         error);
            free(got[i]);
        }
    }
    test_device->info.limits = own;
    for (uint32_t i = 0; i < 3; i++) free(want[i]);
    for (uint32_t i = 0; i < TENSORS; i++) vkp_buffer_destroy(test_device, &p.buffers[i]);
}

static bool ran(vkp_shader shader, const vkp_gemm_tile *t)
{
    const vkp_pipeline *p;
    for (size_t i = 0; (p = vkp_pipeline_at(test_device, i)); i++)
        if (p->key.shader == shader && p->key.spec[0] == t->invocations && p->key.spec[1] == t->rows &&
            p->key.spec[2] == t->columns)
            return true;
    return false;
}

/* The device is made to look as if it were small, and a convolution to fill each tile but for a few results.
 * Tiles of 16 bits differ in what a word of them holds: a few of their sizes will do. */
static void compute_with_tile(const vkp_limits *limits, const vkp_gemm_tile *t, vkp_gemm_form first,
                              vkp_gemm_form last)
{
    const vkp_gemm_shaders shaders = vkp_gemm_shaders_of(limits, first);
    const vkp_shader both[] = {shaders.pixels, shaders.weight_grad};
    vkp_limits small = *limits;
    small.at_once = 1;
    small.group_invocations = t->invocations;
    const uint32_t pixels = t->columns, w = pixels > 64 ? 15 : 7, h = pixels == 32 ? 4 : 8;
    const vkp_shape x = {pixels / h / vkp_pitch(w), pixels / 9, h, w};
    compare(x, (vkp_shape){t->rows - 1, x.c, 3, 3}, &small, first, last);
    for (size_t k = 0; k < 2; k++)
        if (!ran(both[k], t))
            fail_msg("%s did not get the tile %u x %u of %u invocations", vkp_shader_table[both[k]].name,
                     t->rows, t->columns, t->invocations);
}

static void every_tile_computes(void **state)
{
    (void)state;
    vkp_gemm_tile list[VKP_GEMM_TILES];
    vkp_limits own = test_device->info.limits;
    const size_t count = vkp_gemm_tiles(&own, VKP_GEMM_F32, list);
    for (size_t i = 0; i < count; i++)
        compute_with_tile(&own, &list[i], VKP_GEMM_F32, list[i].rows > 32 ? VKP_GEMM_F32 : VKP_GEMM_F16);
    own.half = true;
    /* In loops, and as the device has them. */
    const vkp_matrix kinds[] = {MATRIX(16, 16, 16, 32), own.matrix};
    for (size_t k = 0; k < 2; k++) {
        own.matrix = kinds[k];
        if (!vkp_gemm_form_allowed(&own, VKP_GEMM_MATRIX)) continue;
        const size_t of_matrices = vkp_gemm_tiles(&own, VKP_GEMM_MATRIX, list);
        for (size_t i = 0; i < of_matrices; i++)
            compute_with_tile(&own, &list[i], VKP_GEMM_MATRIX, VKP_GEMM_MATRIX);
    }
}

/* Sizes that drivers have or may have, and fewer sums than lanes; more rows and columns than a tile has, and
 * a depth that is no multiple of one. On a device with matrices its own too. */
static void matrices_of_any_size_compute(void **state)
{
    (void)state;
    const vkp_matrix kinds[] = {MATRIX(8, 8, 8, 8), MATRIX(8, 16, 16, 16), MATRIX(16, 8, 8, 32),
                                MATRIX(32, 32, 32, 32), MATRIX(8, 4, 32, 64),
                                test_device->info.limits.matrix};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        vkp_limits l = test_device->info.limits;
        l.half = true;
        l.matrix = kinds[i];
        if (kinds[i].m && vkp_gemm_form_allowed(&l, VKP_GEMM_MATRIX))
            compare((vkp_shape){2, 11, 9, 7}, (vkp_shape){35, 11, 3, 3}, &l, VKP_GEMM_MATRIX,
                    VKP_GEMM_MATRIX);
    }
}

/* Two of three pictures to a binding, so that parts of the last dispatch's depth are empty; more tiles than
 * the grid's first axis holds, so that it goes on along the second. */
static void dispatches_are_cut(void **state)
{
    (void)state;
    const vkp_shape x = {3, 6, 12, 20}, weight = {5, 6, 3, 3};
    vkp_limits cut = test_device->info.limits;
    cut.storage_range = (2 * 6 * 12 * 20 + 100) * sizeof(float);
    cut.at_once = 65536;
    cut.half = true;
    cut.matrix = (vkp_matrix)MATRIX(8, 16, 16, 32);
    compare(x, weight, &cut, VKP_GEMM_F32, VKP_GEMM_MATRIX);
    vkp_limits narrow = test_device->info.limits;
    narrow.group_count[0] = 2;
    narrow.at_once = 65536;
    narrow.half = true;
    narrow.matrix = cut.matrix;
    compare(x, weight, &narrow, VKP_GEMM_F32, VKP_GEMM_MATRIX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_keep_limits_and_cover_the_depth),
        cmocka_unit_test(devices_are_filled),
        cmocka_unit_test(forms_need_what_they_use),
        cmocka_unit_test(every_tile_computes),
        cmocka_unit_test(matrices_of_any_size_compute),
        cmocka_unit_test(dispatches_are_cut),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
