/* The training step against PyTorch, for one preset: `test_train_step PRESET FOLDER`, where FOLDER/PRESET
 * holds what tests/reference/make_steps.py writes at the preset's own learning rate and FOLDER/PRESET-slow
 * the same at 1e-6.
 *
 * At the preset's rate only the first steps can be held tightly: Adam begins with steps of the whole rate in
 * the sign of a gradient that may be next to zero. The slow run holds all steps (see make_steps.py). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>

#include "base/file.h"
#include "batch.h"
#include "dense.h"
#include "device_fixture.h"
#include "nn/step.h"
#include "torch_names.h"

static const char *preset, *data_folder;

/* A model with PyTorch's first weights, and its step. */
typedef struct session {
    char folder[4096];
    cJSON *expected;
    vkp_config config;
    vkp_model model;
    batch pictures;
    vkp_arena arena;
    vkp_step *step;
    vkp_rect valid[8];
    double *psnr;
} session;

static const char *path_in(const session *s, const char *file)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s", s->folder, file);
    return path;
}

static double expected_number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item)) fail_msg("expected.json has no number %s", key);
    return item->valuedouble;
}

static cJSON *read_json(const char *path)
{
    void *text;
    size_t bytes;
    assert_ok(vkp_file_read(path, 1 << 20, &text, &bytes));
    cJSON *json = cJSON_ParseWithLength(text, bytes);
    free(text);
    if (!json) fail_msg("%s is not JSON", path);
    return json;
}

/* keep_all: values and gradients can be read by name; without it the step is the one that trains. */
static void open_session(session *s, const char *suffix, bool keep_all)
{
    *s = (session){0};
    snprintf(s->folder, sizeof s->folder, "%s/%s%s", data_folder, preset, suffix);
    s->expected = read_json(path_in(s, "expected.json"));
    assert_ok(vkp_config_preset(&s->config, preset));
    s->config.size = (uint32_t)expected_number(s->expected, "size");
    s->config.batch = (uint32_t)expected_number(s->expected, "batch");
    s->config.flip = s->config.blur = 0;
    assert_int_equal(s->config.d_every, expected_number(s->expected, "d_every"));
    assert_ok(vkp_config_check(&s->config));
    const uint32_t n = s->config.batch, size = s->config.size;
    assert_in_range(n, 1, sizeof s->valid / sizeof *s->valid);
    for (uint32_t i = 0; i < n; i++) s->valid[i] = (vkp_rect){0, 0, (int)size, (int)size};
    s->psnr = calloc(n, sizeof *s->psnr);
    assert_non_null(s->psnr);
    assert_ok(vkp_model_create(test_device, &s->config, 1, &s->model));
    assert_ok(vkp_params_load(&s->model.generator, path_in(s, "generator.safetensors")));
    assert_ok(vkp_params_load(&s->model.discriminator, path_in(s, "discriminator.safetensors")));
    s->pictures = batch_make(n, size, size);
    const vkp_step_options options = {.batch = n,
                                      .h = size,
                                      .w = size,
                                      .rgb = &s->pictures.buffer,
                                      .adversarial = true,
                                      .keep_all = keep_all};
    assert_ok(vkp_step_create(test_device, &s->config, &s->model, &options, &s->arena, &s->step));
}

static void close_session(session *s)
{
    vkp_step_destroy(s->step);
    vkp_arena_destroy(test_device, &s->arena);
    batch_free(&s->pictures);
    vkp_model_free(&s->model);
    free(s->psnr);
    cJSON_Delete(s->expected);
}

static void load_pictures(session *s, uint32_t number)
{
    for (uint32_t i = 0; i < s->config.batch; i++) {
        char file[32];
        snprintf(file, sizeof file, "pictures/%03u.png", number * s->config.batch + i);
        batch_load(&s->pictures, i, path_in(s, file));
    }
}

