#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/step_parts.h"
#include "ops/adam.h"
#include "ops/moves.h"

/* Adam as PyTorch has it by default, with the published betas. */
#define BETA1 0.5
#define BETA2 0.999
#define ADAM_EPS 1e-8

enum { SECTION_GRADIENTS, SECTION_ADAM_G, SECTION_ADAM_D };

struct vkp_step {
    vkp_device *device;
    const vkp_config *config;
    vkp_model *model;
    vkp_program *program;
    vkp_graph *graph;
    vkp_exchange exchange;
    uint64_t memory;
    bool update_d;
};

/* What the parts of a step hand to each other while it is written down. */
typedef struct writing {
    vkp_step *step;
    vkp_bound_params g, d;
    vkp_value both; /* what D sees: the real pictures, then the fake ones */
    vkp_value rgb, gray, crcb, fake, fake_rgb;
    vkp_pass g_pass, d_pass;
    vkp_value real_logits, fake_logits;
    vkp_tensor seed;
    uint32_t d_begins; /* the first node of D */
} writing;

/* The two batches of D's pass. */
enum { REAL, FAKE, BATCHES };

/* The part of `both`, or of what D makes of it, that is a batch. */
static vkp_status half(writing *w, vkp_value both, uint32_t batch, const char *name, vkp_value *out)
{
    const uint32_t count = w->step->exchange.batch;
    return vkp_graph_pictures(w->step->graph, both, batch * count, count, name, out);
}

static vkp_status write_inputs(writing *w, const vkp_buffer *rgb, vkp_shape shape)
{
    vkp_graph *g = w->step->graph;
    vkp_value batch, kernels;
    VKP_TRY(vkp_add_batch(g, rgb, shape, &batch));
    VKP_TRY(vkp_graph_activation(g, (vkp_shape){BATCHES * shape.n, 3, shape.h, shape.w}, "real|fake",
                                 &w->both));
    VKP_TRY(half(w, w->both, REAL, "rgb", &w->rgb));
    VKP_TRY(half(w, w->both, FAKE, "fake_rgb", &w->fake_rgb));
    if (w->step->config->blur > 0) {
        VKP_TRY(vkp_exchange_value(&w->step->exchange, vkp_at_blur(&w->step->exchange),
                                   (vkp_shape){shape.n, 1, 3, 3}, "blur kernels", &kernels));
        VKP_TRY(vkp_add_node(g, &vkp_op_blur3, &(vkp_attr){0}, "rgb", batch, kernels, 0, &w->rgb));
    } else {
        const vkp_tensor from = vkp_graph_at(g, batch), to = vkp_graph_at(g, w->rgb);
        vkp_program_label(w->step->program, "rgb copy");
        VKP_TRY(vkp_copy(w->step->program, &from, &to, false));
    }
    return vkp_add_ycc(g, w->rgb, &w->gray, &w->crcb);
}

/* One adversarial term of a pass's logits: `mode` is hinge's, `target` that of BCE. */
static vkp_status adversarial(writing *w, vkp_value logits, uint32_t mode, float target, const char *name,
                              vkp_value *out)
{
    if (w->step->config->loss == VKP_CONFIG_LOSS_BCE)
        return vkp_add_node(w->step->graph, &vkp_op_bce_with_logits, &(vkp_attr){.scale = target}, name,
                            logits, 0, 0, out);
    return vkp_add_node(w->step->graph, &vkp_op_hinge, &(vkp_attr){.mode = mode}, name, logits, 0, 0, out);
}

static vkp_status write_generator_losses(writing *w)
{
    vkp_step *s = w->step;
    vkp_graph *g = s->graph;
    const vkp_shape one = {1, 1, 1, 1};
    vkp_value adv, l1, total = 0, trained[VKP_MAX_PARAMS];
    VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_G_ADV, one, "g_adv", &adv));
    VKP_TRY(adversarial(w, w->fake_logits, 0, 1, "g_adv", &adv));
    VKP_TRY(vkp_add_l1(&s->exchange, s->config, w->fake, w->crcb, w->fake_rgb, w->rgb, &l1));
    VKP_TRY(
        vkp_add_node(g, &vkp_op_weighted_sum, &(vkp_attr){.weight = {1, 1}}, "g_loss", adv, l1, 0, &total));
    VKP_TRY(vkp_add_squared_error(&s->exchange, w->fake_rgb, w->rgb));
    const uint32_t count = vkp_bound_trained(&w->g, trained);
    return vkp_graph_backward(g, 0, vkp_graph_mark(g), total, &w->seed, trained, count);
}

