#include "tune/bench.h"

#include <stdlib.h>

#include "ops/moves.h"
#include "tune/rig.h"

/* A program over a rig's tensors. */
typedef struct bench {
    vkp_rig rig;
    vkp_program *program;
    vkp_arena arena;
} bench;

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a benchmark (host memory ran out; close other programs)");
}

static void bench_destroy(bench *b)
{
    vkp_program_destroy(b->program);
    vkp_arena_destroy(b->rig.device, &b->arena);
    vkp_rig_destroy(&b->rig);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static vkp_status keep_run(vkp_bench_result *r, const vkp_profile_row *rows, size_t count, double total)
{
    if (!r->dispatches) r->dispatches = calloc(count ? count : 1, sizeof *r->dispatches);
    if (!r->dispatches) return no_memory();
    for (size_t i = 0; i < count; i++)
        r->dispatches[i] = (vkp_bench_dispatch){rows[i].shader, rows[i].milliseconds, rows[i].flop};
    r->dispatch_count = count;
    r->min_ms = total;
    return VKP_OK;
}

/* Profiles a section `runs` times; `totals` has room for as many. */
static vkp_status time_runs(vkp_program *program, uint32_t section, double *totals, uint32_t runs,
                            vkp_bench_result *r)
{
    for (uint32_t run = 0; run < runs; run++) {
        vkp_profile_row *rows;
        size_t count;
        VKP_TRY(vkp_program_profile(program, section, 1, &rows, &count));
        totals[run] = 0;
        for (size_t i = 0; i < count; i++) totals[run] += rows[i].milliseconds;
        const bool best = !run || totals[run] < r->min_ms;
        const vkp_status status = best ? keep_run(r, rows, count, totals[run]) : VKP_OK;
        free(rows);
        VKP_TRY(status);
    }
    qsort(totals, runs, sizeof *totals, by_value);
    r->median_ms = (totals[(runs - 1) / 2] + totals[runs / 2]) / 2;
    return VKP_OK;
}

/* Builds the program, runs all of it once, and times the section. */
static vkp_status build_and_time(bench *b, uint32_t section, uint32_t runs, vkp_bench_result *r)
{
    VKP_TRY(vkp_program_build(b->program, &b->arena));
    VKP_TRY(vkp_program_run(b->program, 0, section + 1));
    double *totals = calloc(runs, sizeof *totals);
    if (!totals) return no_memory();
    const vkp_status status = time_runs(b->program, section, totals, runs, r);
    free(totals);
    if (status != VKP_OK) vkp_bench_free(r);
    return status;
}

/* Asks again what was recorded: the answer does not change. */
static vkp_status name_variants(vkp_device *device, const vkp_node *node, vkp_direction direction,
                                vkp_bench_result *r)
{
    uint32_t count = 0;
    for (size_t i = 0; i < node->op->variants_count && count < VKP_BENCH_VARIANTS; i++) {
        const vkp_variants *list = &node->op->variants[i];
        const vkp_variant *chosen;
        if (list->direction != direction) continue;
        if (direction == VKP_BACKWARD && !node->d_in[list->gradient_of].buffer) continue;
        VKP_TRY(vkp_variant_choose(device, node, list, &chosen));
        r->variants[count] = list;
        r->chosen[count++] = chosen->name;
    }
    return VKP_OK;
}

static vkp_status bench_node(bench *b, vkp_node *node, const vkp_case *c, vkp_direction direction,
                             uint32_t runs, vkp_bench_result *r)
{
    uint32_t section = 0;
    VKP_TRY(vkp_rig_node(&b->rig, c, direction, ~0u, node));
    VKP_TRY(vkp_rig_program(&b->rig, &b->program));
    vkp_program_label(b->program, node->op->name);
    VKP_TRY(node->op->forward(b->program, node));
    if (direction == VKP_BACKWARD) {
        VKP_TRY(vkp_program_section(b->program, &section));
        VKP_TRY(node->op->backward(b->program, node));
    }
    VKP_TRY(name_variants(b->rig.device, node, direction, r));
    r->flop = node->op->flop ? node->op->flop(node, direction) : 0;
    for (uint32_t i = 0; i < b->rig.count; i++) r->bytes += b->rig.buffers[i].bytes;
    return build_and_time(b, section, runs ? runs : 1, r);
}

vkp_status vkp_bench_op(vkp_device *device, const vkp_op *op, const vkp_case *c, vkp_direction direction,
                        uint32_t runs, vkp_bench_result *result)
{
    if (direction == VKP_BACKWARD && !op->backward)
        return vkp_fail(VKP_USAGE, "%s has no backward pass (nothing it reads has a gradient; time the "
                        "forward pass)", op->name);
    bench b = {.rig = {.device = device}};
    vkp_node node = {.op = op, .attr = c->attr};
    *result = (vkp_bench_result){0};
    const vkp_status status = bench_node(&b, &node, c, direction, runs, result);
    bench_destroy(&b);
    return status;
}

void vkp_bench_free(vkp_bench_result *result)
{
    free(result->dispatches);
    *result = (vkp_bench_result){0};
}

enum { PEAK_GROUPS = 4096, PEAK_UNROLL = 16, PEAK_RUNS = 5 };

/* The best of some runs with `width` accumulators, each so long (10 ms) that starting it does not count. */
static vkp_status fma_rate(bench *b, vkp_shader shader, uint32_t width, double *rate)
{
    vkp_tensor y = vkp_tensor_packed(0, (vkp_shape){1, 1, 1, PEAK_GROUPS * 64});
    vkp_tensor work = vkp_tensor_packed(0, (vkp_shape){1, 1, 1, 4});
    vkp_dispatch d = {.shader = shader, .groups = {PEAK_GROUPS, 1, 1}};
    VKP_TRY(vkp_rig_tensor(&b->rig, "sums", &y));
    VKP_TRY(vkp_rig_tensor(&b->rig, "work", &work));
    VKP_TRY(vkp_rig_program(&b->rig, &b->program));
    vkp_bind(b->rig.device, &d, &y, VKP_WRITE);
    vkp_bind(b->rig.device, &d, &work, VKP_READ);
    vkp_program_label(b->program, "peak of multiply-adds");
    VKP_TRY(vkp_program_dispatch(b->program, &d));
    vkp_bench_result r = {0};
    for (float turns = 1; r.min_ms < 10 && turns < 1e6f; turns *= 4) {
        const float values[4] = {turns, 0.999f, 0.001f};
        vkp_bench_free(&r);
        VKP_TRY(vkp_rig_write(&b->rig, &work, values, 0, 0));
        VKP_TRY(build_and_time(b, 0, PEAK_RUNS, &r));
        const double flop = 2.0 * 4 * width * PEAK_UNROLL * turns * PEAK_GROUPS * 64;
        if (r.min_ms > 0) *rate = flop / r.min_ms * 1e3;
    }
    vkp_bench_free(&r);
    return VKP_OK;
}

static vkp_status texel_copy(vkp_program *program, const vkp_tensor *from, const vkp_tensor *to)
{
    const vkp_device *device = vkp_program_device(program);
    const uint32_t quads = (uint32_t)(vkp_extent(from) / 4);
    vkp_dispatch d = {.shader = VKP_SHADER_peak_copy, .groups = {vkp_flat_groups(device, quads, 4), 1, 1}};
    vkp_bind(device, &d, to, VKP_WRITE);
    vkp_bind_texels(device, &d, from, VK_FORMAT_R32G32B32A32_SFLOAT, 4);
    vkp_push(&d, quads);
    vkp_push(&d, d.groups[0] * 64);
    return vkp_program_dispatch(program, &d);
}

/* Bytes a second of a copy; 0 where the device cannot do it through texels. */
static vkp_status copy_rate(bench *b, bool texels, double *rate)
{
    vkp_tensor from = vkp_tensor_packed(0, (vkp_shape){1, 30, 1024, 1024}), to = from;
    if (texels && !vkp_texels_fit(b->rig.device, &from, 4)) return VKP_OK;
    vkp_bench_result r = {0};
    VKP_TRY(vkp_rig_tensor(&b->rig, "source", &from));
    VKP_TRY(vkp_buffer_clear(b->rig.device, &b->rig.buffers[0]));
    VKP_TRY(vkp_rig_tensor(&b->rig, "copy", &to));
    VKP_TRY(vkp_rig_program(&b->rig, &b->program));
    vkp_program_label(b->program, "peak of copying");
    VKP_TRY(texels ? texel_copy(b->program, &from, &to) : vkp_copy(b->program, &from, &to, false));
    VKP_TRY(build_and_time(b, 0, PEAK_RUNS, &r));
    if (r.min_ms > 0) *rate = 2.0 * (double)vkp_extent(&from) * sizeof(float) / r.min_ms * 1e3;
    vkp_bench_free(&r);
    return VKP_OK;
}

vkp_status vkp_bench_peak(vkp_device *device, vkp_peak *peak)
{
    *peak = (vkp_peak){0};
    for (int i = 0; i < 4; i++) {
        bench b = {.rig = {.device = device}};
        double rate = 0;
        double *best = i < 2 ? &peak->flop_per_second : &peak->bytes_per_second;
        vkp_status status = VKP_OK;
        if (i == 0) status = fma_rate(&b, VKP_SHADER_peak_fma_3, 3, &rate);
        if (i == 1) status = fma_rate(&b, VKP_SHADER_peak_fma_8, 8, &rate);
        if (i >= 2) status = copy_rate(&b, i == 3, &rate);
        bench_destroy(&b);
        VKP_TRY(status);
        if (rate > *best) *best = rate;
    }
    return VKP_OK;
}
