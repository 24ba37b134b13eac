/* Normalization and activations where random numbers do not lead: steps in place, kinks, values that are not
 * finite, and what is refused. tests/test_ops.c checks everything else of them. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "dense.h"
#include "device_fixture.h"
#include "ops/op.h"

/* A program over a few small packed tensors that the host sees. */
typedef struct bench {
    vkp_program *program;
    vkp_arena arena;
    vkp_buffer buffers[9];
    uint32_t count;
} bench;

static vkp_tensor add_tensor(bench *b, vkp_shape shape, const float *values)
{
    vkp_tensor t = vkp_tensor_packed(0, shape);
    vkp_buffer *buffer = &b->buffers[b->count++];
    if (b->count == 1) assert_ok(vkp_program_create(test_device, &b->program));
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&t) * 4, VKP_MEMORY_HOST, "values", buffer));
    memset(buffer->mapped, 0, buffer->bytes);
    if (values) memcpy(buffer->mapped, values, vkp_extent(&t) * 4);
    assert_ok(vkp_program_external(b->program, buffer, 0, buffer->bytes, "values", &t.buffer));
    return t;
}

static const float *values_of(const bench *b, uint32_t i) { return b->buffers[i].mapped; }

static void run(bench *b)
{
    assert_ok(vkp_program_build(b->program, &b->arena));
    assert_ok(vkp_program_run(b->program, 0, 1));
}

static void destroy(bench *b)
{
    vkp_program_destroy(b->program);
    vkp_arena_destroy(test_device, &b->arena);
    for (uint32_t i = 0; i < b->count; i++) vkp_buffer_destroy(test_device, &b->buffers[i]);
}

/* Three batches in a row, as a discriminator's step has them. The figures are torch.nn.BatchNorm2d's for
 * batches of 4 values a channel with these means and biased variances. */
static void running_statistics_step_in_place(void **state)
{
    (void)state;
    bench b = {0};
    const float stats[] = {1, 0.75f, -2, 3}, mean[] = {0, 0}, var[] = {1, 1};
    vkp_node node = {.op = &vkp_op_running_stats, .attr = {.momentum = 0.1f, .scale = 4}};
    node.in[0] = add_tensor(&b, (vkp_shape){1, 2, 1, 2}, stats);
    node.in[1] = node.out[0] = add_tensor(&b, (vkp_shape){1, 2, 1, 1}, mean);
    node.in[2] = node.out[1] = add_tensor(&b, (vkp_shape){1, 2, 1, 1}, var);
    for (int i = 0; i < 3; i++) assert_ok(node.op->forward(b.program, &node));
    run(&b);
    const double rest = 0.9 * 0.9 * 0.9;
    assert_float_equal(values_of(&b, 1)[0], 1 - rest, 1e-6);
    assert_float_equal(values_of(&b, 1)[1], -2 * (1 - rest), 1e-6);
    assert_float_equal(values_of(&b, 2)[0], 1, 1e-6); /* 0.75 * 4/3 */
    assert_float_equal(values_of(&b, 2)[1], rest + 4 * (1 - rest), 1e-6);
    destroy(&b);
}

/* y and the gradient for dy = 1 of eight numbers. */
static void run_activation(vkp_attr attr, const float *x, float *y, float *dx)
{
    const vkp_shape row = {1, 1, 1, 8};
    const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
    bench b = {0};
    vkp_node node = {.op = &vkp_op_activation, .attr = attr};
    node.in[0] = add_tensor(&b, row, x);
    node.out[0] = add_tensor(&b, row, NULL);
    node.d_out[0] = add_tensor(&b, row, ones);
    node.d_in[0] = add_tensor(&b, row, NULL);
    assert_ok(node.op->forward(b.program, &node));
    assert_ok(node.op->backward(b.program, &node));
    run(&b);
    memcpy(y, values_of(&b, 1), 8 * sizeof *y);
    memcpy(dx, values_of(&b, 3), 8 * sizeof *dx);
    destroy(&b);
}

static void activations_keep_kinks_and_infinities(void **state)
{
    (void)state;
    const float x[] = {-INFINITY, -2, -1e-30f, 0, 1e-30f, 2, INFINITY, NAN};
    float y[8], dx[8];
    run_activation((vkp_attr){.activation = VKP_RELU}, x, y, dx);
    const float relu[] = {0, 0, 0, 0, 1e-30f, 2, INFINITY}, relu_slope[] = {0, 0, 0, 0, 1, 1, 1};
    for (int i = 0; i < 7; i++) assert_true(y[i] == relu[i] && dx[i] == relu_slope[i]);
    assert_true(isnan(y[7]));
    run_activation((vkp_attr){.activation = VKP_LEAKY_RELU, .slope = 0.5f}, x, y, dx);
    const float leaky[] = {-INFINITY, -1, -5e-31f, 0, 1e-30f, 2, INFINITY};
    for (int i = 0; i < 7; i++) assert_true(y[i] == leaky[i] && dx[i] == (i < 4 ? 0.5f : 1));
    assert_true(isnan(y[7]));
    run_activation((vkp_attr){.activation = VKP_TANH}, x, y, dx);
    assert_true(y[0] == -1 && y[6] == 1 && dx[0] == 0 && dx[6] == 0 && y[3] == 0 && dx[3] == 1);
    assert_float_equal(y[5], tanhf(2), 3e-7f);
    assert_true(isnan(y[7]));
}

