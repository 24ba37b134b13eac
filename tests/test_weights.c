/* Weights from PyTorch and to it: `test_weights FOLDER OUT`. FOLDER is what tests/reference/make_steps.py
 * wrote for train01: its trained generator must colour a picture here as it did there. To OUT go weights of
 * vkpix's own, trained for a step, with a picture and what they make of it, for
 * tests/reference/check_weights.py to load. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch.h"
#include "dense.h"
#include "device_fixture.h"
#include "image/picture.h"
#include "nn/step.h"

static const char *from, *to;

static const char *join(const char *folder, const char *file)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

/* The pictures in colour by G in evaluation mode: malloc'd planes (n,3,h,w), not clamped. */
static float *colour(const vkp_config *config, const vkp_params *generator, const batch *pictures)
{
    const vkp_shape s = pictures->layout.shape;
    vkp_evaluation *e;
    vkp_arena arena = {0};
    vkp_rect *valid = calloc(s.n, sizeof *valid);
    float *rgb = malloc(vkp_shape_count(s) * sizeof *rgb);
    assert_true(valid && rgb);
    for (uint32_t i = 0; i < s.n; i++) valid[i] = (vkp_rect){0, 0, (int)s.w, (int)s.h};
    assert_ok(
        vkp_evaluation_create(test_device, config, generator, s.n, s.h, s.w, &pictures->buffer, &arena, &e));
    assert_ok(vkp_evaluation_run(e, valid, NULL, NULL, NULL, rgb));
    vkp_evaluation_destroy(e);
    vkp_arena_destroy(test_device, &arena);
    free(valid);
    return rgb;
}

static int level(float value) { return (int)floorf(fminf(fmaxf(value, 0), 1) * 255 + 0.5f); }

static void pytorchs_weights_colour_alike(void **state)
{
    (void)state;
    vkp_config config;
    vkp_model model;
    vkp_safetensors *expected = dense_open(join(from, "expected.safetensors"));
    const vkp_safetensor *first = vkp_safetensors_find(expected, "eval.fake_rgb");
    assert_non_null(first);
    const size_t *shape = first->shape;
    assert_ok(vkp_config_preset(&config, "train01"));
    assert_ok(vkp_model_create(test_device, &config, 1, &model));
    assert_ok(vkp_params_load(&model.generator, join(from, "final_generator.safetensors")));
    assert_ok(vkp_params_load(&model.discriminator, join(from, "final_discriminator.safetensors")));
    assert_int_equal(model.generator.batches_tracked, 10);
    assert_int_equal(model.discriminator.batches_tracked, 30);
    batch pictures = batch_make((uint32_t)shape[0], 3, (uint32_t)shape[2], (uint32_t)shape[3]);
    for (uint32_t i = 0; i < shape[0]; i++) {
        char file[32];
        snprintf(file, sizeof file, "pictures/%03u.png", i);
        batch_load(&pictures, i, join(from, file));
    }
    const uint64_t count = vkp_shape_count(pictures.layout.shape);
    float *got = colour(&config, &model.generator, &pictures);
    float *want = dense_from_file(expected, "eval.fake_rgb", count);
    for (uint64_t i = 0; i < count; i++) assert_in_range(level(got[i]) - level(want[i]) + 1, 0, 2);
    const dense_error error = dense_compare(got, want, count, 0);
    print_message("PyTorch's generator: RGB off by %.1e, a sample by %.1e\n", error.mean, error.worst);
    assert_true(error.mean <= 2e-6 && error.worst <= 2e-5);
    free(got);
    free(want);
    batch_free(&pictures);
    vkp_model_free(&model);
    vkp_safetensors_free(expected);
}

