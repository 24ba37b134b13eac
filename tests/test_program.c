/* Programs: recorded once and run often, the same however they are cut; memory shared, limits kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "nn/step.h"

/* A small training step with weights and a picture that follow from a seed. */
typedef struct step_fixture {
    vkp_config config;
    vkp_model model;
    vkp_buffer rgb;
    vkp_arena arena;
    vkp_step *step;
    vkp_rect valid[6]; /* BATCH */
} step_fixture;

enum { SIDE = 64, BATCH = 6 };

static void make_step(step_fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_ok(vkp_config_preset(&f->config, "train01"));
    f->config.size = SIDE;
    f->config.blur = 0;
    const vkp_tensor layout = vkp_tensor_activation(0, (vkp_shape){BATCH, 3, SIDE, SIDE});
    assert_ok(vkp_model_create(test_device, &f->config, 3, &f->model));
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&layout) * 4, VKP_MEMORY_HOST, "rgb", &f->rgb));
    for (uint64_t i = 0; i < vkp_extent(&layout); i++)
        ((float *)f->rgb.mapped)[i] = (float)((i * 2654435761u >> 8) & 255) / 255;
    assert_ok(vkp_step_create(test_device, &f->config, &f->model,
        &(vkp_step_options){.batch = BATCH, .h = SIDE, .w = SIDE, .rgb = &f->rgb, .adversarial = true},
        &f->arena, &f->step));
    for (int i = 0; i < BATCH; i++) f->valid[i] = (vkp_rect){0, 0, SIDE, SIDE};
}

static void free_step(step_fixture *f)
{
    vkp_step_destroy(f->step);
    vkp_arena_destroy(test_device, &f->arena);
    vkp_buffer_destroy(test_device, &f->rgb);
    vkp_model_free(&f->model);
}

/* Three steps; the generator's values afterwards, malloc'd. */
static float *train(step_fixture *f, double budget)
{
    double psnr[BATCH];
    vkp_losses losses;
    vkp_program_budget(vkp_step_program(f->step), budget);
    for (int i = 0; i < 3; i++) {
        assert_ok(vkp_step_submit(
            f->step,
            &(vkp_step_inputs){.valid = f->valid, .lr = 1e-3, .first_of_d = true, .update_d = true}));
        assert_ok(vkp_step_finish(f->step, &losses, psnr));
    }
    float *values = malloc(f->model.generator.total * 4);
    assert_non_null(values);
    assert_ok(
        vkp_buffer_read(test_device, &f->model.generator.values, 0, values, f->model.generator.total * 4));
    return values;
}

static void cuts_change_nothing(void **state)
{
    (void)state;
    step_fixture f;
    float *results[2];
    const double budgets[] = {1, 1e12};
    for (int i = 0; i < 2; i++) {
        make_step(&f);
        results[i] = train(&f, budgets[i]);
        if (i == 1) assert_memory_equal(results[0], results[1], f.model.generator.total * 4);
        free_step(&f);
    }
    free(results[0]);
    free(results[1]);
}

static void memory_is_known_before(void **state)
{
    (void)state;
    step_fixture f;
    const uint64_t before = test_device->allocated;
    make_step(&f);
    uint64_t blocks = 0;
    for (int i = 0; i < VKP_PLAN_BLOCKS; i++) blocks += f.arena.blocks[i].bytes;
    assert_int_equal(vkp_step_memory(f.step), blocks);
    free_step(&f);
    assert_int_equal(test_device->allocated, before);
}

/* Without a batch cut, tensors of one picture more than a binding holds: the operations must cut. */
static void bindings_are_cut_over_the_batch(void **state)
{
    (void)state;
    step_fixture f;
    make_step(&f);
    float *whole = train(&f, 100);
    free_step(&f);
    /* One picture's largest tensor, 64 channels of 64 x 64, is 1 MiB: two fit, six do not. Weights do. */
    const uint64_t range = test_device->info.limits.storage_range;
    test_device->info.limits.storage_range = 5u << 19;
    const uint64_t count = test_device->dispatches;
    make_step(&f);
    float *cut = train(&f, 100);
    test_device->info.limits.storage_range = range;
    assert_true(test_device->dispatches > count);
    double error = 0, power = 0;
    for (uint64_t i = 0; i < f.model.generator.trained; i++) {
        error += ((double)cut[i] - whole[i]) * ((double)cut[i] - whole[i]);
        power += (double)whole[i] * whole[i];
    }
    /* Weight gradients are summed in another order, and three steps of Adam follow. */
    if (error > 1e-4 * power) fail_msg("relative difference %g", error / power);
    free_step(&f);
    free(whole);
    free(cut);
}