/* One pixel of one picture has no variance: y is beta, and no gradient comes back. NaN is passed on. */
static void normalization_of_little_is_finite(void **state)
{
    (void)state;
    const float x[] = {5, 0, 0, 0}, dy[] = {3, 0, 0, 0}, beta[] = {0.25f}, bad[] = {NAN, 0, 0, 0};
    for (int i = 0; i < 2; i++) {
        bench b = {0};
        vkp_node node = {.op = &vkp_op_norm, .attr = {.training = true, .eps = 1e-5f}};
        const vkp_shape one = {1, 1, 1, 1}, row = {1, 1, 1, 4};
        vkp_tensor *places[] = {&node.in[0], &node.out[0], &node.d_out[0], &node.d_in[0]};
        const float *values[] = {i ? bad : x, NULL, dy, NULL};
        for (int k = 0; k < 4; k++) {
            *places[k] = add_tensor(&b, row, values[k]);
            places[k]->shape.w = 1;
        }
        node.in[2] = add_tensor(&b, one, beta);
        node.out[1] = add_tensor(&b, (vkp_shape){1, 1, 1, 2}, NULL);
        assert_ok(node.op->forward(b.program, &node));
        assert_ok(node.op->backward(b.program, &node));
        run(&b);
        const float *y = values_of(&b, 1), *dx = values_of(&b, 3), *stats = values_of(&b, 5);
        assert_true(i ? isnan(y[0]) : y[0] == 0.25f && dx[0] == 0 && stats[1] == 0);
        for (int k = 1; k < 4; k++) assert_true(y[k] == 0 && dx[k] == 0);
        destroy(&b);
    }
}

/* A convolution, a norm with running statistics and ReLU, or one convolution with all three in it: the same
 * up to rounding. */
static void folded_norms_change_nothing(void **state)
{
    (void)state;
    enum { CI = 5, CO = 7, SIDE = 8, X = CI * SIDE * SIDE, W = CO * CI * 9, Y = CO * SIDE * SIDE };
    const vkp_shape shapes[] = {{1, CI, SIDE, SIDE}, {CO, CI, 3, 3}, {1, CO, 1, 1}, {1, CO, 1, 1},
                                {1, CO, 1, 1},       {1, CO, 1, 1},  {1, CO, 1, 1}};
    enum { PLACES = sizeof shapes / sizeof *shapes };
    bench b = {0};
    vkp_tensor t[PLACES], y[2], z = {0}, stats, folded[2];
    for (uint32_t i = 0; i < PLACES; i++) {
        float values[X + W];
        for (uint64_t k = 0; k < vkp_shape_count(shapes[i]); k++)
            values[k] = (i == 6 ? 0.1f : -1) + 2 * vkp_random_float(3, i, k); /* the last is a variance */
        t[i] = add_tensor(&b, shapes[i], values);
    }
    for (int i = 0; i < 2; i++) y[i] = add_tensor(&b, (vkp_shape){1, CO, SIDE, SIDE}, NULL);
    assert_ok(vkp_tensor_new(b.program, y[0].shape, "z", &z));
    assert_ok(vkp_tensor_new_packed(b.program, (vkp_shape){1, CO, 1, 2}, "stats", &stats));
    assert_ok(vkp_tensor_new_packed(b.program, shapes[1], "weight", &folded[0]));
    assert_ok(vkp_tensor_new_packed(b.program, shapes[2], "bias", &folded[1]));
    vkp_node apart = {.op = &vkp_op_conv2d, .attr = {.kernel = 3, .stride = 1, .padding = 1}};
    apart.in[0] = t[0], apart.in[1] = t[1], apart.in[2] = t[2], apart.out[0] = z;
    vkp_node together = apart, fold = {.op = &vkp_op_fold_norm, .attr = {.eps = 1e-5f}};
    vkp_node norm = {.op = &vkp_op_norm, .attr = {.eps = 1e-5f, .activation = VKP_RELU}};
    norm.in[0] = z, norm.out[0] = y[0], norm.out[1] = stats;
    for (int i = 1; i < 5; i++) norm.in[i] = t[i + 2];
    for (int i = 0; i < 6; i++) fold.in[i] = t[i + 1];
    fold.out[0] = folded[0], fold.out[1] = folded[1];
    together.attr.activation = VKP_RELU;
    together.in[1] = folded[0], together.in[2] = folded[1], together.out[0] = y[1];
    vkp_node *const nodes[] = {&apart, &norm, &fold, &together};
    for (int i = 0; i < 4; i++) assert_ok(nodes[i]->op->forward(b.program, nodes[i]));
    run(&b);
    const dense_error error = dense_compare(values_of(&b, PLACES + 1), values_of(&b, PLACES), Y, 0);
    assert_true(error.mean < 1e-6 && error.worst < 1e-5);
    destroy(&b);
}

