/* The preset `natural` against PyTorch: `test_natural FOLDER`, where FOLDER holds the variants that
 * tests/reference/make_natural.py writes: `plain`, without a discriminator, in which G sees a faded picture
 * and is to give more saturated colours, and `adversarial`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "device_fixture.h"
#include "torch_names.h"
#include "torch_run.h"

static const char *data_folder;

static void open_variant(torch_run *r, const char *variant)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%s", data_folder, variant);
    torch_run_open(r, variant, "natural", folder);
    torch_run_make_step(r, false, strcmp(variant, "plain") == 0);
}

static unsigned trained_tensors(const vkp_params *p, uint64_t *elements)
{
    unsigned count = 0;
    *elements = 0;
    for (uint32_t i = 0; i < p->count; i++)
        if (p->list[i].trained) count++, *elements += vkp_shape_count(p->list[i].shape);
    return count;
}

/* Every gradient of the first step. A ReLU whose argument is within rounding of its kink may take the other
 * slope, which changes gradients by up to 1e-2; neither variant's first step has one. */
static void compare_first_step(const char *variant)
{
    torch_run r;
    vkp_losses losses;
    uint64_t elements;
    torch_gradients tallies = {0};
    open_variant(&r, variant);
    const bool adversarial = r.config.lambda_adv > 0;
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(r.expected, "losses")->child;
    const double off = torch_run_step(&r, 0, row, &losses);
    print_message("%s: losses of step 0 off by %.1e\n", variant, off);
    assert_true(off <= 1e-5);
    assert_true(losses.classes > 0 && losses.adversarial == adversarial);
    vkp_safetensors *file = dense_open(torch_run_path(&r, "activations.safetensors"));
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    for (size_t i = 0; i < count; i++) torch_run_compare_gradient(&r, file, list[i].name, 1e-4, &tallies);
    torch_tally_report(&tallies.parameters, variant, "gradients of parameters");
    torch_tally_report(&tallies.cancelled, variant, "gradients that cancel");
    const unsigned of_d = trained_tensors(&r.model.discriminator, &elements);
    const unsigned of_g = trained_tensors(&r.model.generator, &elements);
    assert_int_equal(elements, 3499637);
    assert_int_equal(tallies.parameters.count + tallies.cancelled.count, of_g + (adversarial ? of_d : 0));
    torch_run_check_cancelled(&r, &r.model.generator, "generator");
    torch_run_check_cancelled(&r, &r.model.discriminator, "discriminator");
    vkp_safetensors_free(file);
    torch_run_close(&r);
}

static void first_step(void **state)
{
    (void)state;
    compare_first_step("plain");
}

static void first_adversarial_step(void **state)
{
    (void)state;
    compare_first_step("adversarial");
}

/* The rates that the rows have are those of the settings. */
static void check_rates(const torch_run *r)
{
    const uint32_t steps = (uint32_t)torch_run_number(r->expected, "epoch_steps");
    uint32_t i = 0;
    for (const cJSON *row = cJSON_GetObjectItemCaseSensitive(r->expected, "losses")->child; row;
         row = row->next, i++) {
        const double rate = vkp_config_lr(&r->config, i / steps, i % steps, steps);
        assert_true(fabs(rate / torch_run_number(row, "lr") - 1) < 1e-9);
    }
    assert_int_equal(i, r->config.epochs * steps);
}

/* A picture of h x w through a generator in evaluation mode: RMS of the difference over that of the CrCb. */
static double compare_size(const torch_run *r, const vkp_params *generator, uint32_t h, uint32_t w)
{
    char name[32], picture[48];
    snprintf(name, sizeof name, "%ux%u", h, w);
    snprintf(picture, sizeof picture, "pictures/%s.png", name);
    const uint64_t count = (uint64_t)2 * h * w;
    batch pictures = batch_make(1, 3, h, w);
    batch_load(&pictures, 0, torch_run_path(r, picture));
    vkp_safetensors *file = dense_open(torch_run_path(r, "sizes.safetensors"));
    float *want = dense_from_file(file, name, count), *got = malloc(count * sizeof *got);
    assert_non_null(got);
    vkp_arena arena = {0};
    vkp_evaluation *e;
    const vkp_rect valid = {0, 0, (int)w, (int)h};
    assert_ok(vkp_evaluation_create(test_device, &r->config, generator, 1, h, w, &pictures.buffer, &arena,
                                    &e));
    assert_ok(vkp_evaluation_run(e, &valid, NULL, NULL, got, NULL));
    const double off = dense_compare(got, want, count, 0).mean;
    vkp_evaluation_destroy(e);
    vkp_arena_destroy(test_device, &arena);
    vkp_safetensors_free(file);
    batch_free(&pictures);
    free(got);
    free(want);
    return off;
}

