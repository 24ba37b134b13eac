/* Operations over flat parameters as training uses them: in place, over several steps, and in runs where one
 * binding cannot hold all. test_ops has them one call at a time on tensors of their own. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "device_fixture.h"
#include "nn/params.h"
#include "ops/adam.h"
#include "ops/ema.h"
#include "ops/init_uniform.h"
#include "ops/op.h"
#include "scratch.h"

enum { COUNT = 1003, STEPS = 5 };

typedef struct flat {
    vkp_program *program;
    vkp_arena arena;
    vkp_buffer buffers[4];
    uint32_t count;
    vkp_limits limits;
} flat;

static void start(flat *f, bool narrow)
{
    *f = (flat){.limits = test_device->info.limits};
    if (narrow) {
        test_device->info.limits.storage_range = 1024;
        test_device->info.limits.group_count[0] = 1;
    }
    assert_ok(vkp_program_create(test_device, &f->program));
}

/* Adds a tensor that starts `offset` floats into its buffer; returns where its values lie. */
static float *add(flat *f, vkp_shape shape, uint32_t offset, vkp_tensor *tensor)
{
    vkp_buffer *b = &f->buffers[f->count++];
    *tensor = vkp_tensor_packed(0, shape);
    const uint64_t bytes = (offset + vkp_shape_count(shape)) * sizeof(float);
    assert_ok(vkp_buffer_create(test_device, bytes, VKP_MEMORY_HOST, "flat", b));
    assert_ok(vkp_program_external(f->program, b, 0, b->bytes, "flat", &tensor->buffer));
    tensor->offset = offset;
    return (float *)b->mapped + offset;
}

static void end(flat *f)
{
    vkp_program_destroy(f->program);
    vkp_arena_destroy(test_device, &f->arena);
    for (uint32_t i = 0; i < f->count; i++) vkp_buffer_destroy(test_device, &f->buffers[i]);
    test_device->info.limits = f->limits;
}

static float uniform(uint64_t stream, uint64_t i) { return 2 * vkp_random_float(7, stream, i) - 1; }

/* Any one gradient that leaves its parameter or moments not finite is noticed, wherever it is: among
 * quadruples, in what they leave, and where its square alone is too large. */
static void expect_alarms(flat *f, float *p, float *g, float *state, float *hyper)
{
    static const int places[] = {0, 1, COUNT / 2, COUNT - 2, COUNT - 1};
    const float values[] = {NAN, INFINITY, -INFINITY, 1e30f};
    for (size_t i = 0; i < sizeof places / sizeof *places * 4; i++) {
        const int place = places[i / 4];
        const float before = g[place];
        hyper[VKP_ADAM_ALARM] = 0;
        assert_ok(vkp_program_run(f->program, 0, 1));
        assert_true(hyper[VKP_ADAM_ALARM] == 0);
        g[place] = values[i % 4];
        assert_ok(vkp_program_run(f->program, 0, 1));
        if (hyper[VKP_ADAM_ALARM] == 0) fail_msg("no alarm for %g at %d", (double)values[i % 4], place);
        g[place] = before;
        p[place] = state[2 * place] = state[2 * place + 1] = 0;
    }
}

