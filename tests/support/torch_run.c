#include "torch_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "dense.h"
#include "device_fixture.h"
#include "torch_names.h"

const char *torch_run_path(const torch_run *r, const char *file)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s", r->folder, file);
    return path;
}

double torch_run_number(const cJSON *object, const char *key)
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

void torch_run_open(torch_run *r, const char *label, const char *preset, const char *folder)
{
    *r = (torch_run){.label = label};
    snprintf(r->folder, sizeof r->folder, "%s", folder);
    r->expected = read_json(torch_run_path(r, "expected.json"));
    assert_ok(vkp_config_preset(&r->config, preset));
    r->config.size = (uint32_t)torch_run_number(r->expected, "size");
    r->config.batch = (uint32_t)torch_run_number(r->expected, "batch");
    r->config.flip = r->config.blur = r->config.dropout = 0;
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(r->expected, "set");
    for (const cJSON *item = set ? set->child : NULL; item; item = item->next)
        assert_ok(vkp_config_set(&r->config, item->valuestring));
    assert_ok(vkp_config_check(&r->config));
}

void torch_run_make_step(torch_run *r, bool keep_all, bool seen)
{
    const uint32_t n = r->config.batch, size = r->config.size;
    assert_in_range(n, 1, sizeof r->valid / sizeof *r->valid);
    for (uint32_t i = 0; i < n; i++) r->valid[i] = (vkp_rect){0, 0, (int)size, (int)size};
    r->psnr = calloc(n, sizeof *r->psnr);
    assert_non_null(r->psnr);
    assert_ok(vkp_model_create(test_device, &r->config, 1, &r->model));
    assert_ok(vkp_params_load(&r->model.generator, torch_run_path(r, "generator.safetensors")));
    if (r->model.averaged)
        assert_ok(vkp_params_load(&r->model.average, torch_run_path(r, "generator.safetensors")));
    assert_ok(vkp_params_load(&r->model.discriminator, torch_run_path(r, "discriminator.safetensors")));
    r->pictures = batch_make(n, 3, size, size);
    if (seen) r->seen = batch_make(n, 1, size, size);
    const vkp_step_options options = {.batch = n,
                                      .h = size,
                                      .w = size,
                                      .rgb = &r->pictures.buffer,
                                      .gray = seen ? &r->seen.buffer : NULL,
                                      .adversarial = vkp_config_adversarial(&r->config, 0),
                                      .keep_all = keep_all};
    assert_ok(vkp_step_create(test_device, &r->config, &r->model, &options, &r->arena, &r->step));
}

void torch_run_close(torch_run *r)
{
    vkp_step_destroy(r->step);
    vkp_arena_destroy(test_device, &r->arena);
    batch_free(&r->pictures);
    batch_free(&r->seen);
    vkp_model_free(&r->model);
    free(r->psnr);
    cJSON_Delete(r->expected);
}

static void load_pictures(torch_run *r, uint32_t number)
{
    for (uint32_t i = 0; i < r->config.batch; i++) {
        char file[32];
        snprintf(file, sizeof file, "pictures/%03u.png", number * r->config.batch + i);
        batch_load(&r->pictures, i, torch_run_path(r, file));
    }
    if (!r->seen.buffer.mapped) return;
    char name[32];
    vkp_safetensors *file = dense_open(torch_run_path(r, "seen.safetensors"));
    snprintf(name, sizeof name, "seen.%u", number);
    float *planes = dense_from_file(file, name, vkp_shape_count(r->seen.layout.shape));
    dense_spread(&r->seen.layout, planes, r->seen.buffer.mapped);
    free(planes);
    vkp_safetensors_free(file);
}

double torch_run_step(torch_run *r, uint32_t number, const cJSON *row, vkp_losses *losses)
{
    load_pictures(r, number);
    const uint32_t every = r->config.d_every;
    const vkp_step_inputs inputs = {.valid = r->valid,
                                    .lr = torch_run_number(row, "lr"),
                                    .first_of_d = number % every == 0,
                                    .update_d = number % every == every - 1};
    assert_ok(vkp_step_submit(r->step, &inputs));
    assert_ok(vkp_step_finish(r->step, losses, r->psnr));
    const bool adversarial = r->config.lambda_adv > 0;
    const struct {
        const char *key;
        double got;
        bool there;
    } list[] = {{"d_adv", losses->d_adv, adversarial},
                {"g_adv", losses->g_adv, adversarial},
                {"g_l1", losses->g_l1, true},
                {"classes", losses->classes, r->config.lambda_class > 0}};
    double off = 0;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i].there) off = fmax(off, fabs(list[i].got / torch_run_number(row, list[i].key) - 1));
        else assert_true(list[i].got == 0);
    return off;
}

uint32_t torch_run_steps(torch_run *r, double off[], uint32_t room, const char *what)
{
    uint32_t number = 0;
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(r->expected, "losses");
    assert_true(cJSON_IsArray(rows));
    print_message("%s: losses at %s off by", r->label, what);
    for (const cJSON *row = rows->child; row; row = row->next, number++) {
        vkp_losses losses;
        assert_in_range(number, 0, room - 1);
        off[number] = torch_run_step(r, number, row, &losses);
        print_message(" %.1e", off[number]);
    }
    print_message("\n");
    return number;
}

void torch_tally_add(torch_tally *t, double error, const char *name, double allowed)
{
    t->count++;
    if (!(error <= allowed)) fail_msg("%s is off by %g (allowed is %g)", name, error, allowed);
    if (error < t->worst) return;
    t->worst = error;
    snprintf(t->name, sizeof t->name, "%s", name);
}

