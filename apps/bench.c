/* vkpix bench: times operations, the training step, and the generator on the chosen device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nn/step.h"
#include "options.h"
#include "report.h"
#include "tune/bench.h"
#include "tune/rig.h"

enum { RUNS = 7 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct bench {
    vkp_device *device;
    vkp_config config;
    vkp_model model;
    vkp_arena arena;
    vkp_buffer rgb;
    vkp_rect *valid;
    double *psnr;
    bool json;
} bench;

/* Noise for pictures: the arithmetic takes the same time whatever they show. */
static vkp_status make_batch(bench *b)
{
    const vkp_shape shape = {b->config.batch, 3, b->config.size, b->config.size};
    const vkp_tensor layout = vkp_tensor_activation(0, shape);
    const uint64_t count = vkp_extent(&layout);
    float *values = malloc(count * sizeof *values);
    b->valid = calloc(b->config.batch, sizeof *b->valid);
    b->psnr = calloc(b->config.batch, sizeof *b->psnr);
    if (!values || !b->valid || !b->psnr) {
        free(values);
        return vkp_fail(VKP_MEMORY, "no memory for a batch (host memory ran out; use a smaller --batch)");
    }
    uint32_t state = 1;
    for (uint64_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        values[i] = (float)(state >> 8) / 16777216;
    }
    for (uint32_t i = 0; i < b->config.batch; i++)
        b->valid[i] = (vkp_rect){0, 0, (int)b->config.size, (int)b->config.size};
    vkp_status status = vkp_buffer_create(b->device, count * 4, VKP_MEMORY_DEVICE, "batch", &b->rgb);
    if (status == VKP_OK) status = vkp_buffer_write(b->device, &b->rgb, 0, values, count * 4);
    free(values);
    return status;
}

/* Takes over `phases` and `dispatches`, which may be NULL. */
static vkp_status print_times(const bench *b, const char *what, const double *sorted, cJSON *phases,
                              cJSON *dispatches)
{
    const double median = sorted[RUNS / 2], least = sorted[0];
    if (!b->json) {
        printf("%s, %s, %u x %u, batch %u: median %.1f ms, least %.1f ms, peak device memory %.1f MiB\n",
               what, b->device->info.name, b->config.size, b->config.size, b->config.batch, median, least,
               (double)b->device->peak / (1 << 20));
        cJSON_Delete(phases);
        cJSON_Delete(dispatches);
        return VKP_OK;
    }
    cJSON *document = cJSON_CreateObject();
    cJSON_AddStringToObject(document, "what", what);
    cJSON_AddStringToObject(document, "device", b->device->info.name);
    cJSON_AddNumberToObject(document, "size", b->config.size);
    cJSON_AddNumberToObject(document, "batch", b->config.batch);
    cJSON_AddNumberToObject(document, "median_ms", median);
    cJSON_AddNumberToObject(document, "min_ms", least);
    cJSON_AddNumberToObject(document, "peak_memory_bytes", (double)b->device->peak);
    if (phases) cJSON_AddItemToObject(document, "phases", phases);
    if (dispatches) cJSON_AddItemToObject(document, "dispatches", dispatches);
    return vkp_print_json(document);
}

/* The phases of a step by what its dispatches are labelled with, in order of first appearance. */
typedef struct phase {
    char name[32];
    double milliseconds;
} phase;

/* "G.dec3.1 conv2d grad" belongs to "G backward", "D.conv1.0 conv2d" to "D forward". */
static void phase_name(const char *label, char name[32])
{
    const size_t length = strlen(label);
    const bool grad = length > 5 && strcmp(label + length - 5, " grad") == 0;
    const char *stem = strncmp(label, "G.", 2) == 0        ? "G"
                       : strncmp(label, "D.", 2) == 0      ? "D"
                       : strncmp(label, "Adam", 4) == 0    ? "Adam"
                       : strncmp(label, "running", 7) == 0 ? "running statistics"
                                                           : "colour and losses";
    snprintf(name, 32, "%s%s", stem, *stem == 'G' || *stem == 'D' ? grad ? " backward" : " forward" : "");
}

/* Every dispatch of the step, in program order. */
static cJSON *dispatch_rows(const vkp_profile_row *rows, size_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "label", rows[i].label);
        cJSON_AddStringToObject(row, "shader", rows[i].shader);
        cJSON_AddNumberToObject(row, "ms", rows[i].milliseconds);
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