static void steps_in_place(bool narrow, uint32_t offset, double decay)
{
    const double lr = 0.002, beta1 = 0.5, beta2 = 0.999, eps = 1e-8;
    flat f;
    start(&f, narrow);
    vkp_node node = {.op = &vkp_op_adam};
    const vkp_shape shape = {1, 1, 1, COUNT};
    float *p = add(&f, shape, offset, &node.in[VKP_ADAM_P]), *g = add(&f, shape, 0, &node.in[VKP_ADAM_G]);
    float *state = add(&f, (vkp_shape){1, 1, COUNT, 2}, 2 * offset, &node.in[VKP_ADAM_STATE]);
    float *hyper = add(&f, (vkp_shape){1, 1, 1, VKP_ADAM_HYPER}, offset, &node.in[VKP_ADAM_HYPER_IN]);
    node.out[VKP_ADAM_P_OUT] = node.in[VKP_ADAM_P];
    node.out[VKP_ADAM_STATE_OUT] = node.in[VKP_ADAM_STATE];
    node.out[VKP_ADAM_HYPER_OUT] = node.in[VKP_ADAM_HYPER_IN];
    assert_ok(node.op->forward(f.program, &node));
    /* No copies; narrow, 64 elements a run. */
    assert_int_equal(vkp_program_dispatch_count(f.program), narrow ? 16 : 1);
    assert_ok(vkp_program_build(f.program, &f.arena));

    double want[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
    memset(state, 0, 2 * COUNT * sizeof *state);
    for (int i = 0; i < COUNT; i++) want[i] = p[i] = uniform(0, (uint64_t)i);
    for (int t = 1; t <= STEPS; t++) {
        vkp_adam_hyper(lr, beta1, beta2, eps, decay, (uint64_t)t, hyper);
        for (int i = 0; i < COUNT; i++) {
            g[i] = uniform((uint64_t)t, (uint64_t)i);
            m[i] = beta1 * m[i] + (1 - beta1) * g[i];
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
            want[i] -= lr * decay * want[i];
            want[i] -= lr / (1 - pow(beta1, t)) * m[i] / (sqrt(v[i]) / sqrt(1 - pow(beta2, t)) + eps);
        }
        assert_ok(vkp_program_run(f.program, 0, 1));
    }
    for (int i = 0; i < COUNT; i++) {
        assert_float_equal(p[i], want[i], 1e-6);
        assert_float_equal(state[2 * i], m[i], 1e-6);
        assert_float_equal(state[2 * i + 1], v[i], 1e-8);
    }
    assert_true(hyper[VKP_ADAM_ALARM] == 0);
    expect_alarms(&f, p, g, state, hyper);
    end(&f);
}

static void adam_steps(void **state)
{
    (void)state;
    for (int decay = 0; decay <= 1; decay++) {
        steps_in_place(false, 0, decay * 0.5);
        steps_in_place(false, 1, decay * 0.5); /* no quadruples */
        steps_in_place(true, 0, decay * 0.5);
    }
}

static void average_in_place(bool narrow, uint32_t offset)
{
    flat f;
    start(&f, narrow);
    vkp_node node = {.op = &vkp_op_ema};
    const vkp_shape shape = {1, 1, 1, COUNT};
    float *average = add(&f, shape, offset, &node.in[VKP_EMA_AVERAGE]);
    float *p = add(&f, shape, 0, &node.in[VKP_EMA_P]);
    float *rest = add(&f, (vkp_shape){1, 1, 1, 1}, offset, &node.in[VKP_EMA_REST]);
    node.out[VKP_EMA_AVERAGE_OUT] = node.in[VKP_EMA_AVERAGE];
    assert_ok(node.op->forward(f.program, &node));
    assert_int_equal(vkp_program_dispatch_count(f.program), narrow ? 6 : 1);
    assert_ok(vkp_program_build(f.program, &f.arena));

    double want[COUNT] = {0};
    for (int t = 0; t < STEPS; t++) {
        const double decay = t ? 0.9 : 0; /* the first step takes what is there */
        *rest = (float)(1 - decay);
        for (int i = 0; i < COUNT; i++) {
            if (!t) average[i] = 0;
            p[i] = uniform((uint64_t)t, (uint64_t)i);
            want[i] = t ? decay * want[i] + (1 - decay) * p[i] : p[i];
        }
        assert_ok(vkp_program_run(f.program, 0, 1));
    }
    for (int i = 0; i < COUNT; i++) assert_float_equal(average[i], want[i], 1e-6);
    end(&f);
}

static void ema_steps(void **state)
{
    (void)state;
    average_in_place(false, 0);
    average_in_place(false, 1); /* no quadruples */
    average_in_place(true, 0);
}

/* Runs continue the counter: the numbers do not show where they were cut. */
static void init_in_runs(void **state)
{
    (void)state;
    flat f;
    start(&f, true);
    vkp_node node = {.op = &vkp_op_init_uniform, .attr = {.scale = 0.3f}};
    float *key = add(&f, (vkp_shape){1, 1, 1, VKP_INIT_KEY}, 3, &node.in[0]);
    vkp_init_key(5, vkp_random_stream(VKP_RANDOM_INIT, 3), key);
    const float *y = add(&f, (vkp_shape){17, 1, 1, 59}, 5, &node.in[1]);
    node.out[0] = node.in[1];
    assert_ok(node.op->forward(f.program, &node));
    assert_true(vkp_program_dispatch_count(f.program) > 1);
    assert_ok(vkp_program_build(f.program, &f.arena));
    assert_ok(vkp_program_run(f.program, 0, 1));
    for (uint64_t i = 0; i < 17 * 59; i++) {
        const float centred = 2 * vkp_random_float(5, vkp_random_stream(VKP_RANDOM_INIT, 3), i) - 1;
        const float want = centred * 0.3f;
        assert_memory_equal(&y[i], &want, sizeof want);
    }
    end(&f);
}

/* A checkpoint may hold the noise of rounding for a gradient that is zero by algebra. */
static void zero_gradients_stay_zero(void **state)
{
    (void)state;
    vkp_params p = {0}, *list[] = {&p};
    const char *const prefixes[] = {"N"};
    assert_ok(vkp_params_declare(&p, "weight", 1, (vkp_shape){1, 70, 1, 1}, true, 0, 1));
    assert_ok(vkp_params_declare(&p, "bias", 1, (vkp_shape){1, 70, 1, 1}, true, 0, 1));
    assert_ok(vkp_params_allocate(&p, test_device, true));
    float noise[256], got[256];
    assert_true(p.trained <= 256);
    for (int i = 0; i < 256; i++) noise[i] = uniform(1, (uint64_t)i);
    assert_ok(vkp_buffer_write(test_device, &p.grads, 0, noise, p.trained * sizeof *noise));
    assert_ok(vkp_optimizer_save("noise.safetensors", list, prefixes, 1, 0));
    p.list[1].zero_grad = true;
    assert_ok(vkp_optimizer_load("noise.safetensors", list, prefixes, 1, 0));
    assert_ok(vkp_buffer_read(test_device, &p.grads, 0, got, p.trained * sizeof *got));
    for (uint64_t i = 0; i < 70; i++) {
        assert_true(got[p.list[0].offset + i] == noise[p.list[0].offset + i]);
        assert_true(got[p.list[1].offset + i] == 0);
    }
    vkp_params_free(&p);
}

/* Shapes that do not fit are refused before anything is written down. */
static void shapes_refused(void **state)
{
    (void)state;
    static const struct {
        const vkp_op *op;
        vkp_case c;
    } wrong[] = {
        {&vkp_op_avg_pool, {.in = {{1, 1, 4, 4}}, .attr = {.factor = 0}}},
        {&vkp_op_avg_pool, {.in = {{1, 1, 4, 1}}, .attr = {.factor = 2}}},
        {&vkp_op_upsample, {.in = {{1, 1, 4, 4}}, .attr = {.factor = 0}}},
        {&vkp_op_upsample, {.in = {{1, 1, 4, 70000}}, .attr = {.factor = 70000}}},
        {&vkp_op_concat, {.in = {{1, 1, 4, 4}, {1, 1, 4, 5}}}},
        {&vkp_op_concat, {.in = {{1, 1, 4, 4}, {2, 1, 4, 4}}}},
        {&vkp_op_adam, {.in = {{1, 1, 1, 8}, {1, 1, 1, 7}, {1, 1, 8, 2}, {1, 1, 1, VKP_ADAM_HYPER}}}},
        {&vkp_op_adam, {.in = {{1, 1, 1, 8}, {1, 1, 1, 8}, {1, 2, 1, 8}, {1, 1, 1, VKP_ADAM_HYPER}}}},
        {&vkp_op_adam, {.in = {{1, 1, 1, 8}, {1, 1, 1, 8}, {1, 1, 8, 2}, {1, 1, 1, 5}}}},
        {&vkp_op_upsample_bilinear, {.in = {{1, 1, 4, 4}}, .attr = {.factor = 0}}},
        {&vkp_op_upsample_bilinear, {.in = {{1, 1, 4, 4}}, .attr = {.factor = 9}}},
        {&vkp_op_soft_classes, {.in = {{1, 8, 4, 4}, {1, 2, 4, 4}}, .attr = {.kernel = 3, .scale = 1}}},
        {&vkp_op_soft_classes, {.in = {{1, 1, 4, 4}, {1, 2, 4, 4}}, .attr = {.kernel = 1, .scale = 1}}},
        {&vkp_op_soft_classes, {.in = {{1, 9, 4, 4}, {1, 2, 4, 4}}, .attr = {.kernel = 3, .scale = 0}}},
        {&vkp_op_soft_classes, {.in = {{1, 9, 4, 4}, {1, 2, 4, 4}}, .attr = {.kernel = 3, .scale = NAN}}},
        {&vkp_op_soft_classes, {.in = {{1, 9, 4, 4}, {1, 2, 4, 5}}, .attr = {.kernel = 3, .scale = 1}}},
        {&vkp_op_expected_chroma, {.in = {{1, 9, 4, 4}}, .attr = {.kernel = 3, .scale = 1}}},
        {&vkp_op_expected_chroma, {.in = {{1, 9, 4, 4}}, .attr = {3, .scale = 1, .weight = {1e-40f}}}},
        {&vkp_op_ema, {.in = {{1, 1, 1, 8}, {1, 1, 1, 7}, {1, 1, 1, 1}}}},
        {&vkp_op_ema, {.in = {{1, 1, 8, 1}, {1, 1, 8, 1}, {1, 1, 1, 1}}}},
        {&vkp_op_ema, {.in = {{1, 1, 1, 8}, {1, 1, 1, 8}, {1, 1, 1, 2}}}},
        {&vkp_op_init_uniform, {.in = {{1, 1, 1, 4}, {1, 1, 1, 8}}}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vkp_node node = {.op = wrong[i].op, .attr = wrong[i].c.attr};
        for (int k = 0; k < VKP_MAX_IN; k++) node.in[k].shape = wrong[i].c.in[k];
        vkp_shape out[VKP_MAX_OUT];
        assert_int_equal(node.op->shape(&node, out), VKP_SHAPE);
        assert_non_null(strstr(vkp_error(), node.op->name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_steps), cmocka_unit_test(ema_steps), cmocka_unit_test(init_in_runs),
        cmocka_unit_test_setup_teardown(zero_gradients_stay_zero, scratch_enter, scratch_leave),
        cmocka_unit_test(shapes_refused)};
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