/* Step `number` of one epoch; the largest relative difference of the three losses from the row. */
static double train(session *s, uint32_t number, const cJSON *row, vkp_losses *losses)
{
    load_pictures(s, number);
    const uint32_t every = s->config.d_every;
    const vkp_step_inputs inputs = {.valid = s->valid,
                                    .lr = expected_number(row, "lr"),
                                    .first_of_d = number % every == 0,
                                    .update_d = number % every == every - 1};
    assert_ok(vkp_step_submit(s->step, &inputs));
    assert_ok(vkp_step_finish(s->step, losses, s->psnr));
    const struct {
        const char *key;
        double got;
    } list[] = {{"d_adv", losses->d_adv}, {"g_adv", losses->g_adv}, {"g_l1", losses->g_l1}};
    double off = 0;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        off = fmax(off, fabs(list[i].got / expected_number(row, list[i].key) - 1));
    return off;
}

/* What was compared, and how far off the worst was. */
typedef struct tally {
    unsigned count;
    double worst;
    char name[64];
} tally;

static void add_to(tally *t, double error, const char *name, double allowed)
{
    t->count++;
    if (!(error <= allowed)) fail_msg("%s is off by %g (allowed is %g)", name, error, allowed);
    if (error < t->worst) return;
    t->worst = error;
    snprintf(t->name, sizeof t->name, "%s", name);
}

static void report(const tally *t, const char *what)
{
    print_message("%s: %3u %s, off by at most %.1e (%s)\n", preset, t->count, what, t->worst, t->name);
}

typedef struct comparison {
    session *s;
    const vkp_safetensors *file;
    tally values, parameters, cancelled, gradients;
    unsigned fused, flipped;
} comparison;

/* One flipped value in D's first block changes the gradient there by 4e-3 (L2); instance norm spreads it. */
static double gradient_limit(const comparison *c) { return c->flipped ? 2e-2 : 1e-4; }

static bool is_cancelled(const session *s, const char *network, const char *parameter)
{
    const cJSON *lists = cJSON_GetObjectItemCaseSensitive(s->expected, "cancelled_biases");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(lists, network);
    assert_true(cJSON_IsArray(list));
    for (const cJSON *item = list->child; item; item = item->next)
        if (strcmp(item->valuestring, parameter) == 0) return true;
    return false;
}

/* What the networks say of it must be what PyTorch's side knows. */
static void check_cancelled(const session *s, const vkp_params *p, const char *network)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->list[i].zero_grad != is_cancelled(s, network, p->list[i].name))
            fail_msg("%s's %s: a gradient that cancels?", network, p->list[i].name);
}

static float *read_gradient(const vkp_params *p, const char *name, uint64_t *count)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (!p->list[i].trained || strcmp(p->list[i].name, name) != 0) continue;
        *count = vkp_shape_count(p->list[i].shape);
        float *values = malloc(*count * sizeof *values);
        assert_non_null(values);
        assert_ok(vkp_buffer_read(test_device, &p->grads, p->list[i].offset * sizeof *values, values,
                                  *count * sizeof *values));
        return values;
    }
    fail_msg("vkpix has no parameter %s", name);
    return NULL;
}

/* "grad.G.enc1.0.weight". A bias that a norm cancels has a gradient of zero; PyTorch's is the noise of
 * rounding, which must be small beside the gradient of its convolution's weights. */
static void compare_parameter(comparison *c, const char *torch)
{
    const bool is_g = torch[5] == 'G';
    const vkp_params *p = is_g ? &c->s->model.generator : &c->s->model.discriminator;
    const char *name = torch + 7;
    uint64_t count, weights;
    float *got = read_gradient(p, name, &count), *want = dense_from_file(c->file, torch, count);
    if (is_cancelled(c->s, is_g ? "generator" : "discriminator", name)) {
        char beside[64];
        snprintf(beside, sizeof beside, "%.*s.weight", (int)(strlen(name) - strlen(".bias")), name);
        float *weight = read_gradient(p, beside, &weights), *zero = calloc(weights, sizeof *zero);
        assert_non_null(zero);
        const double size = dense_compare(weight, zero, weights, 1).mean;
        for (uint64_t i = 0; i < count; i++) assert_true(got[i] == 0);
        add_to(&c->cancelled, dense_compare(got, want, count, size).mean, torch, 1e-4);
        free(weight);
        free(zero);
    } else {
        add_to(&c->parameters, dense_compare(got, want, count, 0).mean, torch, gradient_limit(c));
    }
    free(got);
    free(want);
}