/* Times each dispatch alone: *phases are the sums a phase, *dispatches the rows; the caller owns both. */
static vkp_status profile_phases(const bench *b, vkp_program *program, uint32_t sections, cJSON **out,
                                 cJSON **dispatches)
{
    vkp_profile_row *rows;
    size_t count, phases = 0;
    phase list[16] = {0};
    VKP_TRY(vkp_program_profile(program, 0, sections, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        char name[32];
        size_t k = 0;
        phase_name(rows[i].label, name);
        while (k < phases && strcmp(list[k].name, name) != 0) k++;
        if (k == phases && phases < 16) snprintf(list[phases++].name, sizeof list->name, "%s", name);
        list[k].milliseconds += rows[i].milliseconds;
    }
    *dispatches = dispatch_rows(rows, count);
    free(rows);
    *out = cJSON_CreateObject();
    for (size_t k = 0; k < phases; k++) {
        cJSON_AddNumberToObject(*out, list[k].name, list[k].milliseconds);
        if (!b->json) printf("  %-20s %8.1f ms\n", list[k].name, list[k].milliseconds);
    }
    return VKP_OK;
}

static vkp_status time_steps(bench *b, vkp_step *step)
{
    double times[RUNS];
    vkp_losses losses;
    const vkp_step_inputs inputs = {.valid = b->valid, .lr = 1e-6, .first_of_d = true, .update_d = true};
    /* Two steps go before: the first compiles, the second is measured by the engine itself. */
    for (int i = -2; i < RUNS; i++) {
        const double start = now_ms();
        VKP_TRY(vkp_step_submit(step, &inputs));
        VKP_TRY(vkp_step_finish(step, &losses, b->psnr));
        if (i >= 0) times[i] = now_ms() - start;
    }
    cJSON *phases = NULL, *dispatches = NULL;
    VKP_TRY(profile_phases(b, vkp_step_program(step), 3, &phases, &dispatches));
    qsort(times, RUNS, sizeof *times, by_value);
    return print_times(b, "training step", times, phases, dispatches);
}

static vkp_status bench_step(bench *b)
{
    vkp_step *step;
    b->config.blur = 0;
    VKP_TRY(vkp_model_create(b->device, &b->config, 1, &b->model));
    VKP_TRY(make_batch(b));
    const vkp_step_options options = {.batch = b->config.batch,
                                      .h = b->config.size,
                                      .w = b->config.size,
                                      .rgb = &b->rgb,
                                      .adversarial = b->config.lambda_adv > 0};
    VKP_TRY(vkp_step_create(b->device, &b->config, &b->model, &options, &b->arena, &step));
    const vkp_status status = time_steps(b, step);
    vkp_step_destroy(step);
    return status;
}

static vkp_status bench_colorize(bench *b)
{
    vkp_evaluation *evaluation;
    VKP_TRY(vkp_model_create(b->device, &b->config, 1, &b->model));
    VKP_TRY(make_batch(b));
    VKP_TRY(vkp_evaluation_create(b->device, &b->config, &b->model.generator, b->config.batch, b->config.size,
                                  b->config.size, &b->rgb, &b->arena, &evaluation));
    double times[RUNS];
    vkp_status status = vkp_evaluation_run(evaluation, b->valid, NULL, NULL, NULL, NULL);
    for (int i = -1; i < RUNS && status == VKP_OK; i++) {
        const double start = now_ms();
        status = vkp_program_run(vkp_evaluation_program(evaluation), VKP_EVALUATION_COLORIZE, 1);
        if (i >= 0) times[i] = now_ms() - start;
    }
    vkp_evaluation_destroy(evaluation);
    VKP_TRY(status);
    qsort(times, RUNS, sizeof *times, by_value);
    return print_times(b, "generator", times, NULL, NULL);
}

/* "input_grad" of "conv2d_input_grad", which is conv2d's. */
static const char *part_name(const vkp_op *op, const vkp_variants *variants)
{
    const size_t length = strlen(op->name);
    return strncmp(variants->name, op->name, length) == 0 && variants->name[length] == '_'
               ? variants->name + length + 1
               : variants->name;
}

static void print_row(const vkp_op *op, const char *direction, const char *shapes, const vkp_bench_result *r,
                      double flops, double share)
{
    printf("%-16s %-9s %-40s %9.2f ms %8.1f GFLOP/s %5.1f %% of peak", op->name, direction, shapes,
           r->median_ms, flops * 1e-9, 100 * share);
    for (int i = 0; i < VKP_BENCH_VARIANTS && r->chosen[i]; i++)
        printf("%s %s=%s", i ? "," : " ", part_name(op, r->variants[i]), r->chosen[i]);
    putchar('\n');
    fflush(stdout);
}

static vkp_status bench_case(const bench *b, const vkp_op *op, const vkp_case *c, vkp_direction direction,
                             const vkp_peak *peak, cJSON *rows)
{
    vkp_bench_result r;
    VKP_TRY(vkp_bench_op(b->device, op, c, direction, RUNS, &r));
    char shapes[160];
    vkp_case_text(op, c, shapes, sizeof shapes);
    const double flops = r.flop / r.median_ms * 1e3, bytes = (double)r.bytes / r.median_ms * 1e3;
    /* What bounds the operation says which peak it is held against. */
    const double share = r.flop > 0 ? flops / peak->flop_per_second : bytes / peak->bytes_per_second;
    const char *name = direction == VKP_FORWARD ? "forward" : "backward";
    if (b->json) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "op", op->name);
        cJSON_AddStringToObject(row, "direction", name);
        cJSON_AddStringToObject(row, "shapes", shapes);
        cJSON_AddNumberToObject(row, "median_ms", r.median_ms);
        cJSON_AddNumberToObject(row, "min_ms", r.min_ms);
        cJSON_AddNumberToObject(row, "gflop_per_second", flops * 1e-9);
        cJSON_AddNumberToObject(row, "share_of_peak", share);
        cJSON *variants = cJSON_AddObjectToObject(row, "variants");
        for (int i = 0; i < VKP_BENCH_VARIANTS && r.chosen[i]; i++)
            cJSON_AddStringToObject(variants, r.variants[i]->name, r.chosen[i]);
        cJSON_AddItemToArray(rows, row);
    } else {
        print_row(op, name, shapes, &r, flops, share);
    }
    vkp_bench_free(&r);
    return VKP_OK;
}

