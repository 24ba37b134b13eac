#include "tune/trial.h"

#include <math.h>
#include <stdlib.h>

/* Multiplications and additions of a small case. */
#define SMALL_FLOP 4e7

vkp_use vkp_use_of(const vkp_node *node, const vkp_variants *variants)
{
    vkp_use use = {.op = node->op, .variants = variants, .c = {.attr = node->attr}};
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        if (node->in[i].buffer) use.c.in[i] = node->in[i].shape;
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) use.outputs |= (node->out[i].buffer != 0) << i;
    use.add = variants->direction == VKP_BACKWARD && node->add[variants->gradient_of];
    return use;
}

static void begin_node(const vkp_use *use, vkp_node *node)
{
    *node = (vkp_node){.op = use->op, .attr = use->c.attr};
    if (use->variants->direction == VKP_BACKWARD) node->add[use->variants->gradient_of] = use->add;
}

vkp_status vkp_use_layout(const vkp_use *use, vkp_node *node)
{
    begin_node(use, node);
    return vkp_rig_layout(&use->c, use->variants->direction, use->outputs, node);
}

static double work(const vkp_use *use, const vkp_node *node)
{
    double elements = 0;
    if (use->op->flop) return use->op->flop(node, VKP_FORWARD);
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) elements += (double)vkp_shape_count(use->c.in[i]);
    return 10 * elements;
}

/* Which variants fit, by bits; none where the shapes are impossible. */
static uint64_t fitting(const vkp_device *device, const vkp_use *use, double *flop)
{
    vkp_node node;
    uint64_t bits = 0;
    if (vkp_use_layout(use, &node) != VKP_OK) return 0;
    *flop = work(use, &node);
    for (size_t i = 0; i < use->variants->count && i < 64; i++)
        bits |= (uint64_t)use->variants->list[i].fits(device, &node) << i;
    return bits;
}

static bool is_picture(vkp_role role) { return role == VKP_ACTIVATION || role == VKP_CONSTANT; }

/* Two pictures at most, then half as high and wide. */
static vkp_use reduced(const vkp_use *use, bool pictures)
{
    vkp_use less = *use;
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        vkp_shape *s = &less.c.in[i];
        if (!is_picture(use->op->in[i].role)) continue;
        if (pictures && s->n > 2) s->n = 2;
        if (pictures) continue;
        s->h = (s->h + 1) / 2;
        s->w = (s->w + 1) / 2;
    }
    return less;
}

vkp_use vkp_use_small(const vkp_device *device, const vkp_use *use)
{
    double flop = 0, before;
    const uint64_t wanted = fitting(device, use, &flop);
    vkp_use small = *use;
    const vkp_use two = reduced(use, true);
    if (fitting(device, &two, &flop) == wanted) small = two;
    do {
        before = flop;
        const vkp_use less = reduced(&small, false);
        if (before <= SMALL_FLOP || fitting(device, &less, &flop) != wanted) break;
        small = less;
    } while (flop < before);
    return small;
}

/* Where a gradient's variants may read what the forward pass has left. */
static vkp_status run_forward(const vkp_trial *t)
{
    vkp_program *program;
    vkp_arena arena = {0};
    VKP_TRY(vkp_rig_program(&t->rig, &program));
    vkp_program_label(program, t->node.op->name);
    vkp_status status = t->node.op->forward(program, &t->node);
    if (status == VKP_OK) status = vkp_program_build(program, &arena);
    if (status == VKP_OK) status = vkp_program_run(program, 0, 1);
    vkp_program_destroy(program);
    vkp_arena_destroy(t->rig.device, &arena);
    return status;
}

vkp_status vkp_trial_open(vkp_device *device, const vkp_use *use, vkp_trial *t)
{
    *t = (vkp_trial){.rig = {.device = device}, .variants = use->variants};
    begin_node(use, &t->node);
    VKP_TRY(vkp_rig_node(&t->rig, &use->c, use->variants->direction, use->outputs, &t->node));
    return use->variants->direction == VKP_BACKWARD ? run_forward(t) : VKP_OK;
}

