/* The losses where random numbers do not lead: the kinks, very sure logits, values that are not finite, long
 * sums, and shapes that do not fit. tests/test_ops.c checks everything else of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "ops/op.h"

static vkp_tensor make(vkp_program *program, vkp_buffer *buffer, vkp_shape shape)
{
    vkp_tensor t = vkp_tensor_activation(0, shape);
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&t) * 4, VKP_MEMORY_HOST, "loss", buffer));
    memset(buffer->mapped, 0, buffer->bytes);
    assert_ok(vkp_program_external(program, buffer, 0, buffer->bytes, "loss", &t.buffer));
    return t;
}

/* Runs a loss of one picture of one row in both directions, the loss's own gradient being 1. */
static float run(const vkp_op *op, vkp_attr attr, const float *x, uint32_t count, float *dx)
{
    const vkp_shape row = {1, 1, 1, count}, one = {1, 1, 1, 1};
    const vkp_shape shapes[] = {row, row, one, one};
    vkp_buffer buffers[4];
    vkp_tensor tensors[4];
    vkp_program *program;
    vkp_arena arena = {0};
    assert_ok(vkp_program_create(test_device, &program));
    for (int i = 0; i < 4; i++) tensors[i] = make(program, &buffers[i], shapes[i]);
    memcpy(buffers[0].mapped, x, count * sizeof *x);
    *(float *)buffers[3].mapped = 1;
    const vkp_node node = {.op = op, .attr = attr, .in = {tensors[0]}, .d_in = {tensors[1]},
                           .out = {tensors[2]}, .d_out = {tensors[3]}};
    assert_ok(op->forward(program, &node));
    assert_ok(op->backward(program, &node));
    assert_ok(vkp_program_build(program, &arena));
    assert_ok(vkp_program_run(program, 0, 1));
    const float loss = *(float *)buffers[2].mapped;
    memcpy(dx, buffers[1].mapped, count * sizeof *dx);
    vkp_program_destroy(program);
    vkp_arena_destroy(test_device, &arena);
    for (int i = 0; i < 4; i++) vkp_buffer_destroy(test_device, &buffers[i]);
    return loss;
}

/* torch.nn.functional.relu's derivative at 0 is 0. */
static void hinge_has_no_slope_in_its_kink(void **state)
{
    (void)state;
    const float x[] = {-1, 1, 0, 2};
    float dx[4];
    assert_float_equal(run(&vkp_op_hinge, (vkp_attr){.mode = 1}, x, 4, dx), (2 + 0 + 1 + 0) / 4.0f, 0);
    const float real[] = {-0.25f, 0, -0.25f, 0};
    assert_memory_equal(dx, real, sizeof real);
    assert_float_equal(run(&vkp_op_hinge, (vkp_attr){.mode = 2}, x, 4, dx), (0 + 2 + 1 + 3) / 4.0f, 0);
    const float fake[] = {0, 0.25f, 0.25f, 0.25f};
    assert_memory_equal(dx, fake, sizeof fake);
}

/* The loss of a right answer is log(1 + exp(-|x|)), tiny, and must not round away; a wrong one costs |x|. */
static void bce_keeps_small_losses(void **state)
{
    (void)state;
    for (float x = 0; x <= 40; x += 2.5f) {
        float dx;
        const double right = log1p(exp(-(double)x)), slope = -1 / (1 + exp((double)x));
        const float got = run(&vkp_op_bce_with_logits, (vkp_attr){.scale = 1}, &x, 1, &dx);
        if (fabs(got - right) > 2e-5 * right)
            fail_msg("logit %g costs %g, not %g", (double)x, (double)got, right);
        assert_float_equal(dx, (float)slope, 2e-7f);
        const float wrong = run(&vkp_op_bce_with_logits, (vkp_attr){.scale = 0}, &x, 1, &dx);
        assert_float_equal(wrong, (float)(right + (double)x), 4e-6f);
        assert_float_equal(dx, (float)(1 + slope), 2e-7f);
    }
}

/* A network that diverged shows in its losses. */
static void losses_show_nan(void **state)
{
    (void)state;
    const float x[] = {0.5f, NAN, 0.5f};
    float dx[3];
    for (uint32_t mode = 0; mode < 3; mode++)
        assert_true(isnan(run(&vkp_op_hinge, (vkp_attr){.mode = mode}, x, 3, dx)));
    assert_true(isnan(run(&vkp_op_bce_with_logits, (vkp_attr){.scale = 1}, x, 3, dx)));
    /* Very sure logits are no reason for one. */
    const float sure[] = {1e30f, -1e30f, 100};
    assert_true(isfinite(run(&vkp_op_bce_with_logits, (vkp_attr){.scale = 1}, sure, 3, dx)));
    for (int i = 0; i < 3; i++) assert_true(isfinite(dx[i]));
}

/* Adding a million equal numbers one after the other would lose the last digits. */
static void long_means_are_exact(void **state)
{
    (void)state;
    const uint32_t count = 1000003;
    float *x = malloc(2 * count * sizeof *x);
    assert_non_null(x);
    for (uint32_t i = 0; i < count; i++) x[i] = 0.1f;
    assert_float_equal(run(&vkp_op_hinge, (vkp_attr){.mode = 0}, x, count, x + count), -0.1f, 5e-8f);
    for (uint32_t i = 0; i < count; i++) assert_float_equal(x[count + i], -1.0f / (float)count, 0);
    free(x);
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    const vkp_shape row = {1, 1, 1, 5}, none = {1, 1, 0, 5};
    vkp_shape out[VKP_MAX_OUT];
    const struct {
        const vkp_op *op;
        vkp_shape in[3];
        uint32_t mode;
    } wrong[] = {
        {&vkp_op_bce_with_logits, {none}, 0},
        {&vkp_op_hinge, {none}, 0},
        {&vkp_op_hinge, {row}, 3},
        {&vkp_op_l1, {row, {1, 1, 5, 1}}, 0},
        {&vkp_op_l1, {none, none}, 0},
        {&vkp_op_weighted_sum, {row}, 0},
        {&vkp_op_weighted_sum, {{1, 1, 1, 1}, {1, 1, 1, 1}, row}, 0},
        {&vkp_op_squared_error, {row, row, row}, 0},
        {&vkp_op_squared_error, {row, {1, 2, 1, 5}, {1, 1, 1, 4}}, 0},
        {&vkp_op_ycc_to_rgb, {row, row}, 0},
        {&vkp_op_ycc_to_rgb, {{1, 2, 1, 5}, {1, 2, 1, 5}}, 0},
        {&vkp_op_rgb_to_ycc, {row}, 0},
        {&vkp_op_rgb_to_ycc, {{1, 3, 0, 5}}, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vkp_node node = {.op = wrong[i].op, .attr = {.mode = wrong[i].mode}};
        for (int k = 0; k < 3; k++) {
            node.in[k] = vkp_tensor_activation(1, wrong[i].in[k]);
            if (!wrong[i].in[k].n) node.in[k].buffer = 0;
        }
        if (node.op->shape(&node, out) != VKP_SHAPE) fail_msg("%s, row %zu: not refused", node.op->name, i);
        assert_non_null(strstr(vkp_error(), node.op->name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hinge_has_no_slope_in_its_kink), cmocka_unit_test(bce_keeps_small_losses),
        cmocka_unit_test(losses_show_nan),                cmocka_unit_test(long_means_are_exact),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
