#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/room.h"
#include "nn/step_parts.h"
#include "ops/adam.h"
#include "ops/moves.h"

/* Adam as PyTorch has it by default, but for beta1. */
#define BETA2 0.999
#define ADAM_EPS 1e-8

enum { SECTION_GRADIENTS, SECTION_G, SECTION_ADAM_D };

struct vkp_step {
    vkp_device *device;
    const vkp_config *config;
    vkp_model *model;
    vkp_program *program;
    vkp_graph *graph;
    vkp_exchange exchange;
    uint64_t memory;
    bool adversarial, update_d;
};

/* What the parts of a step hand to each other while it is written down. */
typedef struct writing {
    vkp_step *step;
    const vkp_step_options *options;
    vkp_bound_params g, d;
    vkp_value both; /* what D sees: the real pictures, then the fake ones */
    vkp_value source;              /* the pictures, blurred where they are to be */
    vkp_value rgb, gray, crcb;     /* what G is to give: the source, but for its saturation */
    vkp_value seen, fake, fake_rgb; /* what G sees, and gives */
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

/* Where the pictures, real and fake, are written: side by side for D, if there is one. */
static vkp_status make_pictures(writing *w, vkp_shape shape)
{
    vkp_graph *g = w->step->graph;
    if (w->step->adversarial) {
        const vkp_shape both = {BATCHES * shape.n, shape.c, shape.h, shape.w};
        VKP_TRY(vkp_graph_activation(g, both, "real|fake", &w->both));
        VKP_TRY(half(w, w->both, REAL, "rgb", &w->rgb));
        return half(w, w->both, FAKE, "fake_rgb", &w->fake_rgb);
    }
    VKP_TRY(vkp_graph_activation(g, shape, "rgb", &w->rgb));
    return vkp_graph_activation(g, shape, "fake_rgb", &w->fake_rgb);
}

static vkp_status write_inputs(writing *w)
{
    vkp_graph *g = w->step->graph;
    const vkp_step_options *o = w->options;
    const vkp_config *config = w->step->config;
    const vkp_shape shape = {o->batch, 3, o->h, o->w}, plane = {o->batch, 1, o->h, o->w};
    const bool as_they_are = config->saturation == 1;
    vkp_value batch, kernels;
    VKP_TRY(vkp_add_batch(g, o->rgb, shape, "batch", &batch));
    VKP_TRY(make_pictures(w, shape));
    w->source = as_they_are ? w->rgb : 0;
    if (config->blur > 0) {
        VKP_TRY(vkp_exchange_value(&w->step->exchange, vkp_at_blur(&w->step->exchange),
                                   (vkp_shape){shape.n, 1, 3, 3}, "blur kernels", &kernels));
        VKP_TRY(vkp_add_node(g, &vkp_op_blur3, &(vkp_attr){0}, "rgb", batch, kernels, 0, &w->source));
    } else if (as_they_are && w->step->adversarial) {
        const vkp_tensor from = vkp_graph_at(g, batch), to = vkp_graph_at(g, w->rgb);
        vkp_program_label(w->step->program, "rgb copy");
        VKP_TRY(vkp_copy(w->step->program, &from, &to, false));
    } else {
        w->source = batch;
        if (as_they_are) w->rgb = batch;
    }
    VKP_TRY(vkp_add_ycc(g, w->source, (float)config->saturation, &w->gray, &w->crcb));
    if (!as_they_are)
        VKP_TRY(vkp_add_node(g, &vkp_op_ycc_to_rgb, &(vkp_attr){0}, "rgb", w->gray, w->crcb, 0, &w->rgb));
    w->seen = w->gray;
    return o->gray ? vkp_add_batch(g, o->gray, plane, "seen", &w->seen) : VKP_OK;
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

/* The cross-entropy of the chroma classes, at the size at which G has them; *loss 0 where it has none. */
static vkp_status write_class_loss(writing *w, vkp_value *loss)
{
    vkp_step *s = w->step;
    const vkp_value logits = w->g_pass.classes;
    *loss = 0;
    if (!logits || !(s->config->lambda_class > 0)) return VKP_OK;
    const vkp_shape shape = vkp_graph_at(s->graph, logits).shape;
    vkp_value target = 0, weights;
    VKP_TRY(vkp_add_node(s->graph, &vkp_op_avg_pool, &(vkp_attr){.factor = w->options->w / shape.w},
                         "class target", w->crcb, 0, 0, &target));
    VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_CLASS_WEIGHTS, (vkp_shape){1, shape.c, 1, 1},
                               "class weights", &weights));
    VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_CLASS, (vkp_shape){1, 1, 1, 1}, "g_class", loss));
    return vkp_add_node(s->graph, &vkp_op_soft_classes,
                        &(vkp_attr){.kernel = VKP_CLASS_SIDE, .scale = VKP_CLASS_RANGE}, "g_class", logits,
                        target, weights, loss);
}