static vkp_status write_discriminator_losses(writing *w)
{
    vkp_step *s = w->step;
    vkp_graph *g = s->graph;
    /* The hinge loss is half the sum, and is logged as the sum. */
    const float weight = s->config->loss == VKP_CONFIG_LOSS_BCE ? 1 : 0.5f;
    vkp_value real = 0, fake = 0, logged, loss = 0, trained[VKP_MAX_PARAMS];
    VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_D_ADV, (vkp_shape){1, 1, 1, 1}, "d_adv", &logged));
    VKP_TRY(adversarial(w, w->real_logits, 1, 1, "d_real", &real));
    VKP_TRY(adversarial(w, w->fake_logits, 2, 0, "d_fake", &fake));
    VKP_TRY(vkp_add_node(g, &vkp_op_weighted_sum, &(vkp_attr){.weight = {1, 1}}, "d_adv", real, fake, 0,
                         &logged));
    VKP_TRY(vkp_add_node(g, &vkp_op_weighted_sum, &(vkp_attr){.weight = {weight, weight}}, "d_loss", real,
                         fake, 0, &loss));
    const uint32_t count = vkp_bound_trained(&w->d, trained);
    return vkp_graph_backward(g, w->d_begins, vkp_graph_mark(g), loss, &w->seed, trained, count);
}

static vkp_status write_adam(writing *w, const vkp_params *p, uint32_t hyper_place, const char *name)
{
    vkp_step *s = w->step;
    uint32_t section, values, grads, moments;
    VKP_TRY(vkp_program_section(s->program, &section));
    VKP_TRY(vkp_program_external(s->program, &p->values, 0, p->trained * 4, "trained", &values));
    VKP_TRY(vkp_program_external(s->program, &p->grads, 0, p->trained * 4, "gradients", &grads));
    VKP_TRY(vkp_program_external(s->program, &p->moments, 0, p->trained * 8, "moments", &moments));
    const vkp_shape flat = {1, 1, 1, (uint32_t)p->trained};
    const vkp_tensor tensors[] = {
        vkp_tensor_packed(values, flat), vkp_tensor_packed(grads, flat),
        vkp_tensor_packed(moments, (vkp_shape){1, 1, (uint32_t)p->trained, 2}),
        vkp_exchange_tensor(&s->exchange, hyper_place, (vkp_shape){1, 1, 1, VKP_ADAM_HYPER})};
    vkp_value in[VKP_MAX_IN] = {0};
    for (int i = 0; i < 4; i++)
        VKP_TRY(vkp_graph_tensor(s->graph, &tensors[i], VKP_GRADS_NONE, NULL, name, &in[i]));
    vkp_value out[VKP_MAX_OUT] = {in[VKP_ADAM_P], in[VKP_ADAM_STATE]};
    return vkp_graph_apply(s->graph, &vkp_op_adam, &(vkp_attr){0}, name, in, out);
}

