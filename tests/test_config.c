/* Configuration: the presets are the published ones, every way in checks every key alike, and what is written
 * is read back. The learning rates come from tests/reference/schedule.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "nn/config.h"
#include "scratch.h"

static vkp_config preset(const char *name)
{
    vkp_config config;
    assert_int_equal(vkp_config_preset(&config, name), VKP_OK);
    return config;
}

static void assert_error_has(const char *part)
{
    if (!strstr(vkp_error(), part)) fail_msg("'%s' is not in '%s'", part, vkp_error());
}

static void assert_differ(const vkp_config *a, const vkp_config *b, const char *expected)
{
    char names[300];
    vkp_config_diff(a, b, names, sizeof names);
    assert_string_equal(names, expected);
}

static void presets_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t size, patches, d_every, epochs;
        vkp_config_loss loss;
        vkp_config_norm norm;
        double lr, late_lr, blur;
    } expected[] = {
        {"train01", 320, 10, 1, 200, VKP_CONFIG_LOSS_BCE, VKP_CONFIG_NORM_BATCH, 1e-4, 5.05e-5, 0.2},
        {"train02", 320, 10, 2, 200, VKP_CONFIG_LOSS_HINGE, VKP_CONFIG_NORM_INSTANCE, 1e-4, 5.05e-5, 0.2},
        {"train03", 256, 4, 1, 200, VKP_CONFIG_LOSS_BCE, VKP_CONFIG_NORM_BATCH, 2e-4, 2e-4, 0},
        {"train04", 352, 11, 2, 97, VKP_CONFIG_LOSS_HINGE, VKP_CONFIG_NORM_INSTANCE, 2e-4, 2e-4, 0.2},
    };
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(vkp_config_preset_name(i), expected[i].name);
        const vkp_config config = preset(expected[i].name);
        assert_int_equal(vkp_config_check(&config), VKP_OK);
        assert_int_equal(config.size, expected[i].size);
        assert_int_equal(vkp_config_patches(&config), expected[i].patches);
        assert_int_equal(config.d_every, expected[i].d_every);
        assert_int_equal(config.epochs, expected[i].epochs);
        assert_int_equal(config.loss, expected[i].loss);
        assert_int_equal(config.d_norm, expected[i].norm);
        assert_true(config.lr == expected[i].lr && config.blur == expected[i].blur && config.flip == 0.5);
        assert_true(fabs(vkp_config_lr(&config, 100, 0, 1) - expected[i].late_lr) < 1e-15);
        assert_true(config.batch == 32 && config.seed == 1 && config.fit == VKP_CONFIG_FIT_WRAP);
        assert_true(config.lambda_crcb == 75 && config.lambda_rgb == 25);
        assert_true(config.checkpoint_every == 20 && config.preview_every == 20);
    }
    assert_string_equal(vkp_config_preset_name(4), "natural");
    assert_null(vkp_config_preset_name(5));
    const vkp_config first = preset("train01"), standard = preset(NULL);
    assert_differ(&first, &standard, "");
    vkp_config config;
    assert_int_equal(vkp_config_preset(&config, "train05"), VKP_USAGE);
    assert_string_equal(vkp_error(), "cannot use preset train05 (no such preset; the presets are train01, "
                                     "train02, train03, train04, natural)");
}

static void cosine_is_pytorchs(void **state)
{
    (void)state;
    static const struct {
        uint32_t epoch;
        double lr;
    } expected[] = {{0, 0.0001},
                    {1, 9.9993893307842198e-05},
                    {57, 8.1449511488617424e-05},
                    {100, 5.0500000000000001e-05},
                    {199, 1.0061066921578009e-06},
                    {200, 0.0001},
                    {333, 2.5974795912595825e-05},
                    {400, 0.0001}};
    const vkp_config config = preset("train01");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(fabs(vkp_config_lr(&config, expected[i].epoch, 7, 9) / expected[i].lr - 1) < 1e-12);
    }
}

static void every_key_is_set_by_name(void **state)
{
    (void)state;
    static const char *const assignments[] = {
        "network=natural", "size=64", "work_size=96", "batch=3", "epochs=9", "loss=hinge",
        "d_norm=instance", "d_pools=2,1,4,2", "d_every=3", "lr=0.25", "lr_min=1e-07", "schedule=constant",
        "restart_every=7", "warmup=11", "beta1=0.9", "weight_decay=0.02", "ema=0.998", "lambda_crcb=1",
        "lambda_rgb=2.5", "lambda_class=0.5", "lambda_adv=0.1", "adv_from=8", "rare=2", "saturation=1.2",
        "boost=1.3", "dropout=0.3", "flip=0", "blur=1", "view_min=150", "view_max=300", "jitter=0.5",
        "degrade=0.25", "fit=rotate", "seed=4294967295", "checkpoint_every=5", "preview_every=6"};
    const size_t count = sizeof assignments / sizeof *assignments;
    assert_int_equal(vkp_config_key_count(), count);
    vkp_config config = preset(NULL);
    const vkp_config before = config;
    for (size_t i = 0; i < count; i++) {
        char text[64], found[160];
        assert_int_equal(vkp_config_set(&config, assignments[i]), VKP_OK);
        snprintf(found, sizeof found, "%s=%s", vkp_config_key_name(i),
                 vkp_config_key_value(&config, i, text, sizeof text));
        assert_string_equal(found, assignments[i]);
        assert_true(strlen(vkp_config_key_meaning(i)) > 0);
    }
    assert_true(config.size == 64 && config.d_pools[0] == 2 && config.d_pools[2] == 4);
    assert_true(config.fit == VKP_CONFIG_FIT_ROTATE && config.seed == UINT32_MAX && config.lr_min == 1e-7);
    char names[600];
    assert_int_equal(vkp_config_diff(&before, &config, names, sizeof names), count);
    assert_int_equal(vkp_config_diff(&before, &config, names, 12), count);
    assert_string_equal(names, "network, si");
}

static void wrong_assignments_name_key_and_range(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"size=15", "cannot set size to '15' (the value is not allowed; give a whole number, 16..4096)"},
        {"size=4097", "16..4096"},
        {"size=", "16..4096"},
        {"size=-32", "16..4096"},
        {"size=+32", "16..4096"},
        {"size=32.5", "16..4096"},
        {"size=320x", "16..4096"},
        {"size=99999999999999999999999", "16..4096"},
        {"seed=4294967296", "0..4294967295"},
        {"loss=mse", "cannot set loss to 'mse' (the value is not allowed; give bce or hinge)"},
        {"loss=BCE", "bce or hinge"},
        {"fit=", "wrap or stretch or black or crop or rotate"},
        {"flip=1.01", "cannot set flip to '1.01' (the value is not allowed; give a number, 0..1)"},
        {"flip=nan", "a number, 0..1"},
        {"flip=inf", "a number, 0..1"},
        {"flip=", "a number, 0..1"},
        {"flip=0.5 ", "a number, 0..1"},
        {"lr=-1e-4", "a number, 0..1"},
        {"d_pools=4,2,2", "4 whole numbers, each 1..64, as 4,2,2,2 or in YAML [4, 2, 2, 2]"},
        {"d_pools=4,2,2,2,2", "each 1..64"},
        {"d_pools=4,2,,2", "each 1..64"},
        {"d_pools=4,2,0,2", "each 1..64"},
        {"sizes=32",
         "cannot set 'sizes' (no such key; the keys are network, size, work_size, batch, epochs, loss, "
         "d_norm, d_pools, d_every, lr, lr_min, schedule, restart_every, warmup, beta1, weight_decay, ema, "
         "lambda_crcb, lambda_rgb, lambda_class, lambda_adv, adv_from, rare, saturation, boost, dropout, "
         "flip, blur, view_min, view_max, jitter, degrade, fit, seed, checkpoint_every, preview_every)"},
        {"=32", "no such key"},
        {"", "cannot set '' (no '='; write KEY=VALUE)"},
        {"size", "write KEY=VALUE"},
    };
    vkp_config config = preset(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(vkp_config_set(&config, cases[i][0]), VKP_USAGE);
        assert_error_has(cases[i][1]);
    }
    const vkp_config standard = preset(NULL);
    assert_differ(&config, &standard, "");
}

static vkp_status load_text(vkp_config *config, const char *text)
{
    assert_int_equal(vkp_file_write("text.yml", text, strlen(text)), VKP_OK);
    return vkp_config_load(config, "text.yml");
}

static void yaml_changes_what_it_names(void **state)
{
    (void)state;
    const vkp_config standard = preset("train03");
    vkp_config config = standard;
    assert_int_equal(load_text(&config, "# small\nsize: 64\nlr: 1.5e-4\n\nd_pools: [2, 2, 2, 1]\n"
                                        "fit: 'crop'\nd_norm: instance # plain text\n"), VKP_OK);
    assert_differ(&config, &standard, "size, d_norm, d_pools, lr, fit");
    assert_true(config.size == 64 && config.lr == 1.5e-4 && config.d_pools[3] == 1);
    config = standard;
    assert_int_equal(load_text(&config, "d_pools:\n  - 2\n  - 2\n  - 4\n  - 4\n"), VKP_OK);
    assert_differ(&config, &standard, "d_pools");
    config = standard;
    assert_int_equal(load_text(&config, ""), VKP_OK);
    assert_int_equal(load_text(&config, "# nothing\n"), VKP_OK);
    assert_int_equal(load_text(&config, "{}\n"), VKP_OK);
    assert_differ(&config, &standard, "");
}

static void wrong_yaml_names_file_and_key(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"size: 100000", "cannot set size to '100000' from text.yml (the value is not allowed; give a whole "
                         "number, 16..4096)"},
        {"size:", "cannot set size to ''"},
        {"size: [32]", "cannot use text.yml (Invalid value, Expecting STRING, got event: SEQUENCE_START, in "
                       "mapping field 'size' line: 1, column: 7; give a whole number, 16..4096)"},
        {"size: {a: 1}", "field 'size' line: 1"},
        {"batch: 8\nsise: 32", "Unexpected key: sise"},
        {"batch: 8\nsise: 32", "the keys are network, size, work_size"},
        {"size: 32\nsize: 64", "already seen: size"},
        {"d_pools: 4,2,2,2", "field 'd_pools' line: 1, column: 10; give 4 whole numbers, each 1..64, as"},
        {"d_pools: [4, 2, 2]", "field 'd_pools'"},
        {"d_pools: [4, 2, 2, 2, 2]", "field 'd_pools'"},
        {"d_pools: [4, 2, x, 2]", "cannot set d_pools to '4,2,x,2' from text.yml"},
        {"d_pools: ['4,2', 2, 2, 2]", "cannot set d_pools"},
        {"size: &a 32\nbatch: *a", "alias"},
        {"- size", "cannot use text.yml"},
        {"just words", "cannot use text.yml"},
        {"size: [", "cannot use text.yml"},
        {"\"size", "cannot use text.yml"},
        {"size: \"3\x01\"", "control characters"},
        {"\xff\xfe\xff", "cannot use text.yml"},
    };
    const vkp_config standard = preset(NULL);
    vkp_config config = standard;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(load_text(&config, cases[i][0]), VKP_USAGE);
        assert_error_has(cases[i][1]);
    }
    assert_int_equal(load_text(&config, "batch: 7\nsize: 1\n"), VKP_USAGE);
    assert_differ(&config, &standard, "");
    assert_int_equal(vkp_config_load(&config, "absent.yml"), VKP_IO);
    assert_int_equal(vkp_config_load(&config, "."), VKP_INPUT);
}

static void what_is_saved_is_loaded(void **state)
{
    (void)state;
    for (size_t i = 0; vkp_config_preset_name(i); i++) {
        vkp_config saved = preset(vkp_config_preset_name(i)), loaded = preset("train01");
        saved.lr = 0.1 / 3;
        saved.lambda_rgb = 123456.789;
        saved.seed = UINT32_MAX;
        assert_int_equal(vkp_config_save(&saved, "config.yml"), VKP_OK);
        assert_int_equal(vkp_config_load(&loaded, "config.yml"), VKP_OK);
        assert_differ(&saved, &loaded, "");
        assert_true(saved.lr == loaded.lr && saved.lambda_rgb == loaded.lambda_rgb);
    }
    const vkp_config config = preset("train01");
    void *text;
    size_t bytes;
    assert_int_equal(vkp_config_save(&config, "config.yml"), VKP_OK);
    assert_int_equal(vkp_file_read("config.yml", 2000, &text, &bytes), VKP_OK);
    assert_non_null(strstr(text, "size: 320\nwork_size: 0\nbatch: 32\n"));
    assert_non_null(strstr(text, "\nd_pools: [4, 2, 2, 2]\n"));
    assert_non_null(strstr(text, "\nlr: 0.0001\nlr_min: 1e-06\nschedule: cosine\n"));
    free(text);
    assert_int_equal(vkp_config_save(&config, "absent/config.yml"), VKP_IO);
}

static void values_must_fit_together(void **state)
{
    (void)state;
    static const struct {
        const char *sets[3], *error; /* NULL: allowed */
    } cases[] = {
        {{"size=100"}, "cannot use size 100 (not a multiple of 16; 112 is the next one)"},
        {{"size=336"}, NULL},
        {{"size=16"}, "cannot use d_pools with size 16"},
        {{"size=16", "d_pools=1,1,1,1"}, NULL},
        {{"size=32"}, NULL},
        {{"size=32", "batch=1"}, "cannot use batch 1"},
        {{"size=48", "d_norm=instance"}, "cannot use d_norm instance"},
        {{"size=64", "d_norm=instance", "batch=1"}, NULL},
        {{"size=16", "d_pools=1,1,1,1", "batch=1"}, "cannot use batch 1"},
        {{"size=4096", "d_pools=64,64,1,1"}, NULL},
        {{"size=4080", "d_pools=64,64,1,1"}, "no patch is left"},
        {{"lr=1e-7"}, "cannot use lr_min 1e-06 with lr 1e-07"},
        {{"lr=1e-7", "schedule=constant"}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vkp_config config = preset(NULL);
        for (size_t s = 0; s < 3 && cases[i].sets[s]; s++) {
            assert_int_equal(vkp_config_set(&config, cases[i].sets[s]), VKP_OK);
        }
        assert_int_equal(vkp_config_check(&config), cases[i].error ? VKP_USAGE : VKP_OK);
        if (cases[i].error) assert_error_has(cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_the_published_ones),
        cmocka_unit_test(cosine_is_pytorchs),
        cmocka_unit_test(every_key_is_set_by_name),
        cmocka_unit_test(wrong_assignments_name_key_and_range),
        cmocka_unit_test(yaml_changes_what_it_names),
        cmocka_unit_test(wrong_yaml_names_file_and_key),
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(values_must_fit_together),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