static vkp_status write_generator_losses(writing *w)
{
    vkp_step *s = w->step;
    vkp_graph *g = s->graph;
    vkp_value adv = 0, l1, classes, total = 0, trained[VKP_MAX_PARAMS];
    if (s->adversarial) {
        VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_G_ADV, (vkp_shape){1, 1, 1, 1}, "g_adv", &adv));
        VKP_TRY(adversarial(w, w->fake_logits, 0, 1, "g_adv", &adv));
    }
    VKP_TRY(vkp_add_l1(&s->exchange, s->config, w->fake, w->crcb, w->fake_rgb, w->rgb, &l1));
    VKP_TRY(write_class_loss(w, &classes));
    const float adv_weight = (float)s->config->lambda_adv, class_weight = (float)s->config->lambda_class;
    const vkp_attr with_d = {.weight = {adv_weight, 1, class_weight}};
    const vkp_attr without = {.weight = {1, class_weight}};
    VKP_TRY(vkp_add_node(g, &vkp_op_weighted_sum, adv ? &with_d : &without, "g_loss", adv ? adv : l1,
                         adv ? l1 : classes, adv ? classes : 0, &total));
    VKP_TRY(vkp_add_squared_error(&s->exchange, w->fake_rgb, w->source));
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
    uint32_t values, grads, moments;
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
    vkp_value out[VKP_MAX_OUT] = {in[VKP_ADAM_P], in[VKP_ADAM_STATE], in[VKP_ADAM_HYPER_IN]};
    return vkp_graph_apply(s->graph, &vkp_op_adam, &(vkp_attr){0}, name, in, out);
}

/* The step of the moving average towards the new weights, and towards their running statistics. */
static vkp_status write_average(writing *w)
{
    vkp_step *s = w->step;
    const vkp_params *from = &s->model->generator, *to = &s->model->average;
    const vkp_shape flat = {1, 1, 1, (uint32_t)from->total};
    uint32_t values, average;
    VKP_TRY(vkp_program_external(s->program, &from->values, 0, from->total * 4, "parameters", &values));
    VKP_TRY(vkp_program_external(s->program, &to->values, 0, to->total * 4, "average", &average));
    const vkp_tensor tensors[] = {vkp_tensor_packed(average, flat), vkp_tensor_packed(values, flat)};
    vkp_value in[3];
    for (int i = 0; i < 2; i++)
        VKP_TRY(vkp_graph_tensor(s->graph, &tensors[i], VKP_GRADS_NONE, NULL, "average", &in[i]));
    VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_AVERAGE, (vkp_shape){1, 1, 1, 1}, "1 - decay", &in[2]));
    vkp_value out = in[0];
    return vkp_add_node(s->graph, &vkp_op_ema, &(vkp_attr){0}, "average of G", in[0], in[1], in[2], &out);
}

/* D on the real and the fake pictures. */
static vkp_status write_discriminator(writing *w)
{
    vkp_step *s = w->step;
    w->d_begins = vkp_graph_mark(s->graph);
    VKP_TRY(vkp_discriminator_forward(&w->d, s->config, w->both, BATCHES, "D", &w->d_pass));
    VKP_TRY(half(w, w->d_pass.out, REAL, "D.real", &w->real_logits));
    VKP_TRY(half(w, w->d_pass.out, FAKE, "D.fake", &w->fake_logits));
    VKP_TRY(vkp_pass_update_running(&w->d_pass, s->graph, FAKE));
    VKP_TRY(vkp_pass_update_running(&w->d_pass, s->graph, REAL));
    VKP_TRY(vkp_pass_update_running(&w->d_pass, s->graph, FAKE));
    return write_discriminator_losses(w);
}

