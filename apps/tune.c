/* vkpix tune: finds the fastest variants of operations for the presets' shapes and keeps them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "nn/step.h"
#include "options.h"
#include "report.h"
#include "tune/choices.h"
#include "tune/tuner.h"

typedef struct tuning {
    vkp_device *device;
    vkp_tuner *tuner;
    vkp_tuner_plan plan;
    cJSON *rows; /* NULL: a table for people */
} tuning;

static void add_json(cJSON *rows, const vkp_contest_row *row, const char *shapes)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "op", row->use.op->name);
    cJSON_AddStringToObject(object, "direction", row->use.variants->name);
    cJSON_AddStringToObject(object, "shapes", shapes);
    cJSON *variants = cJSON_AddArrayToObject(object, "variants");
    for (size_t i = 0; i < row->count; i++) {
        const vkp_contest_result *r = &row->results[i];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", r->name);
        if (r->milliseconds > 0) cJSON_AddNumberToObject(one, "median_ms", r->milliseconds);
        if (r->why[0]) cJSON_AddStringToObject(one, "why", r->why);
        cJSON_AddItemToArray(variants, one);
    }
    cJSON_AddStringToObject(object, "winner", row->winner);
    cJSON_AddStringToObject(object, "source", row->measured ? "measured" : row->stored ? "stored" : "order");
    if (row->why[0]) cJSON_AddStringToObject(object, "why", row->why);
    cJSON_AddItemToArray(rows, object);
}

static void show(void *user, const vkp_contest_row *row)
{
    const tuning *t = user;
    char text[1024];
    if (t->rows) {
        vkp_case_text(row->use.op, &row->use.c, text, sizeof text);
        add_json(t->rows, row, text);
    } else if (row->count || row->stored) {
        vkp_contest_text(row, text, sizeof text);
        puts(text);
        fflush(stdout);
    }
}

/* Has the tuner hear of all shapes of a preset's training step and, for one picture, of its generator. */
static vkp_status write_programs(vkp_device *device, const vkp_config *config)
{
    const vkp_tensor layout = vkp_tensor_activation(0, (vkp_shape){1, 3, config->size, config->size});
    vkp_model model;
    vkp_evaluation *evaluation;
    vkp_arena arena = {0};
    vkp_buffer rgb = {0};
    uint64_t bytes;
    VKP_TRY(vkp_model_create(device, config, 1, &model));
    const vkp_step_options options = {.batch = config->batch,
                                      .h = config->size,
                                      .w = config->size,
                                      .adversarial = config->lambda_adv > 0};
    vkp_status status = vkp_step_plan(device, config, &model, &options, &bytes);
    if (status == VKP_OK)
        status = vkp_buffer_create(device, vkp_extent(&layout) * sizeof(float), VKP_MEMORY_DEVICE, "picture",
                                   &rgb);
    if (status == VKP_OK)
        status = vkp_evaluation_create(device, config, &model.generator, 1, config->size, config->size, &rgb,
                                       &arena, &evaluation);
    if (status == VKP_OK) vkp_evaluation_destroy(evaluation);
    vkp_arena_destroy(device, &arena);
    vkp_buffer_destroy(device, &rgb);
    vkp_model_free(&model);
    return status;
}

static vkp_status collect_preset(const vkp_options *options, vkp_device *device, const char *name)
{
    vkp_config config;
    VKP_TRY(vkp_config_preset(&config, name));
    long size = (long)config.size, batch = (long)config.batch;
    VKP_TRY(vkp_options_integer(options, "size", 16, 4096, &size));
    VKP_TRY(vkp_options_integer(options, "batch", 1, 4096, &batch));
    config.size = (uint32_t)size;
    config.batch = (uint32_t)batch;
    VKP_TRY(vkp_config_check(&config));
    return device ? write_programs(device, &config) : VKP_OK;
}

/* The presets that were asked for, or all; without a device only the options are looked at. */
static vkp_status collect(const vkp_options *options, vkp_device *device)
{
    const char *name = vkp_options_value(options, "preset");
    if (name) return collect_preset(options, device, name);
    for (size_t i = 0; (name = vkp_config_preset_name(i)); i++)
        VKP_TRY(collect_preset(options, device, name));
    return VKP_OK;
}

static vkp_status tune(const vkp_options *options, tuning *t)
{
    size_t left;
    vkp_tuner_collect(t->tuner, true);
    const vkp_status status = collect(options, t->device);
    vkp_tuner_collect(t->tuner, false);
    VKP_TRY(status);
    VKP_TRY(vkp_tuner_run(t->tuner, &t->plan, show, t, &left));
    if (left)
        vkp_report(
            "%zu shapes are left to the order of the variants; run it again, or with a larger --budget",
            left);
    char *path = vkp_choices_path(t->device);
    if (!path)
        vkp_report("nothing is kept (VKPIX_CACHE is off or there is no folder for caches)");
    else if (vkp_file_exists(path))
        vkp_report("the choices are in %s", path);
    free(path);
    return VKP_OK;
}

static vkp_status run(const vkp_options *options)
{
    tuning t = {.plan = {.seconds = 120, .again = vkp_options_given(options, "again")}};
    VKP_TRY(vkp_options_real(options, "budget", 0.001, 1e6, &t.plan.seconds));
    VKP_TRY(collect(options, NULL));
    VKP_TRY(vkp_options_device(options, &t.device));
    t.tuner = vkp_tuner_of(t.device);
    /* What is shaped for GPUs is slow to compile for a processor, and slow. */
    t.plan.all = vkp_options_given(options, "all") || vkp_for_gpu(&t.device->info);
    cJSON *document = vkp_options_given(options, "json") ? cJSON_CreateObject() : NULL;
    if (document) {
        cJSON_AddStringToObject(document, "device", t.device->info.name);
        t.rows = cJSON_AddArrayToObject(document, "rows");
    }
    vkp_status status = tune(options, &t);
    vkp_options_close(t.device);
    if (document && status == VKP_OK)
        status = vkp_print_json(document);
    else
        cJSON_Delete(document);
    return status;
}

static const vkp_option options[] = {
    {"preset", "NAME", "the experiment whose shapes are tried; all of them unless given"},
    {"size", "N", "side of the pictures; the preset's unless given"},
    {"batch", "N", "pictures a batch of the training step; the preset's unless given"},
    {"budget", "SECONDS", "stop trying after so long; 120 unless given"},
    {"all", NULL, "on a software device, try also what is meant for GPUs"},
    {"again", NULL, "try those too that have a winner from an earlier time"},
    VKP_OPTION_JSON,
    VKP_OPTION_DEVICE,
    VKP_OPTION_VARIANT,
    {0},
};

const vkp_command vkp_command_tune = {
    .name = "tune",
    .synopsis = "[options]",
    .summary = "find and keep the fastest checked variants of operations for this device",
    .details =
        "Each way of computing that is meant for this device is checked against the plain one and timed, for "
        "the\n"
        "shapes of a training step and of the generator on one picture. Later runs on this device take the\n"
        "fastest; the file is forgotten with another driver or version of vkpix.\n",
    .options = options,
    .run = run,
};