void torch_tally_report(const torch_tally *t, const char *label, const char *what)
{
    print_message("%s: %3u %s, off by at most %.1e (%s)\n", label, t->count, what, t->worst, t->name);
}

bool torch_run_cancelled(const torch_run *r, const char *network, const char *parameter)
{
    const cJSON *lists = cJSON_GetObjectItemCaseSensitive(r->expected, "cancelled_biases");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(lists, network);
    assert_true(cJSON_IsArray(list));
    for (const cJSON *item = list->child; item; item = item->next)
        if (strcmp(item->valuestring, parameter) == 0) return true;
    return false;
}

void torch_run_check_cancelled(const torch_run *r, const vkp_params *p, const char *network)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->list[i].zero_grad != torch_run_cancelled(r, network, p->list[i].name))
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

void torch_run_compare_gradient(const torch_run *r, const vkp_safetensors *file, const char *torch,
                                double limit, torch_gradients *tallies)
{
    const bool is_g = torch[5] == 'G';
    const vkp_params *p = is_g ? &r->model.generator : &r->model.discriminator;
    const char *name = torch + 7;
    uint64_t count, weights;
    float *got = read_gradient(p, name, &count), *want = dense_from_file(file, torch, count);
    if (torch_run_cancelled(r, is_g ? "generator" : "discriminator", name)) {
        char beside[64];
        snprintf(beside, sizeof beside, "%.*s.weight", (int)(strlen(name) - strlen(".bias")), name);
        float *weight = read_gradient(p, beside, &weights), *zero = calloc(weights, sizeof *zero);
        assert_non_null(zero);
        const double size = dense_compare(weight, zero, weights, 1).mean;
        for (uint64_t i = 0; i < count; i++) assert_true(got[i] == 0);
        torch_tally_add(&tallies->cancelled, dense_compare(got, want, count, size).mean, torch, 1e-4);
        free(weight);
        free(zero);
    } else {
        torch_tally_add(&tallies->parameters, dense_compare(got, want, count, 0).mean, torch, limit);
    }
    free(got);
    free(want);
}

/* BatchNorm's count of passes, the same in all of a network's norms. */
static void compare_tracked(const vkp_params *p, const vkp_safetensors *file)
{
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    for (size_t i = 0; i < count; i++) {
        if (!torch_ends_with(list[i].name, ".num_batches_tracked")) continue;
        int64_t batches;
        memcpy(&batches, list[i].data, sizeof batches);
        assert_int_equal(p->batches_tracked, batches);
    }
}

void torch_run_compare_network(const torch_run *r, const vkp_params *p, const char *network, const char *file,
                               torch_finals *f)
{
    char name_of[64];
    snprintf(name_of, sizeof name_of, "final_%s.safetensors", file);
    vkp_safetensors *after = dense_open(torch_run_path(r, name_of));
    snprintf(name_of, sizeof name_of, "%s.safetensors", network);
    vkp_safetensors *before = dense_open(torch_run_path(r, name_of));
    const double reach = torch_run_number(r->expected, "steps") * torch_run_number(r->expected, "lr");
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
            torch_tally_add(&f->means, off, name, 2);
        } else if (torch_ends_with(name, ".running_var")) {
            torch_tally_add(&f->variances, dense_compare(got, want, count, 0).mean, name, 1e-5);
        } else if (!torch_run_cancelled(r, network, name)) {
            for (uint64_t k = 0; k < count; k++) got[k] -= first[k], want[k] -= first[k];
            torch_tally_add(&f->updates, dense_compare(got, want, count, 0).mean, name, 0.1);
        }
        free(got);
        free(want);
        free(first);
    }
    compare_tracked(p, after);
    vkp_safetensors_free(before);
    vkp_safetensors_free(after);
}

void torch_run_report_finals(const torch_run *r, const torch_finals *f)
{
    torch_tally_report(&f->means, r->label, "running means, in units of steps * lr");
    torch_tally_report(&f->variances, r->label, "running variances");
    torch_tally_report(&f->updates, r->label, "updates of parameters");
}

void torch_run_compare_evaluation(torch_run *r, const vkp_params *generator)
{
    vkp_evaluation *e;
    vkp_safetensors *file = dense_open(torch_run_path(r, "expected.safetensors"));
    const uint32_t n = r->config.batch, size = r->config.size;
    const uint64_t plane = (uint64_t)size * size;
    float *crcb = malloc(2 * n * plane * sizeof *crcb), *rgb = malloc(3 * n * plane * sizeof *rgb);
    assert_true(crcb && rgb);
    assert_ok(vkp_evaluation_create(test_device, &r->config, generator, n, size, size, &r->pictures.buffer,
                                    &r->arena, &e));
    load_pictures(r, 0);
    assert_ok(vkp_evaluation_run(e, r->valid, NULL, r->psnr, crcb, rgb));
    float *want_crcb = dense_from_file(file, "eval.fake", 2 * n * plane);
    float *want_rgb = dense_from_file(file, "eval.fake_rgb", 3 * n * plane),
          *want_psnr = dense_from_file(file, "eval.psnr", n);
    const double off_crcb = dense_compare(crcb, want_crcb, 2 * n * plane, 0).mean;
    const double off_rgb = dense_compare(rgb, want_rgb, 3 * n * plane, 0).mean;
    double off_psnr = 0;
    for (uint32_t i = 0; i < n; i++) off_psnr = fmax(off_psnr, fabs(r->psnr[i] - (double)want_psnr[i]));
    print_message("%s: evaluation off by %.1e dB, CrCb %.1e, RGB %.1e\n", r->label, off_psnr, off_crcb,
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
