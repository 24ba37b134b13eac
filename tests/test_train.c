/* The trainer: what a run leaves, resuming bit for bit, and what it refuses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "blob.h"
#include "device_fixture.h"
#include "nn/checkpoint.h"
#include "nn/run_log.h"
#include "nn/trainer.h"
#include "scratch.h"
#include "small_picture.h"

enum { PICTURES = 11 };

static int warnings;

static void count_warning(void *user, const char *text)
{
    (void)user;
    warnings += strstr(text, "cannot read") != NULL;
}

/* Half-rate D and blur: the most there is to keep over a stop. */
static vkp_config small_config(void)
{
    vkp_config c;
    assert_ok(vkp_config_preset(&c, "train02"));
    c.size = 64;
    c.batch = 3;
    c.epochs = 2;
    c.seed = 5;
    c.blur = 0.5;
    return c;
}

/* `natural` with all of its random numbers, an average, and a discriminator from the second epoch on. */
static vkp_config natural_config(void)
{
    vkp_config c;
    assert_ok(vkp_config_preset(&c, "natural"));
    c.size = c.work_size = 64;
    c.batch = 4;
    c.epochs = 2;
    c.seed = 5;
    c.warmup = 2;
    c.ema = 0.5;
    c.dropout = 0.3;
    c.view_min = 70;
    c.view_max = 120;
    c.degrade = 0.7;
    c.lambda_adv = 0.1;
    c.adv_from = 1;
    return c;
}

static vkp_train_options to(const char *run)
{
    return (vkp_train_options){.data = "photos",
                               .out = run,
                               .augment = true,
                               .shuffle = true,
                               .threads = 1,
                               .message = count_warning};
}

static void make_photos(void)
{
    assert_ok(vkp_folder_make("photos/below"));
    for (int i = 0; i < PICTURES; i++) {
        char path[64];
        snprintf(path, sizeof path, i % 3 ? "photos/%02d.png" : "photos/below/%02d.jpg", i);
        small_picture_write(path, 40 + 7 * i, i % 2 ? 50 : 90, i);
    }
    blob text = {0};
    blob_add_text(&text, "no picture at all\n");
    blob_write(&text, "photos/text.jpg");
    blob_free(&text);
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    char path_a[256], path_b[256];
    snprintf(path_a, sizeof path_a, "%s/%s", a, name);
    snprintf(path_b, sizeof path_b, "%s/%s", b, name);
    blob x = blob_read(path_a), y = blob_read(path_b);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.bytes, y.bytes, x.size);
    blob_free(&x);
    blob_free(&y);
}

/* All but the seconds that the epochs took. */
static void assert_same_log(const char *a, const char *b)
{
    vkp_run_table x, y;
    assert_ok(vkp_run_log_read_epochs(a, &x));
    assert_ok(vkp_run_log_read_epochs(b, &y));
    assert_int_equal(x.rows, y.rows);
    assert_memory_equal(x.values, y.values, x.rows * VKP_LOG_seconds * sizeof *x.values);
    vkp_run_table_free(&x);
    vkp_run_table_free(&y);
}

static void leaves_what_is_promised(void **state)
{
    (void)state;
    const vkp_config c = small_config();
    const vkp_train_options o = to("whole");
    warnings = 0;
    assert_ok(vkp_train(test_device, &c, &o));
    assert_true(warnings >= 1); /* text.jpg, wherever it was dealt to */
    static const char *const left[] = {"whole/config.yml",
                                       "whole/log.csv",
                                       "whole/steps.csv",
                                       "whole/figures/adversarial.png",
                                       "whole/figures/l1.png",
                                       "whole/previews/epoch_001.png",
                                       "whole/checkpoints/last/state.yml",
                                       "whole/checkpoints/last/optimizer.safetensors",
                                       "whole/checkpoints/best/generator.safetensors"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (!vkp_file_exists(left[i])) fail_msg("%s is missing", left[i]);
    vkp_run_table log;
    assert_ok(vkp_run_log_read_epochs("whole", &log));
    assert_int_equal(log.rows, 2);
    for (size_t i = 0; i < log.rows * log.columns; i++) assert_true(isfinite(log.values[i]));
    vkp_run_table_free(&log);
}

/* A run in three parts, stopped after 1 and 5 steps, with another number of threads, is the run `whole`. */
static void compare_parts(const vkp_config *c, const char *whole, const char *parts)
{
    vkp_train_options o = to(parts);
    o.max_steps = 1;
    assert_ok(vkp_train(test_device, c, &o));
    o.resume = true;
    o.threads = 3;
    o.max_steps = 5;
    assert_ok(vkp_train(test_device, c, &o));
    o.max_steps = 0;
    assert_ok(vkp_train(test_device, c, &o));
    assert_same_file(whole, parts, "steps.csv");
    assert_same_log(whole, parts);
    static const char *const files[] = {"generator", "discriminator", "optimizer"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "checkpoints/last/%s.safetensors", files[i]);
        assert_same_file(whole, parts, name);
        snprintf(name, sizeof name, "checkpoints/best/%s.safetensors", files[i]);
        assert_same_file(whole, parts, name);
    }
}