/* Where rounding has moved the argument of a (Leaky)ReLU across its kink: next to zero, and seldom. */
static unsigned count_flipped(const char *torch, const float *got, const float *want, uint64_t count)
{
    double power = 0;
    unsigned flipped = 0;
    for (uint64_t i = 0; i < count; i++) power += (double)want[i] * (double)want[i] / (double)count;
    for (uint64_t i = 0; i < count; i++) {
        if ((got[i] > 0) == (want[i] > 0)) continue;
        flipped++;
        if (!(fabs((double)want[i]) <= 1e-5 * sqrt(power)))
            fail_msg("%s has the sign wrong of %g", torch, (double)want[i]);
    }
    return flipped;
}

#define REAL "D.real."
#define FAKE "D.fake."

/* The tensor of "LOSSname": a value, LOSS being "", or its gradient by that loss, "d_loss/" or "g_loss/".
 * D has one pass, over the real pictures and the fake ones after them: D.real.LAYER and D.fake.LAYER are
 * halves of D.LAYER. By G's loss it has gradients for the fake ones alone. */
static vkp_tensor find_value(const session *s, const char *loss, const char *name)
{
    const vkp_graph *graph = vkp_step_graph(s->step);
    const uint32_t n = s->config.batch;
    const bool real = strncmp(name, REAL, strlen(REAL)) == 0, fake = strncmp(name, FAKE, strlen(FAKE)) == 0;
    char whole[64];
    if (real || fake)
        snprintf(whole, sizeof whole, "%sD.%s", loss, name + strlen(real ? REAL : FAKE));
    else
        snprintf(whole, sizeof whole, "%s%s", loss, name);
    const vkp_value value = vkp_graph_find(graph, whole);
    if (!value) fail_msg("vkpix's graph has no %s", whole);
    const vkp_tensor t = vkp_graph_at(graph, value);
    if ((!real && !fake) || strcmp(loss, "g_loss/") == 0) return t;
    assert_int_equal(t.shape.n, 2 * n);
    return vkp_tensor_pictures(&t, real ? 0 : n, n);
}

/* The gradient of `name`, D's by G's loss `in_g_step` and by its own otherwise. */
static vkp_tensor find_gradient(const session *s, const char *name, bool in_g_step)
{
    const vkp_graph *graph = vkp_step_graph(s->step);
    if (strncmp(name, "D.", 2) == 0) return find_value(s, in_g_step ? "g_loss/" : "d_loss/", name);
    const vkp_tensor t = vkp_graph_grad(graph, vkp_graph_find(graph, name));
    if (!t.buffer) fail_msg("%s has no gradient", name);
    return t;
}

/* Adds the gradient of what is pooled of (n,c,h,w): there is no such tensor in the graph. */
static void add_spread(const comparison *c, const char *pooled, bool in_g_step, vkp_shape s, float *sum)
{
    const vkp_tensor t = find_gradient(c->s, pooled, in_g_step);
    const uint32_t f = s.h / t.shape.h;
    float *d = dense_read(vkp_step_program(c->s->step), &t);
    assert_true(f == s.w / t.shape.w && t.shape.n == s.n && t.shape.c == s.c);
    for (uint64_t i = 0; i < vkp_shape_count(s); i++) {
        const uint64_t x = i % s.w / f, y = i / s.w % s.h / f, plane = i / s.w / s.h;
        if (x < t.shape.w && y < t.shape.h)
            sum[i] += d[(plane * t.shape.h + y) * t.shape.w + x] / (float)(f * f);
    }
    free(d);
}