/* Ten steps: losses, what they changed, the average, and what the average makes of pictures. */
static void compare_ten_steps(const char *variant)
{
    torch_run r;
    double off[10];
    torch_finals own = {0}, average = {0};
    open_variant(&r, variant);
    check_rates(&r);
    assert_int_equal(torch_run_steps(&r, off, 10, "1e-6"), 10);
    for (int i = 0; i < 10; i++) assert_true(off[i] <= 5e-5);
    torch_run_compare_network(&r, &r.model.generator, "generator", "generator", &own);
    if (r.config.lambda_adv > 0)
        torch_run_compare_network(&r, &r.model.discriminator, "discriminator", "discriminator", &own);
    torch_run_report_finals(&r, &own);
    const vkp_params *result = vkp_model_result(&r.model);
    assert_ptr_equal(result, &r.model.average);
    print_message("%s: and of the average:\n", variant);
    torch_run_compare_network(&r, result, "generator", "average", &average);
    torch_run_report_finals(&r, &average);
    assert_int_equal(average.means.count, 15);
    assert_int_equal(average.variances.count, 15);
    torch_run_compare_evaluation(&r, result);
    static const uint32_t sizes[][2] = {{64, 96}, {256, 160}, {64, 2048}, {2048, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const double of_size = compare_size(&r, result, sizes[i][0], sizes[i][1]);
        print_message("%s: CrCb of %ux%u off by %.1e\n", variant, sizes[i][0], sizes[i][1], of_size);
        assert_true(of_size <= 2e-4);
    }
    torch_run_close(&r);
}

static void ten_steps(void **state)
{
    (void)state;
    compare_ten_steps("plain");
}

static void ten_adversarial_steps(void **state)
{
    (void)state;
    compare_ten_steps("adversarial");
}

static void rates_of_a_run(void **state)
{
    (void)state;
    torch_run r;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/plain", data_folder);
    torch_run_open(&r, "plain", "natural", folder);
    const cJSON *schedule = cJSON_GetObjectItemCaseSensitive(r.expected, "schedule");
    const uint32_t steps = (uint32_t)torch_run_number(schedule, "steps");
    r.config.lr = torch_run_number(schedule, "lr");
    r.config.lr_min = torch_run_number(schedule, "lr_min");
    r.config.warmup = (uint32_t)torch_run_number(schedule, "warmup");
    r.config.epochs = (uint32_t)torch_run_number(schedule, "epochs");
    uint32_t i = 0;
    for (const cJSON *rate = cJSON_GetObjectItemCaseSensitive(schedule, "rates")->child; rate;
         rate = rate->next, i++) {
        const double got = vkp_config_lr(&r.config, i / steps, i % steps, steps);
        assert_true(fabs(got / rate->valuedouble - 1) < 1e-9);
    }
    assert_int_equal(i, r.config.epochs * steps);
    torch_run_close(&r);
}

/* A weight of zero: no such loss, and no gradient for what only it teaches. */
static void does_without_classes(void **state)
{
    (void)state;
    torch_run r;
    char folder[4096];
    vkp_losses losses;
    snprintf(folder, sizeof folder, "%s/plain", data_folder);
    torch_run_open(&r, "plain", "natural", folder);
    r.config.lambda_class = 0;
    torch_run_make_step(&r, false, true);
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(r.expected, "losses")->child;
    assert_true(torch_run_step(&r, 0, row, &losses) <= 1e-5);
    const vkp_params *p = &r.model.generator;
    float *gradients = malloc(p->trained * sizeof *gradients);
    assert_non_null(gradients);
    assert_ok(vkp_buffer_read(test_device, &p->grads, 0, gradients, p->trained * sizeof *gradients));
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        const float *own = gradients + e->offset;
        double sum = 0;
        if (!e->trained || e->zero_grad) continue;
        for (uint64_t k = 0; k < vkp_shape_count(e->shape); k++) sum += fabs((double)own[k]);
        if ((sum == 0) != (strncmp(e->name, "classes.", strlen("classes.")) == 0))
            fail_msg("%s has a gradient of %g in all", e->name, sum);
    }
    free(gradients);
    torch_run_close(&r);
}

/* What G takes are multiples of 32: others are refused, by the step and by the evaluation. */
static void refuses_other_sides(void **state)
{
    (void)state;
    vkp_config config;
    vkp_model model;
    vkp_arena arena = {0};
    vkp_step *step;
    vkp_evaluation *evaluation;
    assert_ok(vkp_config_preset(&config, "natural"));
    assert_ok(vkp_model_create(test_device, &config, 1, &model));
    batch pictures = batch_make(1, 3, 80, 64);
    const vkp_step_options options = {.batch = 1, .h = 80, .w = 64, .rgb = &pictures.buffer};
    assert_int_equal(vkp_step_create(test_device, &config, &model, &options, &arena, &step), VKP_SHAPE);
    assert_non_null(strstr(vkp_error(), "multiples of 32"));
    assert_int_equal(vkp_evaluation_create(test_device, &config, &model.average, 1, 64, 80, &pictures.buffer,
                                           &arena, &evaluation),
                     VKP_SHAPE);
    batch_free(&pictures);
    vkp_arena_destroy(test_device, &arena);
    vkp_model_free(&model);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    data_folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step),
        cmocka_unit_test(first_adversarial_step),
        cmocka_unit_test(ten_steps),
        cmocka_unit_test(ten_adversarial_steps),
        cmocka_unit_test(rates_of_a_run),
        cmocka_unit_test(does_without_classes),
        cmocka_unit_test(refuses_other_sides),
    };
    return cmocka_run_group_tests_name("natural against PyTorch", tests, open_test_device, close_test_device);
}