static vkp_status write_generator(writing *w)
{
    vkp_step *s = w->step;
    vkp_dropout dropout = {.probability = (float)s->config->dropout};
    VKP_TRY(vkp_exchange_value(&s->exchange, VKP_AT_RANDOM, (vkp_shape){1, 1, 1, 4}, "dropout",
                               &dropout.state));
    VKP_TRY(vkp_generator_forward(&w->g, w->seen, true, &dropout, "G", &w->g_pass));
    VKP_TRY(vkp_pass_update_running(&w->g_pass, s->graph, 0));
    w->fake = w->g_pass.out;
    return vkp_add_node(s->graph, &vkp_op_ycc_to_rgb, &(vkp_attr){0}, "fake_rgb", w->gray, w->fake, 0,
                        &w->fake_rgb);
}

static vkp_status write_step(writing *w)
{
    vkp_step *s = w->step;
    uint32_t section;
    /* With half-rate D the gradients of two batches are summed; otherwise each step writes them anew. */
    const vkp_grads d_mode = s->config->d_every > 1 ? VKP_GRADS_ADD : VKP_GRADS_WRITE;
    VKP_TRY(vkp_params_bind(&s->model->generator, s->graph, VKP_GRADS_WRITE, &w->g));
    if (s->adversarial) VKP_TRY(vkp_params_bind(&s->model->discriminator, s->graph, d_mode, &w->d));
    w->seed = vkp_exchange_tensor(&s->exchange, VKP_AT_SEED, (vkp_shape){1, 1, 1, 1});
    VKP_TRY(write_inputs(w));
    VKP_TRY(write_generator(w));
    /* D's gradients first: then nothing of D is kept while those of G go back through it. */
    if (s->adversarial) VKP_TRY(write_discriminator(w));
    VKP_TRY(write_generator_losses(w));
    VKP_TRY(vkp_program_section(s->program, &section));
    VKP_TRY(write_adam(w, &s->model->generator, VKP_AT_HYPER_G, "Adam of G"));
    if (s->model->averaged) VKP_TRY(write_average(w));
    if (!s->adversarial) return VKP_OK;
    VKP_TRY(vkp_program_section(s->program, &section));
    return write_adam(w, &s->model->discriminator, VKP_AT_HYPER_D, "Adam of D");
}

/* Everything but the arena: what is needed to know the memory. */
static vkp_status write_down(vkp_step *s, const vkp_step_options *options)
{
    s->adversarial = options->adversarial;
    VKP_TRY(vkp_program_create(s->device, &s->program));
    VKP_TRY(vkp_graph_create(s->program, options->keep_all, &s->graph));
    VKP_TRY(vkp_exchange_create(s->device, s->graph, options->batch, &s->exchange));
    writing writes = {.step = s, .options = options};
    VKP_TRY(write_step(&writes));
    return vkp_program_plan(s->program, &s->memory);
}

static uint64_t batch_bytes(const vkp_step_options *o, uint32_t channels)
{
    const vkp_tensor layout = vkp_tensor_activation(0, (vkp_shape){o->batch, channels, o->h, o->w});
    return vkp_extent(&layout) * sizeof(float);
}

/* Writes a step down and throws it away, after looking for room for it where `room`. */
static vkp_status try_step(vkp_step trial, const vkp_step_options *options, bool room, uint64_t *bytes)
{
    const vkp_buffer rgb = {.bytes = batch_bytes(options, 3)}, gray = {.bytes = batch_bytes(options, 1)};
    vkp_step_options planned = *options;
    planned.rgb = &rgb;
    planned.gray = options->gray ? &gray : NULL;
    vkp_status status = write_down(&trial, &planned);
    if (status == VKP_OK && room) status = vkp_program_try(trial.program);
    *bytes = trial.memory;
    vkp_graph_destroy(trial.graph);
    vkp_program_destroy(trial.program);
    vkp_buffer_destroy(trial.device, &trial.exchange.buffer);
    return status;
}