/* A value or its gradient, of *count elements; the caller frees it. */
static float *read_layer(const comparison *c, const char *name, bool gradient, bool in_g_step,
                         uint64_t *count)
{
    const char *pooled = gradient ? torch_pooled_of(name) : NULL;
    const bool spread_only = pooled && strncmp(name, "D.", 2) == 0;
    const vkp_tensor t =
        gradient && !spread_only ? find_gradient(c->s, name, in_g_step) : find_value(c->s, "", name);
    assert_int_equal(t.shape.n, c->s->config.batch);
    *count = vkp_shape_count(t.shape);
    float *got = dense_read(vkp_step_program(c->s->step), &t);
    if (spread_only) memset(got, 0, *count * sizeof *got);
    if (pooled) add_spread(c, pooled, in_g_step, t.shape, got);
    return got;
}

/* "G.enc1.out", its gradient "grad.G.enc1.out", or, by G's loss, "g_step.grad.D.fake.conv1.out". */
static void compare_layer(comparison *c, const char *torch)
{
    const bool gradient = torch_is_gradient(torch),
               in_g_step = strncmp(torch, TORCH_G_STEP, strlen(TORCH_G_STEP)) == 0;
    char name[48];
    torch_graph_name(gradient ? strstr(torch, TORCH_GRADIENT) + strlen(TORCH_GRADIENT) : torch, name);
    if (!*name) {
        c->fused++;
        return;
    }
    uint64_t count;
    float *got = read_layer(c, name, gradient, in_g_step, &count);
    float *want = dense_from_file(c->file, torch, count);
    const double error = dense_compare(got, want, count, 0).mean;
    if (gradient)
        add_to(&c->gradients, error, torch, gradient_limit(c));
    else
        add_to(&c->values, error, torch, 2e-5);
    if (!gradient && torch_is_rectified(torch)) c->flipped += count_flipped(torch, got, want, count);
    free(got);
    free(want);
}

static unsigned trained_tensors(const vkp_params *p)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < p->count; i++) count += p->list[i].trained;
    return count;
}

/* The figures that the step gives beside its losses, from PyTorch's pictures. */
static void compare_figures(const session *s, const vkp_safetensors *file, const vkp_losses *losses)
{
    const uint64_t n = s->config.batch, plane = (uint64_t)s->config.size * s->config.size;
    float *fake = dense_from_file(file, "fake", 2 * n * plane),
          *crcb = dense_from_file(file, "crcb", 2 * n * plane);
    float *fake_rgb = dense_from_file(file, "fake_rgb", 3 * n * plane),
          *rgb = dense_from_file(file, "rgb", 3 * n * plane);
    double l1 = 0;
    for (uint64_t i = 0; i < 2 * n * plane; i++)
        l1 += fabs((double)fake[i] - (double)crcb[i]) / (double)(2 * n * plane);
    assert_true(fabs(losses->l1_crcb / l1 - 1) < 1e-5);
    for (uint64_t i = 0; i < n; i++) {
        double error = 0;
        for (uint64_t k = 3 * i * plane; k < 3 * (i + 1) * plane; k++)
            error +=
                pow(255 * (fmin(fmax((double)fake_rgb[k], 0), 1) - (double)rgb[k]), 2) / (double)(3 * plane);
        assert_true(fabs(s->psnr[i] - 10 * log10(255.0 * 255.0 / error)) < 1e-4);
    }
    free(fake);
    free(crcb);
    free(fake_rgb);
    free(rgb);
}