/* Bands and a disc, 80 x 48: no square. */
static void paint(vkp_picture *p)
{
    assert_ok(vkp_picture_make(80, 48, p));
    p->alpha = false;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            uint8_t *pixel = p->rgba + 4 * (y * p->width + x);
            const bool disc = (x - 30) * (x - 30) + (y - 20) * (y - 20) < 200;
            pixel[0] = (uint8_t)(disc ? 230 - y : 3 * x);
            pixel[1] = (uint8_t)(disc ? 60 + x : 40 + 4 * y);
            pixel[2] = (uint8_t)(disc ? 50 : 200 - 2 * x);
        }
}

static void write_coloured(const char *path, const float *rgb, int width, int height)
{
    vkp_picture p;
    assert_ok(vkp_picture_make(width, height, &p));
    p.alpha = false;
    const size_t plane = (size_t)width * (size_t)height;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++) p.rgba[4 * i + c] = (uint8_t)level(rgb[c * plane + i]);
    assert_ok(vkp_picture_write(path, &p, 100));
    vkp_picture_free(&p);
}

/* One training step, so that nothing is as it began: weights, running statistics, counters. */
static void train_a_step(const vkp_config *config, vkp_model *model, const batch *pictures)
{
    const vkp_shape s = pictures->layout.shape;
    vkp_step *step;
    vkp_arena arena = {0};
    vkp_losses losses;
    double psnr[2];
    const vkp_rect valid[2] = {{0, 0, (int)s.w, (int)s.h}, {0, 0, (int)s.w, (int)s.h}};
    const vkp_step_inputs inputs = {.valid = valid, .lr = 1e-3, .first_of_d = true, .update_d = true};
    assert_int_equal(s.n, 2);
    assert_ok(
        vkp_step_create(test_device, config, model,
        &(vkp_step_options){.batch = s.n, .h = s.h, .w = s.w, .rgb = &pictures->buffer, .adversarial = true},
        &arena, &step));
    assert_ok(vkp_step_submit(step, &inputs));
    assert_ok(vkp_step_finish(step, &losses, psnr));
    vkp_step_destroy(step);
    vkp_arena_destroy(test_device, &arena);
}

static void write_own(const char *preset, const char *picture)
{
    char file[64];
    vkp_config config;
    vkp_model model;
    assert_ok(vkp_config_preset(&config, preset));
    config.flip = config.blur = 0;
    assert_ok(vkp_model_create(test_device, &config, 7, &model));
    batch two = batch_make(2, 3, 48, 80), one = batch_make(1, 3, 48, 80);
    for (uint32_t i = 0; i < 2; i++) batch_load(&two, i, picture);
    batch_load(&one, 0, picture);
    train_a_step(&config, &model, &two);
    snprintf(file, sizeof file, "%s_generator.safetensors", preset);
    assert_ok(vkp_params_save(&model.generator, join(to, file)));
    snprintf(file, sizeof file, "%s_discriminator.safetensors", preset);
    assert_ok(vkp_params_save(&model.discriminator, join(to, file)));
    float *rgb = colour(&config, &model.generator, &one);
    snprintf(file, sizeof file, "%s.png", preset);
    write_coloured(join(to, file), rgb, 80, 48);
    free(rgb);
    batch_free(&one);
    batch_free(&two);
    vkp_model_free(&model);
}

/* Batch normalization in D, and instance normalization, which has no tensors. */
static void own_weights_for_pytorch(void **state)
{
    (void)state;
    vkp_picture p;
    char picture[4200];
    mkdir(to, 0777);
    paint(&p);
    snprintf(picture, sizeof picture, "%s", join(to, "picture.png"));
    assert_ok(vkp_picture_write(picture, &p, 100));
    vkp_picture_free(&p);
    write_own("train01", picture);
    write_own("train02", picture);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s FOLDER OUT\n", argv[0]);
        return 2;
    }
    from = argv[1];
    to = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pytorchs_weights_colour_alike),
        cmocka_unit_test(own_weights_for_pytorch),
    };
    return cmocka_run_group_tests_name("weights and PyTorch", tests, open_test_device, close_test_device);
}