/* Stops in the middle of D's two batches and of an epoch. */
static void resumes_bit_for_bit(void **state)
{
    (void)state;
    const vkp_config c = small_config();
    compare_parts(&c, "whole", "parts");
}

/* Stops before and after D joins. */
static void natural_resumes_bit_for_bit(void **state)
{
    (void)state;
    const vkp_config c = natural_config();
    const vkp_train_options o = to("natural");
    assert_ok(vkp_train(test_device, &c, &o));
    compare_parts(&c, "natural", "natural_parts");
}

/* The first epoch has no adversarial losses and leaves D as it was; the second has them in each step. */
static void the_discriminator_joins_when_it_shall(void **state)
{
    (void)state;
    vkp_run_table steps;
    vkp_run_state last;
    assert_ok(vkp_run_log_read_steps("natural", &steps));
    assert_ok(vkp_run_state_read("natural/checkpoints/last", &last));
    assert_int_equal(steps.rows, 6);
    for (size_t i = 0; i < steps.rows; i++) {
        assert_true((steps.values[VKP_STEPS_d_adv * steps.rows + i] != 0) == (i >= 3));
        assert_true((steps.values[VKP_STEPS_g_adv * steps.rows + i] != 0) == (i >= 3));
    }
    assert_int_equal(last.g_adam_steps, 6);
    assert_int_equal(last.d_adam_steps, 3);
    vkp_run_table_free(&steps);
}

/* All of a network's tensors as they lie on the device. */
static float *read_values(const vkp_params *p)
{
    float *values = malloc(p->total * sizeof *values);
    assert_non_null(values);
    assert_ok(vkp_buffer_read(test_device, &p->values, 0, values, p->total * sizeof *values));
    return values;
}

/* After one step, whose decay is 1/10, generator.safetensors is a tenth of the first weights and nine of the
 * new ones, which optimizer.safetensors holds. */
static void keeps_the_average(void **state)
{
    (void)state;
    const vkp_config c = natural_config();
    vkp_train_options o = to("average");
    o.max_steps = 1;
    assert_ok(vkp_train(test_device, &c, &o));
    vkp_model first, model;
    vkp_run_state found;
    char *path;
    assert_ok(vkp_model_create(test_device, &c, c.seed, &first));
    assert_ok(vkp_model_create(test_device, &c, 99, &model));
    assert_ok(vkp_checkpoint_newest("average", NULL, NULL, &path, &found));
    assert_ok(vkp_checkpoint_load(path, &found, &model));
    float *before = read_values(&first.generator), *after = read_values(&model.generator);
    float *average = read_values(&model.average);
    unsigned moved = 0;
    for (uint32_t i = 0; i < model.generator.count; i++) {
        const vkp_param *p = &model.generator.list[i];
        for (uint64_t k = p->offset; k < p->offset + vkp_shape_count(p->shape); k++) {
            const double want = 0.1 * (double)before[k] + 0.9 * (double)after[k];
            assert_true(fabs((double)average[k] - want) <= 1e-6 * fmax(1, fabs(want)));
            moved += before[k] != after[k];
        }
    }
    assert_true(moved > 3000000);
    assert_int_equal(model.average.batches_tracked, 1);
    free(before);
    free(after);
    free(average);
    free(path);
    vkp_model_free(&first);
    vkp_model_free(&model);
}

static void refuses_to_mix_runs(void **state)
{
    (void)state;
    vkp_config c = small_config();
    vkp_train_options o = to("whole");
    assert_int_equal(vkp_train(test_device, &c, &o), VKP_USAGE);
    assert_non_null(strstr(vkp_error(), "--resume"));
    o.resume = true;
    c.batch = 4;
    assert_int_equal(vkp_train(test_device, &c, &o), VKP_USAGE);
    assert_non_null(strstr(vkp_error(), "batch"));
    o.out = "nothing";
    assert_int_equal(vkp_train(test_device, &c, &o), VKP_INPUT);
}