/* A dispatch that makes the scalar `to` of `from` times the weight. */
static vkp_dispatch times(uint32_t to, uint32_t from, float weight)
{
    vkp_dispatch d = {.shader = VKP_SHADER_scalar_add, .groups = {1, 1, 1}, .spec_count = 1, .push_words = 9,
                      .binding_count = 2, .bindings = {{.buffer = to, .bytes = 4, .access = VKP_WRITE},
                                                       {.buffer = from, .bytes = 4, .access = VKP_READ}}};
    memcpy(&d.push[8], &weight, sizeof weight);
    return d;
}

/* What is prepared lasts from run to run; what only looks like it is made anew. */
static void preparations_last(void **state)
{
    (void)state;
    enum { PARAMETER, FOLDED, LOCAL, PREPARED, NOT_PREPARED, FIRST, SECOND, COUNT };
    vkp_program *p;
    vkp_arena arena = {0};
    vkp_buffer parameter = {0};
    uint32_t id[COUNT], section;
    assert_ok(vkp_program_create(test_device, &p));
    assert_ok(vkp_buffer_create(test_device, 4, VKP_MEMORY_HOST, "parameter", &parameter));
    assert_ok(vkp_program_external(p, &parameter, 0, 4, "parameter", &id[PARAMETER]));
    for (int i = FOLDED; i < COUNT; i++) assert_ok(vkp_program_buffer(p, 4, "scalar", &id[i]));
    const vkp_dispatch fold = times(id[FOLDED], id[PARAMETER], 2);
    const vkp_dispatch local = times(id[LOCAL], id[PARAMETER], 1);
    const vkp_dispatch prepare = times(id[PREPARED], id[FOLDED], 5);
    const vkp_dispatch cannot = times(id[NOT_PREPARED], id[LOCAL], 7);
    const vkp_dispatch first = times(id[FIRST], id[PREPARED], 1);
    const vkp_dispatch second = times(id[SECOND], id[NOT_PREPARED], 1);
    assert_ok(vkp_program_dispatch(p, &fold));
    vkp_program_prepare_here(p);
    assert_ok(vkp_program_section(p, &section));
    assert_ok(vkp_program_dispatch(p, &local));
    assert_ok(vkp_program_prepare(p, &prepare));
    assert_ok(vkp_program_prepare(p, &cannot));
    assert_ok(vkp_program_dispatch(p, &first));
    assert_ok(vkp_program_dispatch(p, &second));
    vkp_program_keep(p, id[FIRST]);
    vkp_program_keep(p, id[SECOND]);
    assert_ok(vkp_program_build(p, &arena));
    static const struct {
        float parameter, first, second;
        uint32_t from, count;
    } runs[] = {{3, 30, 21, 0, 2}, {100, 30, 700, 1, 1}, {4, 30, 28, 1, 1}, {4, 40, 28, 0, 2}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        float got[2];
        assert_ok(vkp_buffer_write(test_device, &parameter, 0, &runs[i].parameter, 4));
        assert_ok(vkp_program_run(p, runs[i].from, runs[i].count));
        assert_ok(vkp_program_read(p, id[FIRST], 0, &got[0], 4));
        assert_ok(vkp_program_read(p, id[SECOND], 0, &got[1], 4));
        if (got[0] != runs[i].first || got[1] != runs[i].second)
            fail_msg("run %zu gave %g and %g", i, (double)got[0], (double)got[1]);
    }
    vkp_program_destroy(p);
    vkp_arena_destroy(test_device, &arena);
    vkp_buffer_destroy(test_device, &parameter);
}

static void limits_are_checked(void **state)
{
    (void)state;
    vkp_program *p;
    uint32_t id, other;
    vkp_buffer small = {0};
    assert_ok(vkp_program_create(test_device, &p));
    assert_ok(vkp_program_buffer(p, 1024, "small", &id));
    assert_ok(vkp_buffer_create(test_device, 64, VKP_MEMORY_HOST, "small", &small));
    assert_int_equal(vkp_program_external(p, &small, 0, 65, "too long", &other), VKP_INTERNAL);
    vkp_dispatch d = {.shader = VKP_SHADER_channel_sum,
                      .groups = {1, 1, 1},
                      .binding_count = 1,
                      .bindings = {{.buffer = id, .bytes = 1028, .access = VKP_WRITE}}};
    assert_int_equal(vkp_program_dispatch(p, &d), VKP_INTERNAL);
    d.bindings[0].bytes = 1024;
    d.groups[1] = 0;
    assert_int_equal(vkp_program_dispatch(p, &d), VKP_INTERNAL);
    vkp_program_destroy(p);
    vkp_buffer_destroy(test_device, &small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(memory_is_known_before),
        cmocka_unit_test(bindings_are_cut_over_the_batch),
        cmocka_unit_test(preparations_last),
        cmocka_unit_test(limits_are_checked),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