static vkp_status write_step(writing *w, const vkp_buffer *rgb, vkp_shape shape)
{
    vkp_step *s = w->step;
    vkp_graph *g = s->graph;
    /* With half-rate D the gradients of two batches are summed; otherwise each step writes them anew. */
    const vkp_grads d_mode = s->config->d_every > 1 ? VKP_GRADS_ADD : VKP_GRADS_WRITE;
    VKP_TRY(vkp_params_bind(&s->model->generator, g, VKP_GRADS_WRITE, &w->g));
    VKP_TRY(vkp_params_bind(&s->model->discriminator, g, d_mode, &w->d));
    w->seed = vkp_exchange_tensor(&s->exchange, VKP_AT_SEED, (vkp_shape){1, 1, 1, 1});
    VKP_TRY(write_inputs(w, rgb, shape));
    VKP_TRY(vkp_generator_forward(&w->g, w->gray, true, "G", &w->g_pass));
    VKP_TRY(vkp_pass_update_running(&w->g_pass, g, 0));
    w->fake = w->g_pass.out;
    VKP_TRY(
        vkp_add_node(g, &vkp_op_ycc_to_rgb, &(vkp_attr){0}, "fake_rgb", w->gray, w->fake, 0, &w->fake_rgb));
    w->d_begins = vkp_graph_mark(g);
    VKP_TRY(vkp_discriminator_forward(&w->d, s->config, w->both, BATCHES, "D", &w->d_pass));
    VKP_TRY(half(w, w->d_pass.out, REAL, "D.real", &w->real_logits));
    VKP_TRY(half(w, w->d_pass.out, FAKE, "D.fake", &w->fake_logits));
    VKP_TRY(vkp_pass_update_running(&w->d_pass, g, FAKE));
    VKP_TRY(vkp_pass_update_running(&w->d_pass, g, REAL));
    VKP_TRY(vkp_pass_update_running(&w->d_pass, g, FAKE));
    /* D first: then nothing of D is kept while the gradients go back through G. */
    VKP_TRY(write_discriminator_losses(w));
    VKP_TRY(write_generator_losses(w));
    VKP_TRY(write_adam(w, &s->model->generator, VKP_AT_HYPER_G, "Adam of G"));
    return write_adam(w, &s->model->discriminator, VKP_AT_HYPER_D, "Adam of D");
}

/* Everything but the arena: what is needed to know the memory. */
static vkp_status write_down(vkp_step *s, uint32_t batch, uint32_t h, uint32_t w, const vkp_buffer *rgb,
                             bool keep_all)
{
    VKP_TRY(vkp_program_create(s->device, &s->program));
    VKP_TRY(vkp_graph_create(s->program, keep_all, &s->graph));
    VKP_TRY(vkp_exchange_create(s->device, s->graph, batch, &s->exchange));
    writing writes = {.step = s};
    VKP_TRY(write_step(&writes, rgb, (vkp_shape){batch, 3, h, w}));
    return vkp_program_plan(s->program, &s->memory);
}

vkp_status vkp_step_plan(vkp_device *device, const vkp_config *config, vkp_model *model, uint32_t batch,
                         uint32_t h, uint32_t w, uint64_t *bytes)
{
    const vkp_tensor layout = vkp_tensor_activation(0, (vkp_shape){batch, 3, h, w});
    const vkp_buffer rgb = {.bytes = vkp_extent(&layout) * sizeof(float)};
    vkp_step trial = {.device = device, .config = config, .model = model};
    const vkp_status status = write_down(&trial, batch, h, w, &rgb, false);
    *bytes = trial.memory;
    vkp_graph_destroy(trial.graph);
    vkp_program_destroy(trial.program);
    vkp_buffer_destroy(device, &trial.exchange.buffer);
    return status;
}

/* The largest batch whose plan fits what is free, by planning without allocating; 0: none. */
static uint32_t batch_that_fits(const vkp_step *s, uint32_t batch, uint32_t h, uint32_t w)
{
    const uint64_t free_bytes = s->device->info.limits.memory_budget - s->device->allocated;
    uint64_t bytes;
    while (batch /= 2)
        if (vkp_step_plan(s->device, s->config, s->model, batch, h, w, &bytes) == VKP_OK &&
            bytes <= free_bytes)
            return batch;
    return 0;
}

static vkp_status build(vkp_step *s, uint32_t batch, uint32_t h, uint32_t w, const vkp_buffer *rgb,
                        vkp_arena *arena, bool keep_all)
{
    VKP_TRY(write_down(s, batch, h, w, rgb, keep_all));
    const vkp_status status = vkp_program_build(s->program, arena);
    if (status != VKP_DEVICE_MEMORY) return status;
    const uint32_t fit = batch_that_fits(s, batch, h, w);
    if (!fit)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "a training step needs %" PRIu64 " MiB for activations and %s has %" PRIu64
                        " MiB (not even one picture fits; try a smaller --set size)",
                        s->memory >> 20, s->device->info.name, s->device->info.limits.memory_budget >> 20);
    return vkp_fail(VKP_DEVICE_MEMORY,
                    "a training step needs %" PRIu64 " MiB for activations, %s has %" PRIu64
                    " MiB (try --set batch=%u)",
                    s->memory >> 20, s->device->info.name, s->device->info.limits.memory_budget >> 20, fit);
}

