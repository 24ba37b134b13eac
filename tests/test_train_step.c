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

#include "dense.h"
#include "device_fixture.h"
#include "torch_names.h"
#include "torch_run.h"

static const char *preset, *data_folder;

/* Opens FOLDER/PRESET with `suffix`. */
static void open_session(torch_run *s, const char *suffix, bool keep_all)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%s%s", data_folder, preset, suffix);
    torch_run_open(s, preset, preset, folder);
    assert_int_equal(s->config.d_every, torch_run_number(s->expected, "d_every"));
    torch_run_make_step(s, keep_all, false);
}

typedef struct comparison {
    torch_run *s;
    const vkp_safetensors *file;
    torch_tally values, gradients;
    torch_gradients parameters;
    unsigned fused, flipped;
} comparison;

/* One flipped value in D's first block changes the gradient there by 4e-3 (L2); instance norm spreads it. */
static double gradient_limit(const comparison *c) { return c->flipped ? 2e-2 : 1e-4; }

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
static vkp_tensor find_value(const torch_run *s, const char *loss, const char *name)
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
static vkp_tensor find_gradient(const torch_run *s, const char *name, bool in_g_step)
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
        torch_tally_add(&c->gradients, error, torch, gradient_limit(c));
    else
        torch_tally_add(&c->values, error, torch, 2e-5);
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
static void compare_figures(const torch_run *s, const vkp_safetensors *file, const vkp_losses *losses)
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
    torch_run s;
    vkp_losses losses;
    open_session(&s, "", true);
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(s.expected, "losses")->child;
    assert_true(torch_run_step(&s, 0, row, &losses) <= 1e-5);
    vkp_safetensors *file = dense_open(torch_run_path(&s, "activations.safetensors"));
    comparison c = {.s = &s, .file = file};
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    for (size_t i = 0; i < count; i++)
        if (!torch_is_gradient(list[i].name)) compare_layer(&c, list[i].name);
    for (size_t i = 0; i < count; i++) {
        if (!torch_is_gradient(list[i].name)) continue;
        if (torch_ends_with(list[i].name, ".weight") || torch_ends_with(list[i].name, ".bias"))
            torch_run_compare_gradient(&s, file, list[i].name, gradient_limit(&c), &c.parameters);
        else
            compare_layer(&c, list[i].name);
    }
    torch_tally_report(&c.values, preset, "values");
    print_message("%s: %u values beyond a kink\n", preset, c.flipped);
    assert_in_range(c.flipped, 0, 8);
    torch_tally_report(&c.parameters.parameters, preset, "gradients of parameters");
    torch_tally_report(&c.parameters.cancelled, preset, "gradients that cancel");
    torch_tally_report(&c.gradients, preset, "gradients of values");
    /* Per pass G has 11 fused layers, D 9; G's pass has values and gradients, D's two passes values and three
     * gradients. */
    assert_int_equal(c.fused, 2 * 11 + (2 + 3) * 9);
    assert_int_equal(c.parameters.parameters.count + c.parameters.cancelled.count,
                     trained_tensors(&s.model.generator) + trained_tensors(&s.model.discriminator));
    torch_run_check_cancelled(&s, &s.model.generator, "generator");
    torch_run_check_cancelled(&s, &s.model.discriminator, "discriminator");
    compare_figures(&s, file, &losses);
    vkp_safetensors_free(file);
    torch_run_close(&s);
}

static void losses_at_the_presets_rate(void **state)
{
    (void)state;
    torch_run s;
    double off[10];
    open_session(&s, "", false);
    assert_int_equal(torch_run_steps(&s, off, 10, "the preset's rate"), 10);
    assert_true(off[0] <= 1e-5);
    assert_true(off[1] <= 1e-4);
    for (int i = 2; i < 10; i++) assert_true(off[i] <= 0.1);
    torch_run_close(&s);
}

static void ten_slow_steps(void **state)
{
    (void)state;
    torch_run s;
    double off[10];
    torch_finals f = {0};
    open_session(&s, "-slow", false);
    assert_int_equal(torch_run_steps(&s, off, 10, "1e-6"), 10);
    for (int i = 0; i < 10; i++) assert_true(off[i] <= 5e-5);
    torch_run_compare_network(&s, &s.model.generator, "generator", "generator", &f);
    torch_run_compare_network(&s, &s.model.discriminator, "discriminator", "discriminator", &f);
    torch_run_report_finals(&s, &f);
    assert_true(f.means.count >= 7 && f.means.count == f.variances.count);
    torch_run_compare_evaluation(&s, &s.model.generator);
    torch_run_close(&s);
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
