#include "ops/self_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "ops/op.h"

/* What the reference and the device may differ by, normalized root mean square. The tests of the operations
 * are stricter; here a device is to be told from a broken one. */
#define TOLERANCE 1e-4

enum { PLACES = VKP_MAX_IN + VKP_MAX_OUT };

static const struct {
    const vkp_op *op;
    vkp_case c;
} checks[] = {
    {&vkp_op_conv2d, {.in = {{2, 16, 13, 20}, {32, 16, 3, 3}, {1, 32, 1, 1}},
                      .attr = {.kernel = 3, .stride = 1, .padding = 1}}},
    {&vkp_op_conv2d, {.in = {{1, 8, 6, 10}, {4, 8, 3, 3}, {1, 4, 1, 1}},
                      .attr = {.kernel = 3, .stride = 1, .padding = 1, .upsample = 2}}},
    {&vkp_op_norm, {.in = {{2, 5, 11, 19}, {1, 5, 1, 1}, {1, 5, 1, 1}},
                    .attr = {.training = true, .activation = VKP_RELU, .eps = 1e-5f}}},
    {&vkp_op_avg_pool, {.in = {{2, 3, 16, 20}}, .attr = {.factor = 4}}},
    {&vkp_op_ycc_to_rgb, {.in = {{2, 1, 9, 13}, {2, 2, 9, 13}}}},
};

/* A tensor on both sides: inputs first, then outputs. */
typedef struct side {
    vkp_tensor *layout; /* NULL: there is none at this place */
    vkp_buffer buffer;
    double *values; /* dense */
} side;

typedef struct check {
    vkp_device *device;
    vkp_program *program;
    vkp_arena arena;
    vkp_node node;
    side sides[PLACES];
} check;

static float *element(const side *s, uint64_t index)
{
    const vkp_tensor *t = s->layout;
    const uint64_t x = index % t->shape.w, row = index / t->shape.w;
    return (float *)s->buffer.mapped + t->offset + row * t->pitch + x;
}

static vkp_status add_side(check *k, side *s, vkp_tensor *layout, vkp_shape shape, const vkp_place *place)
{
    const bool packed = place->role == VKP_PARAMETER || place->role == VKP_STATE;
    *layout = packed ? vkp_tensor_packed(0, shape) : vkp_tensor_activation(0, shape);
    s->layout = layout;
    s->values = calloc(vkp_shape_count(shape), sizeof *s->values);
    if (!s->values)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the self-test (host memory ran out; close other programs)");
    const uint64_t bytes = vkp_extent(layout) * sizeof(float);
    VKP_TRY(vkp_buffer_create(k->device, bytes, VKP_MEMORY_HOST, place->name, &s->buffer));
    memset(s->buffer.mapped, 0, bytes);
    return vkp_program_external(k->program, &s->buffer, 0, bytes, place->name, &layout->buffer);
}

static vkp_status make_inputs(check *k, const vkp_case *c)
{
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        side *s = &k->sides[i];
        if (!c->in[i].n) continue;
        VKP_TRY(add_side(k, s, &k->node.in[i], c->in[i], &k->node.op->in[i]));
        for (uint64_t e = 0; e < vkp_shape_count(c->in[i]); e++) {
            const float value = 2 * vkp_random_float(1, vkp_random_stream(VKP_RANDOM_TEST, i), e) - 1;
            s->values[e] = *element(s, e) = value;
        }
    }
    return VKP_OK;
}

static vkp_status make_outputs(check *k)
{
    vkp_shape shapes[VKP_MAX_OUT] = {{0}};
    VKP_TRY(k->node.op->shape(&k->node, shapes));
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++)
        if (shapes[i].n)
            VKP_TRY(add_side(k, &k->sides[VKP_MAX_IN + i], &k->node.out[i], shapes[i], &k->node.op->out[i]));
    return VKP_OK;
}

static vkp_status compare(const check *k)
{
    const double *in[VKP_MAX_IN];
    double *out[VKP_MAX_OUT];
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) in[i] = k->sides[i].values;
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) out[i] = k->sides[VKP_MAX_IN + i].values;
    k->node.op->reference(&k->node, in, out);
    for (uint32_t i = VKP_MAX_IN; i < PLACES; i++) {
        const side *s = &k->sides[i];
        double wrong = 0, size = 0;
        for (uint64_t e = 0; s->layout && e < vkp_shape_count(s->layout->shape); e++) {
            wrong += pow(*element(s, e) - s->values[e], 2);
            size += pow(s->values[e], 2);
        }
        const double error = wrong > 0 || isnan(wrong) ? sqrt(wrong / size) : 0;
        if (!(error <= TOLERANCE))
            return vkp_fail(VKP_DEVICE,
                            "%s computes %s wrong (off by %.1e, allowed are %.0e; update the driver or use "
                            "another --device)",
                            k->device->info.name, k->node.op->name, error, TOLERANCE);
    }
    return VKP_OK;
}

static vkp_status run(check *k, const vkp_case *c)
{
    VKP_TRY(vkp_program_create(k->device, &k->program));
    VKP_TRY(make_inputs(k, c));
    VKP_TRY(make_outputs(k));
    vkp_program_label(k->program, k->node.op->name);
    VKP_TRY(k->node.op->forward(k->program, &k->node));
    VKP_TRY(vkp_program_build(k->program, &k->arena));
    VKP_TRY(vkp_program_run(k->program, 0, 1));
    return compare(k);
}

vkp_status vkp_self_test(vkp_device *device)
{
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        check k = {.device = device, .node = {.op = checks[i].op, .attr = checks[i].c.attr}};
        const vkp_status status = run(&k, &checks[i].c);
        vkp_program_destroy(k.program);
        vkp_arena_destroy(device, &k.arena);
        for (int s = 0; s < PLACES; s++) {
            vkp_buffer_destroy(device, &k.sides[s].buffer);
            free(k.sides[s].values);
        }
        VKP_TRY(status);
    }
    return VKP_OK;
}