vkp_status vkp_step_create(vkp_device *device, const vkp_config *config, vkp_model *model, uint32_t batch,
                           uint32_t h, uint32_t w, const vkp_buffer *rgb, vkp_arena *arena, bool keep_all,
                           vkp_step **out)
{
    vkp_step *s = calloc(1, sizeof *s);
    if (!s)
        return vkp_fail(VKP_MEMORY,
                        "no memory for a training step (host memory ran out; close other programs)");
    *s = (vkp_step){.device = device, .config = config, .model = model};
    const vkp_status status = build(s, batch, h, w, rgb, arena, keep_all);
    if (status != VKP_OK) {
        vkp_step_destroy(s);
        return status;
    }
    *out = s;
    return VKP_OK;
}

void vkp_step_destroy(vkp_step *s)
{
    if (!s) return;
    vkp_graph_destroy(s->graph);
    vkp_program_destroy(s->program);
    vkp_buffer_destroy(s->device, &s->exchange.buffer);
    free(s);
}

vkp_status vkp_step_submit(vkp_step *s, const vkp_step_inputs *in)
{
    float *floats = vkp_exchange_floats(&s->exchange);
    if (in->blur && s->config->blur > 0)
        memcpy(floats + vkp_at_blur(&s->exchange), in->blur, 9 * s->exchange.batch * sizeof *floats);
    vkp_exchange_set_valid(&s->exchange, in->valid);
    vkp_adam_hyper(in->lr, BETA1, BETA2, ADAM_EPS, 0, s->model->g_adam_steps + 1, floats + VKP_AT_HYPER_G);
    vkp_adam_hyper(in->lr, BETA1, BETA2, ADAM_EPS, 0, s->model->d_adam_steps + 1, floats + VKP_AT_HYPER_D);
    if (s->config->d_every > 1 && in->first_of_d)
        VKP_TRY(vkp_buffer_clear(s->device, &s->model->discriminator.grads));
    s->update_d = in->update_d;
    return vkp_program_submit(s->program, SECTION_GRADIENTS, in->update_d ? 3 : 2);
}

vkp_status vkp_step_finish(vkp_step *s, vkp_losses *losses, double *psnr)
{
    VKP_TRY(vkp_program_wait(s->program));
    const float *floats = vkp_exchange_floats(&s->exchange);
    *losses = (vkp_losses){.d_adv = floats[VKP_AT_D_ADV],
                           .g_adv = floats[VKP_AT_G_ADV],
                           .g_l1 = floats[VKP_AT_G_L1],
                           .l1_crcb = floats[VKP_AT_L1_CRCB]};
    vkp_exchange_psnr(&s->exchange, psnr);
    s->model->g_adam_steps++;
    s->model->d_adam_steps += s->update_d;
    s->model->generator.batches_tracked++;
    s->model->discriminator.batches_tracked += 3;
    if (!isfinite(losses->d_adv) || !isfinite(losses->g_adv) || !isfinite(losses->g_l1))
        return vkp_fail(VKP_NOT_FINITE,
                        "the loss is not finite (D %g, G %g, L1 %g; lower --set lr and --resume from "
                        "the last checkpoint)",
                        losses->d_adv, losses->g_adv, losses->g_l1);
    return VKP_OK;
}

vkp_graph *vkp_step_graph(const vkp_step *s) { return s->graph; }
vkp_program *vkp_step_program(const vkp_step *s) { return s->program; }
uint64_t vkp_step_memory(const vkp_step *s) { return s->memory; }

vkp_status vkp_model_create(vkp_device *device, const vkp_config *config, uint64_t seed, vkp_model *m)
{
    *m = (vkp_model){0};
    vkp_status status = vkp_generator_declare(&m->generator);
    if (status == VKP_OK) status = vkp_discriminator_declare(&m->discriminator, config);
    if (status == VKP_OK) status = vkp_params_allocate(&m->generator, device, true);
    if (status == VKP_OK) status = vkp_params_allocate(&m->discriminator, device, true);
    if (status == VKP_OK) status = vkp_params_initialize(&m->generator, seed, 0);
    if (status == VKP_OK) status = vkp_params_initialize(&m->discriminator, seed, 1);
    if (status != VKP_OK) vkp_model_free(m);
    return status;
}

void vkp_model_free(vkp_model *m)
{
    vkp_params_free(&m->generator);
    vkp_params_free(&m->discriminator);
}