/* The newest checkpoint has one bit turned: the one before is taken, and the run ends as it would have. */
static void passes_over_a_damaged_checkpoint(void **state)
{
    (void)state;
    const vkp_config c = small_config();
    vkp_train_options o = to("damaged");
    o.max_steps = 3; /* the first epoch, whose best checkpoint stays, */
    assert_ok(vkp_train(test_device, &c, &o));
    o.resume = true;
    o.max_steps = 5; /* and some of the second */
    assert_ok(vkp_train(test_device, &c, &o));
    blob b = blob_read("damaged/checkpoints/last/generator.safetensors");
    b.bytes[b.size / 2] ^= 4;
    blob_write(&b, "damaged/checkpoints/last/generator.safetensors");
    blob_free(&b);
    char *path;
    vkp_run_state found;
    assert_ok(vkp_checkpoint_newest("damaged", NULL, NULL, &path, &found));
    assert_int_equal(found.step, 3);
    free(path);
    o.max_steps = 0;
    assert_ok(vkp_train(test_device, &c, &o));
    assert_same_file("whole", "damaged", "steps.csv");
    assert_same_file("whole", "damaged", "checkpoints/last/optimizer.safetensors");
}

/* First weights, one of the last layer of D this one: it stands for a run that blew up. */
static void make_first_weights(const vkp_config *c, float weight)
{
    vkp_params d = {0};
    assert_ok(vkp_discriminator_declare(&d, c));
    assert_ok(vkp_params_allocate(&d, test_device, false));
    assert_ok(vkp_params_initialize(&d, 1, 1));
    const vkp_param *last = &d.list[d.count - 2];
    assert_string_equal(last->name, "out_patch.weight");
    assert_ok(vkp_buffer_write(test_device, &d.values, last->offset * sizeof weight, &weight, sizeof weight));
    assert_ok(vkp_params_save(&d, "first.safetensors"));
    vkp_params_free(&d);
}

/* Losses of 1e24 and their gradients are finite numbers, but the squares of these are not; and weights that
 * are not finite from the start are not even begun with. */
static void stops_at_what_is_not_finite(void **state)
{
    (void)state;
    const vkp_config c = small_config();
    vkp_train_options o = to("large");
    o.init_d = "first.safetensors";
    make_first_weights(&c, 1e25f);
    assert_int_equal(vkp_train(test_device, &c, &o), VKP_NOT_FINITE);
    if (strncmp(vkp_error(), "step 0: Adam's state of generator.", 34) != 0) fail_msg("%s", vkp_error());
    assert_true(!strstr(vkp_error(), "inf") && !strstr(vkp_error(), "nan"));
    char *path;
    vkp_run_state found;
    assert_ok(vkp_checkpoint_newest("large", NULL, NULL, &path, &found));
    assert_int_equal(found.step, 0);
    free(path);
    make_first_weights(&c, NAN);
    o.out = "nan";
    assert_int_equal(vkp_train(test_device, &c, &o), VKP_NOT_FINITE);
    if (!strstr(vkp_error(), "the value of discriminator.out_patch.weight is")) fail_msg("%s", vkp_error());
    assert_int_equal(vkp_checkpoint_newest("nan", NULL, NULL, &path, &found), VKP_INPUT);
}

static void few_pictures_are_all_trained_on(void **state)
{
    (void)state;
    vkp_config c = small_config();
    c.epochs = 1;
    vkp_train_options o = to("few");
    o.data = "photos/below";
    assert_ok(vkp_train(test_device, &c, &o));
    vkp_run_table log;
    assert_ok(vkp_run_log_read_epochs("few", &log));
    assert_true(isnan(log.values[VKP_LOG_val_psnr * log.rows]));
    vkp_run_table_free(&log);
    assert_false(vkp_folder_exists("few/checkpoints/best"));
    assert_true(vkp_file_exists("few/checkpoints/last/state.yml"));
}

static void says_what_batch_would_fit(void **state)
{
    (void)state;
    vkp_config c = small_config();
    c.batch = 8;
    vkp_train_options o = to("too_large");
    const uint64_t budget = test_device->info.limits.memory_budget;
    test_device->info.limits.memory_budget = test_device->allocated + (48u << 20);
    const vkp_status status = vkp_train(test_device, &c, &o);
    test_device->info.limits.memory_budget = budget;
    assert_int_equal(status, VKP_DEVICE_MEMORY);
    if (!strstr(vkp_error(), "--set batch=")) fail_msg("no batch in: %s", vkp_error());
}

static int set_up(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    make_photos();
    return 0;
}

static int tear_down(void **state)
{
    const int device = close_test_device(state);
    return scratch_leave(state) || device ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_what_is_promised),
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(natural_resumes_bit_for_bit),
        cmocka_unit_test(the_discriminator_joins_when_it_shall),
        cmocka_unit_test(keeps_the_average),
        cmocka_unit_test(refuses_to_mix_runs),
        cmocka_unit_test(passes_over_a_damaged_checkpoint),
        cmocka_unit_test(stops_at_what_is_not_finite),
        cmocka_unit_test(few_pictures_are_all_trained_on),
        cmocka_unit_test(says_what_batch_would_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