static void first_step_by_name(void **state)
{
    (void)state;
    session s;
    vkp_losses losses;
    open_session(&s, "", true);
    assert_true(train(&s, 0, cJSON_GetObjectItemCaseSensitive(s.expected, "losses")->child, &losses) <= 1e-5);
    vkp_safetensors *file = dense_open(path_in(&s, "activations.safetensors"));
    comparison c = {.s = &s, .file = file};
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    for (size_t i = 0; i < count; i++)
        if (!torch_is_gradient(list[i].name)) compare_layer(&c, list[i].name);
    for (size_t i = 0; i < count; i++) {
        if (!torch_is_gradient(list[i].name)) continue;
        if (torch_ends_with(list[i].name, ".weight") || torch_ends_with(list[i].name, ".bias"))
            compare_parameter(&c, list[i].name);
        else
            compare_layer(&c, list[i].name);
    }
    report(&c.values, "values");
    print_message("%s: %u values beyond a kink\n", preset, c.flipped);
    assert_in_range(c.flipped, 0, 8);
    report(&c.parameters, "gradients of parameters");
    report(&c.cancelled, "gradients that cancel");
    report(&c.gradients, "gradients of values");
    /* Per pass G has 11 fused layers, D 9; G's pass has values and gradients, D's two passes values and three
     * gradients. */
    assert_int_equal(c.fused, 2 * 11 + (2 + 3) * 9);
    assert_int_equal(c.parameters.count + c.cancelled.count,
                     trained_tensors(&s.model.generator) + trained_tensors(&s.model.discriminator));
    check_cancelled(&s, &s.model.generator, "generator");
    check_cancelled(&s, &s.model.discriminator, "discriminator");
    compare_figures(&s, file, &losses);
    vkp_safetensors_free(file);
    close_session(&s);
}

/* All steps; off[i] of step i. Returns their number. */
static uint32_t train_all(session *s, double off[], uint32_t room)
{
    uint32_t number = 0;
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(s->expected, "losses");
    assert_true(cJSON_IsArray(rows));
    for (const cJSON *row = rows->child; row; row = row->next, number++) {
        vkp_losses losses;
        assert_in_range(number, 0, room - 1);
        off[number] = train(s, number, row, &losses);
    }
    return number;
}

static void report_losses(const double off[], uint32_t count, const char *what)
{
    print_message("%s: losses at %s off by", preset, what);
    for (uint32_t i = 0; i < count; i++) print_message(" %.1e", off[i]);
    print_message("\n");
}

static void losses_at_the_presets_rate(void **state)
{
    (void)state;
    session s;
    double off[10];
    open_session(&s, "", false);
    assert_int_equal(train_all(&s, off, 10), 10);
    report_losses(off, 10, "the preset's rate");
    assert_true(off[0] <= 1e-5);
    assert_true(off[1] <= 1e-4);
    for (int i = 2; i < 10; i++) assert_true(off[i] <= 0.1);
    close_session(&s);
}

/* What the tensors of a trained network may be off by. */
typedef struct finals {
    tally means, variances, updates;
} finals;

/* A network after the steps: running statistics, and what the steps added to each parameter. */
static void compare_network(session *s, const vkp_params *p, const char *network, finals *f)
{
    char file[64];
    snprintf(file, sizeof file, "final_%s.safetensors", network);
    vkp_safetensors *after = dense_open(path_in(s, file));
    snprintf(file, sizeof file, "%s.safetensors", network);
    vkp_safetensors *before = dense_open(path_in(s, file));
    const double reach = expected_number(s->expected, "steps") * expected_number(s->expected, "lr");
    for (uint32_t i = 0; i < p->count; i++) {
        const char *name = p->list[i].name;
        const uint64_t count = vkp_shape_count(p->list[i].shape);
        float *got = malloc(count * sizeof *got), *want = dense_from_file(after, name, count);
        float *first = dense_from_file(before, name, count);
        assert_non_null(got);
        assert_ok(vkp_buffer_read(test_device, &p->values, p->list[i].offset * sizeof *got, got,
                                  count * sizeof *got));
        if (torch_ends_with(name, ".running_mean")) {
            /* A cancelled bias walks at random by `reach` and takes the mean with it. */
            double off = 0;
            for (uint64_t k = 0; k < count; k++)
                off = fmax(off, fabs((double)got[k] - (double)want[k]) / reach);
            add_to(&f->means, off, name, 2);
        } else if (torch_ends_with(name, ".running_var")) {
            add_to(&f->variances, dense_compare(got, want, count, 0).mean, name, 1e-5);
        } else if (!is_cancelled(s, network, name)) {
            for (uint64_t k = 0; k < count; k++) got[k] -= first[k], want[k] -= first[k];
            add_to(&f->updates, dense_compare(got, want, count, 0).mean, name, 0.1);
        }
        free(got);
        free(want);
        free(first);
    }
    const vkp_safetensor *tracked = vkp_safetensors_find(after, "enc1.1.num_batches_tracked");
    if (!tracked) tracked = vkp_safetensors_find(after, "conv1.1.num_batches_tracked");
    if (tracked) {
        int64_t batches;
        memcpy(&batches, tracked->data, sizeof batches);
        assert_int_equal(p->batches_tracked, batches);
    }
    vkp_safetensors_free(before);
    vkp_safetensors_free(after);
}