vkp_status vkp_step_plan(vkp_device *device, const vkp_config *config, vkp_model *model,
                         const vkp_step_options *options, uint64_t *bytes)
{
    const vkp_step trial = {.device = device, .config = config, .model = model};
    return try_step(trial, options, false, bytes);
}

/* The step that found no room. */
typedef struct too_large {
    const vkp_step *step;
    const vkp_step_options *options;
} too_large;

static bool fits(const void *user, uint32_t batch)
{
    const too_large *t = user;
    const vkp_step *s = t->step, trial = {.device = s->device, .config = s->config, .model = s->model};
    vkp_step_options smaller = *t->options;
    uint64_t bytes;
    smaller.batch = batch;
    return try_step(trial, &smaller, true, &bytes) == VKP_OK;
}

static vkp_status build(vkp_step *s, const vkp_step_options *options, vkp_arena *arena)
{
    VKP_TRY(write_down(s, options));
    const vkp_status status = vkp_program_build(s->program, arena);
    if (status != VKP_DEVICE_MEMORY) return status;
    const too_large t = {s, options};
    const vkp_room room = {"a training step", options->batch, s->memory, fits, &t};
    return vkp_room_fail(s->device, arena, &room);
}

/* A class weighs 1 at gray and 1 + rare at the most saturated one. */
static void set_class_weights(const vkp_step *s)
{
    float *weights = vkp_exchange_floats(&s->exchange) + VKP_AT_CLASS_WEIGHTS;
    const int centre = VKP_CLASS_SIDE / 2;
    for (int r = 0; r < VKP_CLASS_SIDE; r++)
        for (int b = 0; b < VKP_CLASS_SIDE; b++)
            weights[r * VKP_CLASS_SIDE + b] =
                (float)(1 + s->config->rare * hypot(r - centre, b - centre) / hypot(centre, centre));
}

vkp_status vkp_step_create(vkp_device *device, const vkp_config *config, vkp_model *model,
                           const vkp_step_options *options, vkp_arena *arena, vkp_step **out)
{
    vkp_step *s = calloc(1, sizeof *s);
    if (!s)
        return vkp_fail(VKP_MEMORY,
                        "no memory for a training step (host memory ran out; close other programs)");
    *s = (vkp_step){.device = device, .config = config, .model = model};
    const vkp_status status = build(s, options, arena);
    if (status != VKP_OK) {
        vkp_step_destroy(s);
        return status;
    }
    set_class_weights(s);
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
    const vkp_config *c = s->config;
    vkp_model *m = s->model;
    float *floats = vkp_exchange_floats(&s->exchange);
    /* The average starts with the first weights, and forgets them sooner than it forgets later on. */
    const double steps = (double)m->g_adam_steps, decay = fmin(c->ema, (1 + steps) / (10 + steps));
    const uint32_t random[] = {c->seed, (uint32_t)m->g_adam_steps, 0, 0};
    if (in->blur && c->blur > 0)
        memcpy(floats + vkp_at_blur(&s->exchange), in->blur, 9 * s->exchange.batch * sizeof *floats);
    vkp_exchange_set_valid(&s->exchange, in->valid);
    vkp_adam_hyper(in->lr, c->beta1, BETA2, ADAM_EPS, c->weight_decay, m->g_adam_steps + 1,
                   floats + VKP_AT_HYPER_G);
    vkp_adam_hyper(in->lr, c->beta1, BETA2, ADAM_EPS, 0, m->d_adam_steps + 1, floats + VKP_AT_HYPER_D);
    floats[VKP_AT_AVERAGE] = (float)(1 - decay);
    memcpy(floats + VKP_AT_RANDOM, random, sizeof random);
    if (!s->adversarial) return vkp_program_submit(s->program, SECTION_GRADIENTS, 2);
    if (c->d_every > 1 && in->first_of_d) VKP_TRY(vkp_buffer_clear(s->device, &m->discriminator.grads));
    s->update_d = in->update_d;
    return vkp_program_submit(s->program, SECTION_GRADIENTS, in->update_d ? 3 : 2);
}