static void drop_program(vkp_trial *t)
{
    vkp_program_destroy(t->program);
    vkp_arena_destroy(t->rig.device, &t->arena);
    t->program = NULL;
}

void vkp_trial_close(vkp_trial *t)
{
    drop_program(t);
    vkp_rig_destroy(&t->rig);
}

/* The tensors that the list's variants write: an output each call, or the one gradient. */
static const vkp_tensor *result(const vkp_trial *t, uint32_t index)
{
    if (t->variants->direction == VKP_BACKWARD) return index ? NULL : &t->node.d_in[t->variants->gradient_of];
    return index < VKP_MAX_OUT ? &t->node.out[index] : NULL;
}

/* Nothing of an earlier variant may be left that a later one could be praised for. */
static vkp_status spoil_results(const vkp_trial *t)
{
    const vkp_tensor *to;
    for (uint32_t i = 0; (to = result(t, i)); i++) {
        if (!to->buffer) continue;
        const vkp_buffer *buffer = &t->rig.buffers[to->buffer - 1];
        if (t->variants->direction == VKP_BACKWARD && t->node.add[t->variants->gradient_of]) {
            VKP_TRY(vkp_rig_write(&t->rig, to, NULL, -1, 1));
            continue;
        }
        float *nothing = malloc(buffer->bytes);
        if (!nothing)
            return vkp_fail(VKP_MEMORY, "no memory for a trial (host memory ran out; close other programs)");
        for (size_t k = 0; k < buffer->bytes / sizeof *nothing; k++) nothing[k] = NAN;
        const vkp_status status = vkp_buffer_write(t->rig.device, buffer, 0, nothing, buffer->bytes);
        free(nothing);
        VKP_TRY(status);
    }
    return VKP_OK;
}

vkp_status vkp_trial_start(vkp_trial *t, const vkp_variant *variant)
{
    drop_program(t);
    VKP_TRY(spoil_results(t));
    VKP_TRY(vkp_rig_program(&t->rig, &t->program));
    vkp_program_label(t->program, variant->name);
    VKP_TRY(variant->record(t->program, &t->node));
    VKP_TRY(vkp_program_build(t->program, &t->arena));
    return vkp_program_run(t->program, 0, 1);
}

vkp_status vkp_trial_results(const vkp_trial *t, float **values, size_t *count)
{
    const vkp_tensor *from;
    size_t total = 0, at = 0;
    *values = NULL;
    for (uint32_t i = 0; (from = result(t, i)); i++)
        if (from->buffer) total += vkp_extent(from);
    float *all = malloc((total ? total : 1) * sizeof *all);
    if (!all)
        return vkp_fail(VKP_MEMORY, "no memory for a trial (host memory ran out; close other programs)");
    for (uint32_t i = 0; (from = result(t, i)); i++) {
        if (!from->buffer) continue;
        const uint64_t length = vkp_extent(from);
        const vkp_status status = vkp_buffer_read(t->rig.device, &t->rig.buffers[from->buffer - 1], 0,
                                                  all + at, length * sizeof *all);
        if (status != VKP_OK) {
            free(all);
            return status;
        }
        at += length;
    }
    *values = all;
    *count = total;
    return VKP_OK;
}

vkp_status vkp_trial_time(vkp_trial *t, double *milliseconds)
{
    vkp_profile_row *rows;
    size_t count;
    VKP_TRY(vkp_program_profile(t->program, 0, 1, &rows, &count));
    *milliseconds = 0;
    for (size_t i = 0; i < count; i++) *milliseconds += rows[i].milliseconds;
    free(rows);
    return VKP_OK;
}

double vkp_trial_error(const float *got, const float *want, size_t count)
{
    double error = 0, power = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(got[i])) return NAN;
        const double off = (double)got[i] - want[i];
        error += off * off;
        power += (double)want[i] * want[i];
        worst = fmax(worst, fabs(off));
    }
    const double scale = sqrt(power / (double)(count ? count : 1)) + 1e-6;
    return fmax(sqrt(error / (double)(count ? count : 1)), worst / 30) / scale;
}