/* Statistics that a convolution makes of results far from zero and close together: one that only hands its
 * input on, in tiles that the picture cuts. */
static void statistics_keep_their_digits(void **state)
{
    (void)state;
    enum { C = 3, H = 11, W = 44, PLANE = H * W };
    bench b = {0};
    float x[2 * C * PLANE], weight[C * C] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    double mean[C] = {0}, var[C] = {0};
    for (uint64_t i = 0; i < 2 * C * PLANE; i++) {
        x[i] = 1000 + vkp_random_float(4, 1, i);
        mean[i / PLANE % C] += (double)x[i] / (2 * PLANE);
    }
    for (uint64_t i = 0; i < 2 * C * PLANE; i++)
        var[i / PLANE % C] += pow((double)x[i] - mean[i / PLANE % C], 2) / (2 * PLANE);
    vkp_node node = {.op = &vkp_op_conv2d, .attr = {.kernel = 1, .stride = 1, .statistics = true}};
    node.in[0] = add_tensor(&b, (vkp_shape){2, C, H, W}, x);
    node.in[1] = add_tensor(&b, (vkp_shape){C, C, 1, 1}, weight);
    node.out[0] = add_tensor(&b, (vkp_shape){2, C, H, W}, NULL);
    node.out[1] = add_tensor(&b, (vkp_shape){1, C, 1, 2}, NULL);
    assert_ok(node.op->forward(b.program, &node));
    run(&b);
    for (int c = 0; c < C; c++) {
        assert_float_equal(values_of(&b, 3)[2 * c], mean[c], 1e-4); /* a float's digits end there */
        assert_float_equal(values_of(&b, 3)[2 * c + 1] / var[c], 1, 1e-5);
    }
    destroy(&b);
}

static void wrong_use_is_refused(void **state)
{
    (void)state;
    const vkp_shape x = {2, 3, 4, 5}, good = {1, 3, 1, 1}, bad = {1, 4, 1, 1}, stats = {1, 3, 1, 2};
    const struct {
        const vkp_op *op;
        vkp_shape in[6];
        vkp_attr attr;
    } wrong[] = {
        {&vkp_op_norm, {x, bad}, {.training = true}},
        {&vkp_op_norm, {x, good, bad}, {.training = true}},
        {&vkp_op_norm, {x, good, good, good}, {.training = false}},
        {&vkp_op_norm, {x, good, good, bad, good}, {.training = false}},
        {&vkp_op_norm, {x}, {.training = true, .activation = VKP_TANH}},
        {&vkp_op_norm, {x}, {.training = true, .pictures = 3}},
        {&vkp_op_norm, {x}, {.training = true, .factor = 5}},
        {&vkp_op_norm, {x}, {.training = true, .pooled_only = true}},
        {&vkp_op_norm, {x, {0}, {0}, {0}, {0}, stats}, {.training = true, .pictures = 1}},
        {&vkp_op_norm, {x, {0}, {0}, good, good, stats}, {.training = false}},
        {&vkp_op_activation, {x}, {.activation = VKP_LEAKY_RELU, .slope = -0.1f}},
        {&vkp_op_activation, {x}, {.activation = VKP_LEAKY_RELU, .slope = NAN}},
        {&vkp_op_conv2d,
         {x, {2, 3, 1, 1}},
         {.kernel = 1, .stride = 1, .activation = VKP_LEAKY_RELU, .slope = -0.1f}},
        {&vkp_op_fold_norm, {{3, 2, 3, 3}, good, good, bad, good}, {.eps = 1e-5f}},
        {&vkp_op_conv2d, {x, {2, 3, 1, 1}}, {.kernel = 1, .stride = 1, .statistics = true, .pictures = 3}},
        {&vkp_op_conv2d,
         {x, {2, 3, 1, 1}},
         {.kernel = 1, .stride = 1, .statistics = true, .activation = VKP_RELU}},
        {&vkp_op_running_stats, {stats, good, bad}, {.scale = 9}},
        {&vkp_op_running_stats, {{2, 3, 1, 2}, good, good}, {.scale = 9}},
        {&vkp_op_running_stats, {stats, good, good}, {.scale = 1}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vkp_node node = {.op = wrong[i].op, .attr = wrong[i].attr};
        vkp_shape out[VKP_MAX_OUT];
        for (int k = 0; k < 6; k++)
            if (wrong[i].in[k].n) node.in[k] = vkp_tensor_activation(1, wrong[i].in[k]);
        if (node.op->shape(&node, out) != VKP_SHAPE) fail_msg("%s, row %zu: not refused", node.op->name, i);
        assert_non_null(strstr(vkp_error(), node.op->name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_statistics_step_in_place),
        cmocka_unit_test(activations_keep_kinks_and_infinities),
        cmocka_unit_test(normalization_of_little_is_finite),
        cmocka_unit_test(folded_norms_change_nothing),
        cmocka_unit_test(statistics_keep_their_digits),
        cmocka_unit_test(wrong_use_is_refused),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