static bool finite_losses(const vkp_losses *l)
{
    return isfinite(l->d_adv) && isfinite(l->g_adv) && isfinite(l->g_l1) && isfinite(l->classes);
}

/* The rare case, in which it may take a while to find out what it was. */
static vkp_status not_finite(const vkp_step *s, const vkp_losses *l)
{
    static const char todo[] = "the weights are lost; begin anew from a checkpoint's weights, --init-g and "
                               "--init-d, with a lower --set lr";
    char name[VKP_PARAMS_FOUND] = "";
    VKP_TRY(vkp_params_find_not_finite(&s->model->generator, "generator", name));
    if (!*name && s->adversarial)
        VKP_TRY(vkp_params_find_not_finite(&s->model->discriminator, "discriminator", name));
    if (*name)
        return vkp_fail(VKP_NOT_FINITE, "%s is not finite (losses D %g, G %g, L1 %g; %s)", name, l->d_adv,
                        l->g_adv, l->g_l1, todo);
    return vkp_fail(VKP_NOT_FINITE, "the loss is not finite (D %g, G %g, L1 %g, classes %g; %s)", l->d_adv,
                    l->g_adv, l->g_l1, l->classes, todo);
}

vkp_status vkp_step_finish(vkp_step *s, vkp_losses *losses, double *psnr)
{
    VKP_TRY(vkp_program_wait(s->program));
    vkp_model *m = s->model;
    const float *floats = vkp_exchange_floats(&s->exchange);
    *losses = (vkp_losses){.d_adv = floats[VKP_AT_D_ADV],
                           .g_adv = floats[VKP_AT_G_ADV],
                           .g_l1 = floats[VKP_AT_G_L1],
                           .l1_crcb = floats[VKP_AT_L1_CRCB],
                           .classes = floats[VKP_AT_CLASS],
                           .adversarial = s->adversarial};
    vkp_exchange_psnr(&s->exchange, psnr);
    m->g_adam_steps++;
    m->generator.batches_tracked++;
    m->average.batches_tracked = m->generator.batches_tracked;
    if (s->adversarial) {
        m->d_adam_steps += s->update_d;
        m->discriminator.batches_tracked += 3;
    }
    const bool g_broke = floats[VKP_AT_HYPER_G + VKP_ADAM_ALARM] != 0;
    const bool d_broke = s->adversarial && s->update_d && floats[VKP_AT_HYPER_D + VKP_ADAM_ALARM] != 0;
    if (!g_broke && !d_broke && finite_losses(losses)) return VKP_OK;
    return not_finite(s, losses);
}

vkp_graph *vkp_step_graph(const vkp_step *s) { return s->graph; }
vkp_program *vkp_step_program(const vkp_step *s) { return s->program; }
uint64_t vkp_step_memory(const vkp_step *s) { return s->memory; }

vkp_params *vkp_model_result(vkp_model *m) { return m->averaged ? &m->average : &m->generator; }

vkp_status vkp_model_create(vkp_device *device, const vkp_config *config, uint64_t seed, vkp_model *m)
{
    *m = (vkp_model){.averaged = config->ema > 0};
    vkp_status status = vkp_generator_declare(&m->generator, config->network);
    if (status == VKP_OK) status = vkp_discriminator_declare(&m->discriminator, config);
    m->average = m->generator;
    if (status == VKP_OK) status = vkp_params_allocate(&m->generator, device, true);
    if (status == VKP_OK) status = vkp_params_allocate(&m->discriminator, device, true);
    if (status == VKP_OK) status = vkp_params_initialize(&m->generator, seed, 0);
    if (status == VKP_OK) status = vkp_params_initialize(&m->discriminator, seed, 1);
    if (status == VKP_OK && m->averaged) status = vkp_params_allocate(&m->average, device, false);
    if (status == VKP_OK && m->averaged) status = vkp_params_initialize(&m->average, seed, 0);
    if (status != VKP_OK) vkp_model_free(m);
    return status;
}

void vkp_model_free(vkp_model *m)
{
    vkp_params_free(&m->generator);
    vkp_params_free(&m->discriminator);
    vkp_params_free(&m->average);
}
