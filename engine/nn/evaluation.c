#include <stdlib.h>

#include "nn/room.h"
#include "nn/step_parts.h"

struct vkp_evaluation {
    vkp_device *device;
    vkp_program *program;
    vkp_graph *graph;
    vkp_exchange exchange;
    vkp_tensor fake, fake_rgb;
    uint64_t memory;
};

/* Everything but the arena. */
static vkp_status write_down(vkp_evaluation *e, const vkp_config *config, const vkp_params *generator,
                             vkp_shape shape, const vkp_buffer *rgb)
{
    VKP_TRY(vkp_program_create(e->device, &e->program));
    VKP_TRY(vkp_graph_create(e->program, false, &e->graph));
    VKP_TRY(vkp_exchange_create(e->device, e->graph, shape.n, &e->exchange));
    vkp_bound_params g, folded;
    vkp_pass pass;
    uint32_t section;
    vkp_value batch, gray, crcb, fake_rgb = 0, l1;
    VKP_TRY(vkp_params_bind(generator, e->graph, VKP_GRADS_NONE, &g));
    /* Each time anew: training changes the parameters between two evaluations. */
    VKP_TRY(vkp_generator_fold(&g, &folded));
    vkp_program_prepare_here(e->program);
    VKP_TRY(vkp_program_section(e->program, &section));
    VKP_TRY(vkp_add_batch(e->graph, rgb, shape, "batch", &batch));
    VKP_TRY(vkp_add_ycc(e->graph, batch, 1, &gray, &crcb));
    VKP_TRY(vkp_generator_forward(&folded, gray, false, NULL, "G", &pass));
    VKP_TRY(vkp_program_section(e->program, &section));
    VKP_TRY(
        vkp_add_node(e->graph, &vkp_op_ycc_to_rgb, &(vkp_attr){0}, "fake_rgb", gray, pass.out, 0, &fake_rgb));
    VKP_TRY(vkp_add_l1(&e->exchange, config, pass.out, crcb, fake_rgb, batch, &l1));
    VKP_TRY(vkp_add_squared_error(&e->exchange, fake_rgb, batch));
    e->fake = vkp_graph_at(e->graph, pass.out);
    e->fake_rgb = vkp_graph_at(e->graph, fake_rgb);
    vkp_program_keep(e->program, e->fake.buffer);
    vkp_program_keep(e->program, e->fake_rgb.buffer);
    return vkp_program_plan(e->program, &e->memory);
}

static void clear(vkp_evaluation *e)
{
    vkp_graph_destroy(e->graph);
    vkp_program_destroy(e->program);
    vkp_buffer_destroy(e->device, &e->exchange.buffer);
}

/* An evaluation that found no room. */
typedef struct too_large {
    vkp_device *device;
    const vkp_config *config;
    const vkp_params *generator;
    vkp_shape shape;
    const vkp_buffer *rgb;
} too_large;

static bool fits(const void *user, uint32_t batch)
{
    const too_large *t = user;
    vkp_evaluation trial = {.device = t->device};
    const vkp_shape shape = {batch, t->shape.c, t->shape.h, t->shape.w};
    vkp_status status = write_down(&trial, t->config, t->generator, shape, t->rgb);
    if (status == VKP_OK) status = vkp_program_try(trial.program);
    clear(&trial);
    return status == VKP_OK;
}

static vkp_status build(vkp_evaluation *e, const vkp_config *config, const vkp_params *generator,
                        vkp_shape shape, const vkp_buffer *rgb, vkp_arena *arena)
{
    VKP_TRY(write_down(e, config, generator, shape, rgb));
    const vkp_status status = vkp_program_build(e->program, arena);
    if (status != VKP_DEVICE_MEMORY) return status;
    const too_large t = {e->device, config, generator, shape, rgb};
    const vkp_room room = {"validation", shape.n, e->memory, fits, &t};
    return vkp_room_fail(e->device, arena, &room);
}

vkp_status vkp_evaluation_create(vkp_device *device, const vkp_config *config, const vkp_params *generator,
                                 uint32_t batch, uint32_t h, uint32_t w, const vkp_buffer *rgb,
                                 vkp_arena *arena, vkp_evaluation **out)
{
    vkp_evaluation *e = calloc(1, sizeof *e);
    if (!e)
        return vkp_fail(VKP_MEMORY,
                        "no memory for an evaluation (host memory ran out; close other programs)");
    e->device = device;
    const vkp_status status = build(e, config, generator, (vkp_shape){batch, 3, h, w}, rgb, arena);
    if (status != VKP_OK) {
        vkp_evaluation_destroy(e);
        return status;
    }
    *out = e;
    return VKP_OK;
}

void vkp_evaluation_destroy(vkp_evaluation *e)
{
    if (!e) return;
    clear(e);
    free(e);
}

vkp_status vkp_evaluation_run(vkp_evaluation *e, const vkp_rect *valid, vkp_losses *losses, double *psnr,
                              float *crcb, float *rgb)
{
    vkp_exchange_set_valid(&e->exchange, valid);
    const bool figures = losses || psnr || rgb;
    VKP_TRY(vkp_program_run(e->program, 0, figures ? VKP_EVALUATION_SECTIONS : VKP_EVALUATION_FIGURES));
    const float *floats = vkp_exchange_floats(&e->exchange);
    if (losses) *losses = (vkp_losses){.g_l1 = floats[VKP_AT_G_L1], .l1_crcb = floats[VKP_AT_L1_CRCB]};
    if (psnr) vkp_exchange_psnr(&e->exchange, psnr);
    if (crcb) VKP_TRY(vkp_read_dense(e->program, &e->fake, crcb));
    if (rgb) VKP_TRY(vkp_read_dense(e->program, &e->fake_rgb, rgb));
    return VKP_OK;
}

vkp_program *vkp_evaluation_program(const vkp_evaluation *e) { return e->program; }
uint64_t vkp_evaluation_memory(const vkp_evaluation *e) { return e->memory; }