static vkp_status bench_all(const bench *b, const vkp_peak *peak, cJSON *rows)
{
    for (size_t i = 0; i < vkp_op_count; i++)
        for (size_t k = 0; k < vkp_ops[i]->case_count; k++) {
            const vkp_case *c = &vkp_ops[i]->cases[k];
            if (!c->large) continue;
            VKP_TRY(bench_case(b, vkp_ops[i], c, VKP_FORWARD, peak, rows));
            if (vkp_ops[i]->backward) VKP_TRY(bench_case(b, vkp_ops[i], c, VKP_BACKWARD, peak, rows));
        }
    return VKP_OK;
}

static vkp_status bench_ops(bench *b)
{
    vkp_peak peak;
    VKP_TRY(vkp_bench_peak(b->device, &peak));
    cJSON *document = cJSON_CreateObject(), *rows = cJSON_CreateArray();
    if (!b->json)
        printf("peak of %s: %.1f GFLOP/s multiply-add, %.1f GB/s copy\n", b->device->info.name,
               peak.flop_per_second * 1e-9, peak.bytes_per_second * 1e-9);
    const vkp_status status = bench_all(b, &peak, rows);
    cJSON_AddStringToObject(document, "device", b->device->info.name);
    cJSON_AddNumberToObject(document, "peak_gflop_per_second", peak.flop_per_second * 1e-9);
    cJSON_AddNumberToObject(document, "peak_gb_per_second", peak.bytes_per_second * 1e-9);
    cJSON_AddItemToObject(document, "rows", rows);
    if (status == VKP_OK && b->json) return vkp_print_json(document);
    cJSON_Delete(document);
    return status;
}

static vkp_status read_settings(const vkp_options *options, const char *what, bench *b)
{
    const bool colorize = strcmp(what, "colorize") == 0;
    VKP_TRY(vkp_config_preset(&b->config, vkp_options_value(options, "preset")));
    long size = (long)b->config.size, batch = colorize ? 1 : 4;
    VKP_TRY(vkp_options_integer(options, "size", 16, 4096, &size));
    VKP_TRY(vkp_options_integer(options, "batch", 1, 4096, &batch));
    b->config.size = (uint32_t)size;
    b->config.batch = (uint32_t)batch;
    b->json = vkp_options_given(options, "json");
    return vkp_config_check(&b->config);
}

static vkp_status run(const vkp_options *options)
{
    bench b = {0};
    const char *what = vkp_options_argument_count(options) ? vkp_options_argument(options, 0) : "step";
    vkp_status (*work)(bench *) = strcmp(what, "ops") == 0        ? bench_ops
                                  : strcmp(what, "step") == 0     ? bench_step
                                  : strcmp(what, "colorize") == 0 ? bench_colorize
                                                                  : NULL;
    if (!work)
        return vkp_fail(VKP_USAGE, "cannot bench %s (no such thing; give ops, step or colorize)", what);
    VKP_TRY(read_settings(options, what, &b));
    VKP_TRY(vkp_options_device(options, &b.device));
    const vkp_status status = work(&b);
    vkp_arena_destroy(b.device, &b.arena);
    vkp_buffer_destroy(b.device, &b.rgb);
    vkp_model_free(&b.model);
    vkp_options_close(b.device);
    free(b.valid);
    free(b.psnr);
    return status;
}

static const vkp_option options[] = {
    {"preset", "NAME", "the experiment whose networks are timed; train01 unless given"},
    {"size", "N", "side of the pictures; the preset's unless given"},
    {"batch", "N", "pictures a batch; 4 for step and 1 for colorize unless given"},
    VKP_OPTION_JSON,
    VKP_OPTION_DEVICE,
    VKP_OPTION_VARIANT,
    {0},
};

const vkp_command vkp_command_bench = {
    .name = "bench",
    .synopsis = "[ops|step|colorize] [options]",
    .summary = "time operations, the training step or the generator on a device",
    .details =
        "ops: each operation at the networks' sizes, with its share of the device's measured peak.\n"
        "step (unless given): one training step. colorize: the generator in evaluation mode on one batch.",
    .options = options,
    .min_arguments = 0,
    .max_arguments = 1,
    .tune_seconds = 2,
    .run = run,
};