/* The generator in evaluation mode on the first batch. */
static void compare_evaluation(session *s)
{
    vkp_evaluation *e;
    vkp_safetensors *file = dense_open(path_in(s, "expected.safetensors"));
    const uint32_t n = s->config.batch, size = s->config.size;
    const uint64_t plane = (uint64_t)size * size;
    float *crcb = malloc(2 * n * plane * sizeof *crcb), *rgb = malloc(3 * n * plane * sizeof *rgb);
    assert_true(crcb && rgb);
    assert_ok(vkp_evaluation_create(test_device, &s->config, &s->model.generator, n, size, size,
                                    &s->pictures.buffer, &s->arena, &e));
    load_pictures(s, 0);
    assert_ok(vkp_evaluation_run(e, s->valid, NULL, s->psnr, crcb, rgb));
    float *want_crcb = dense_from_file(file, "eval.fake", 2 * n * plane);
    float *want_rgb = dense_from_file(file, "eval.fake_rgb", 3 * n * plane),
          *want_psnr = dense_from_file(file, "eval.psnr", n);
    const double off_crcb = dense_compare(crcb, want_crcb, 2 * n * plane, 0).mean;
    const double off_rgb = dense_compare(rgb, want_rgb, 3 * n * plane, 0).mean;
    double off_psnr = 0;
    for (uint32_t i = 0; i < n; i++) off_psnr = fmax(off_psnr, fabs(s->psnr[i] - (double)want_psnr[i]));
    print_message("%s: evaluation off by %.1e dB, CrCb %.1e, RGB %.1e\n", preset, off_psnr, off_crcb,
                  off_rgb);
    assert_true(off_psnr <= 5e-4);
    assert_true(off_crcb <= 2e-4);
    assert_true(off_rgb <= 2e-5);
    vkp_evaluation_destroy(e);
    vkp_safetensors_free(file);
    free(crcb);
    free(rgb);
    free(want_crcb);
    free(want_rgb);
    free(want_psnr);
}

static void ten_slow_steps(void **state)
{
    (void)state;
    session s;
    double off[10];
    finals f = {0};
    open_session(&s, "-slow", false);
    assert_int_equal(train_all(&s, off, 10), 10);
    report_losses(off, 10, "1e-6");
    for (int i = 0; i < 10; i++) assert_true(off[i] <= 5e-5);
    compare_network(&s, &s.model.generator, "generator", &f);
    compare_network(&s, &s.model.discriminator, "discriminator", &f);
    report(&f.means, "running means, in units of steps * lr");
    report(&f.variances, "running variances");
    report(&f.updates, "updates of parameters");
    assert_true(f.means.count >= 7 && f.means.count == f.variances.count);
    compare_evaluation(&s);
    close_session(&s);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s PRESET FOLDER\n", argv[0]);
        return 2;
    }
    preset = argv[1];
    data_folder = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step_by_name),
        cmocka_unit_test(losses_at_the_presets_rate),
        cmocka_unit_test(ten_slow_steps),
    };
    return cmocka_run_group_tests_name("training step against PyTorch", tests, open_test_device,
                                       close_test_device);
}
