/* The colorizer against the same steps taken one by one: fitting on the CPU, the generator as validation runs
 * it, and joining on the CPU. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "device_fixture.h"
#include "image/joiner.h"
#include "image/scores.h"
#include "image/crop.h"
#include "nn/colorizer.h"
#include "nn/step.h"
#include "nn/weights.h"
#include "scratch.h"
#include "small_model.h"

enum { SIZE = 32 };

static int enter(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    small_model_write("model.safetensors");
    return 0;
}

static int leave(void **state)
{
    const int device = close_test_device(state);
    return scratch_leave(state) || device ? -1 : 0;
}

/* Soft blobs of colour with some noise; alpha too, so that it can be seen to survive. */
static vkp_picture make_picture(int w, int h, uint32_t seed)
{
    vkp_picture p;
    assert_ok(vkp_picture_make(w, h, &p));
    p.alpha = true;
    for (int i = 0; i < w * h * 4; i++) {
        const double x = i / 4 % w, y = i / 4 / w, wave = sin(x / 7 + i % 4) * cos(y / 9 + seed + i % 4);
        p.rgba[i] = (uint8_t)(128 + 90 * wave + 20 * vkp_random_float(seed, 1, (uint64_t)i));
    }
    return p;
}

/* Validation of one picture in a rectangle of w x h. */
typedef struct validation {
    vkp_params generator;
    vkp_config config;
    vkp_buffer batch;
    vkp_arena arena;
    vkp_evaluation *evaluation;
    vkp_fit way;
    int w, h;
} validation;

/* For pictures of w x h; only aspect cares. */
static void validation_open(validation *v, vkp_fit way, int w, int h)
{
    *v = (validation){.way = way};
    vkp_fit_output(way, SIZE, w, h, &v->w, &v->h);
    small_model_make(&v->generator);
    assert_ok(vkp_config_preset(&v->config, NULL));
    assert_ok(
        vkp_buffer_create(test_device, (uint64_t)(3 * v->w * v->h) * 4, VKP_MEMORY_HOST, "batch", &v->batch));
    assert_ok(vkp_evaluation_create(test_device, &v->config, &v->generator, 1, (uint32_t)v->h, (uint32_t)v->w,
                                    &v->batch, &v->arena, &v->evaluation));
}

static void validation_close(validation *v)
{
    vkp_evaluation_destroy(v->evaluation);
    vkp_arena_destroy(test_device, &v->arena);
    vkp_params_free(&v->generator);
    vkp_buffer_destroy(test_device, &v->batch);
}

/* RGB and CrCb planes of what it makes of a picture. */
static void validate(validation *v, const vkp_picture *picture, bool flip, float *rgb, float *crcb)
{
    vkp_fit_plan plan;
    vkp_picture reduced = {0};
    if (v->way == VKP_FIT_ASPECT) assert_ok(vkp_crop_reduce(picture, 1.25 * SIZE, &reduced));
    if (reduced.rgba) picture = &reduced;
    assert_ok(vkp_fit_make(v->way, SIZE, picture->width, picture->height, flip, &plan));
    vkp_fit_apply(&plan, picture->rgba,
                  v->batch.mapped); /* widths are multiples of 16: rows have no padding */
    vkp_fit_free(&plan);
    vkp_picture_free(&reduced);
    assert_ok(vkp_evaluation_run(v->evaluation, &(vkp_rect){0, 0, v->w, v->h}, NULL, NULL, crcb, rgb));
}

static void assert_level(double value, uint8_t got, int limit)
{
    const double level = fmin(fmax(value, 0), 1) * 255;
    if (fabs(level - got) > limit + 0.51) fail_msg("%d instead of %.2f", got, level);
}

static void check_small(vkp_colorizer *c, const vkp_picture *picture, vkp_fit way, const float *rgb, int w,
                        int h)
{
    vkp_picture colored, seen;
    assert_ok(vkp_colorizer_join_small(c, picture, 1, &colored, &seen));
    const vkp_rect r = vkp_fit_aspect_crop(way, SIZE, picture->width, picture->height);
    const bool turned = way == VKP_FIT_ROTATE && picture->height > picture->width;
    assert_int_equal(turned ? colored.height : colored.width, r.x1 - r.x0);
    assert_int_equal(turned ? colored.width : colored.height, r.y1 - r.y0);
    for (int y = r.y0; y < r.y1; y++)
        for (int x = r.x0; x < r.x1; x++) {
            /* Turned clockwise, the picture's left column became the top row. */
            const int px = turned ? y - r.y0 : x - r.x0, py = turned ? r.x1 - 1 - x : y - r.y0;
            for (int k = 0; k < 3; k++)
                assert_level(rgb[(k * h + y) * w + x], colored.rgba[(py * colored.width + px) * 4 + k], 0);
        }
    vkp_picture_free(&colored);
    vkp_picture_free(&seen);
}

/* The joiner itself has tests of its own. */
static void check_full(vkp_colorizer *c, const vkp_picture *picture, vkp_fit way, const float *crcb,
                       float saturation)
{
    vkp_fit_plan plan;
    vkp_picture colored, want;
    vkp_joiner *joiner;
    assert_ok(vkp_colorizer_join(c, picture, saturation, &colored));
    assert_ok(vkp_unfit_make(way, SIZE, picture->width, picture->height, false, &plan));
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    assert_ok(vkp_joiner_run(joiner, picture, crcb, &plan, saturation, &want));
    assert_int_equal(colored.width, want.width);
    assert_int_equal(colored.height, want.height);
    for (int i = 0; i < 4 * want.width * want.height; i++)
        assert_in_range(colored.rgba[i] + 1 - want.rgba[i], 0, 2);
    vkp_joiner_destroy(joiner);
    vkp_fit_free(&plan);
    vkp_picture_free(&colored);
    vkp_picture_free(&want);
}

static void same_as_validation(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {53, 31}, {31, 53}, {97, 12}, {32, 32}, {3, 200}};
    for (int way = 0; way < VKP_FIT_COUNT; way++) {
        const vkp_fit fit = (vkp_fit)way;
        const vkp_colorizer_options options = {.model = "model.safetensors", .size = SIZE, .fit = &fit};
        vkp_colorizer *c;
        validation v;
        assert_ok(vkp_colorizer_create(test_device, &options, &c));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            validation_open(&v, fit, sizes[i][0], sizes[i][1]);
            vkp_picture picture = make_picture(sizes[i][0], sizes[i][1], (uint32_t)i);
            float rgb[3 * SIZE * SIZE], crcb[2 * SIZE * SIZE];
            validate(&v, &picture, false, rgb, crcb);
            assert_ok(vkp_colorizer_predict(c, &picture));
            check_small(c, &picture, fit, rgb, v.w, v.h);
            check_full(c, &picture, fit, crcb, 1);
            check_full(c, &picture, fit, crcb, 0.5f);
            check_full(c, &picture, fit, crcb, 0);
            vkp_picture_free(&picture);
            validation_close(&v);
        }
        vkp_colorizer_destroy(c);
    }
}

/* Where nobody asked for a size, a picture is not enlarged for the network; and it is seen smaller where
 * memory is short. */
static void size_adapts(void **state)
{
    (void)state;
    static const int cases[][3] = {{90, 60, 96}, {40, 65, 96}, {5, 7, 64}, {700, 500, VKP_COLORIZER_SIZE}};
    const vkp_fit fit = VKP_FIT_ASPECT;
    const vkp_colorizer_options options = {.model = "model.safetensors", .fit = &fit};
    vkp_colorizer *c;
    assert_ok(vkp_colorizer_create(test_device, &options, &c));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vkp_picture picture = make_picture(cases[i][0], cases[i][1], 3), colored, seen;
        assert_ok(vkp_colorizer_predict(c, &picture));
        assert_ok(vkp_colorizer_join_small(c, &picture, 1, &colored, &seen));
        assert_int_equal(colored.width > colored.height ? colored.width : colored.height, cases[i][2]);
        vkp_picture_free(&colored);
        vkp_picture_free(&seen);
        vkp_picture_free(&picture);
    }
    vkp_colorizer_destroy(c);

    const uint64_t budget = test_device->info.limits.memory_budget;
    vkp_picture picture = make_picture(700, 500, 3), colored, seen;
    assert_ok(vkp_colorizer_create(test_device, &options, &c));
    test_device->info.limits.memory_budget = test_device->allocated + ((uint64_t)12 << 20);
    assert_ok(vkp_colorizer_predict(c, &picture));
    assert_ok(vkp_colorizer_join_small(c, &picture, 1, &colored, &seen));
    assert_in_range(colored.width, 64, VKP_COLORIZER_SIZE - 32);
    test_device->info.limits.memory_budget = budget;
    vkp_picture_free(&colored);
    vkp_picture_free(&seen);
    vkp_picture_free(&picture);
    vkp_colorizer_destroy(c);
}

static void flip_average(void **state)
{
    (void)state;
    const vkp_colorizer_options options = {.model = "model.safetensors", .size = SIZE, .flip_average = true};
    vkp_colorizer *c;
    assert_ok(vkp_colorizer_create(test_device, &options, &c));
    vkp_picture picture = make_picture(40, 33, 5);
    float rgb[3 * SIZE * SIZE], own[2 * SIZE * SIZE], mirrored[2 * SIZE * SIZE];
    validation v;
    validation_open(&v, VKP_FIT_WRAP, 1, 1);
    validate(&v, &picture, false, rgb, own);
    validate(&v, &picture, true, rgb, mirrored);
    validation_close(&v);
    double apart = 0;
    for (int i = 0; i < 2 * SIZE * SIZE; i++) {
        const float back = mirrored[i - i % SIZE + SIZE - 1 - i % SIZE];
        apart = fmax(apart, fabsf(own[i] - back));
        own[i] = (own[i] + back) / 2;
    }
    assert_true(apart > 0.05); /* else the mean would prove nothing */
    assert_ok(vkp_colorizer_predict(c, &picture));
    check_full(c, &picture, VKP_FIT_WRAP, own, 1);
    vkp_picture_free(&picture);
    vkp_colorizer_destroy(c);
}

static void diverged_weights(void **state)
{
    (void)state;
    vkp_params generator;
    small_model_make(&generator);
    assert_ok(vkp_buffer_write(test_device, &generator.values, 0, &(float){NAN}, 4));
    assert_ok(vkp_params_save(&generator, "nan.safetensors"));
    vkp_params_free(&generator);
    vkp_colorizer *c;
    assert_ok(vkp_colorizer_create(test_device,
                                   &(vkp_colorizer_options){.model = "nan.safetensors", .size = SIZE}, &c));
    vkp_picture picture = make_picture(20, 20, 1);
    assert_int_equal(vkp_colorizer_predict(c, &picture), VKP_NOT_FINITE);
    assert_non_null(strstr(vkp_error(), "nan.safetensors"));
    vkp_picture_free(&picture);
    vkp_colorizer_destroy(c);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        vkp_colorizer_options options;
        vkp_status status;
    } wrong[] = {
        {{.model = ""}, VKP_USAGE},
        {{.model = "nothing"}, VKP_INPUT},
        {{.model = "model.safetensors", .size = 40}, VKP_USAGE},
        {{.model = "model.safetensors", .size = 4112}, VKP_USAGE},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vkp_colorizer *c;
        assert_int_equal(vkp_colorizer_create(test_device, &wrong[i].options, &c), wrong[i].status);
        assert_null(c);
    }
    const uint64_t budget = test_device->info.limits.memory_budget;
    test_device->info.limits.memory_budget = 8 << 20;
    vkp_colorizer *c;
    const vkp_colorizer_options large = {.model = "model.safetensors", .size = 320};
    assert_int_equal(vkp_colorizer_create(test_device, &large, &c), VKP_DEVICE_MEMORY);
    assert_non_null(strstr(vkp_error(), "--size"));
    test_device->info.limits.memory_budget = budget;
    const vkp_limits limits = test_device->info.limits;
    test_device->info.limits.storage_range = 1 << 20;
    assert_int_equal(vkp_colorizer_create(test_device, &large, &c), VKP_DEVICE_MEMORY);
    assert_non_null(strstr(vkp_error(), "--size"));
    test_device->info.limits = limits;
}

static void check_found(const char *model, const char *path, uint32_t size)
{
    vkp_weights w;
    assert_ok(vkp_weights_find(model, &w));
    assert_string_equal(w.name, path);
    assert_int_equal(w.configured ? w.config.size : 0, size);
    vkp_weights_free(&w);
}

static void finds_weights(void **state)
{
    (void)state;
    vkp_config config;
    vkp_weights w;
    assert_ok(vkp_config_preset(&config, NULL));
    config.size = 48;
    assert_ok(vkp_folder_make("run/checkpoints/last"));
    assert_ok(vkp_folder_make("run/checkpoints/best"));
    assert_int_equal(vkp_weights_find("run", &w), VKP_INPUT);
    small_model_write("run/checkpoints/last/generator.safetensors");
    check_found("run", "run/checkpoints/last/generator.safetensors", 0);
    assert_ok(vkp_config_save(&config, "run/config.yml"));
    check_found("run", "run/checkpoints/last/generator.safetensors", 48);
    small_model_write("run/checkpoints/best/generator.safetensors");
    check_found("run", "run/checkpoints/best/generator.safetensors", 48);
    check_found("run/", "run/checkpoints/best/generator.safetensors", 48);
    check_found("run/checkpoints/last", "run/checkpoints/last/generator.safetensors", 48);
    check_found("run/checkpoints/last/generator.safetensors", "run/checkpoints/last/generator.safetensors",
                48);
    check_found("model.safetensors", "model.safetensors", 0);
    assert_int_equal(chdir("run"), 0);
    check_found(".", "./checkpoints/best/generator.safetensors", 48);
    check_found("checkpoints/last", "checkpoints/last/generator.safetensors", 48);
    assert_int_equal(chdir(".."), 0);
    assert_ok(vkp_file_write("run/config.yml", "size: 7\n", 8));
    assert_int_equal(vkp_weights_find("run", &w), VKP_USAGE);
    assert_ok(vkp_file_write("run/checkpoints/best/generator.safetensors", "x", 1));
    assert_int_equal(vkp_weights_find("run", &w), VKP_FORMAT);
}

static void scores(void **state)
{
    (void)state;
    vkp_picture a = make_picture(30, 20, 1), b = make_picture(30, 21, 2);
    vkp_scores s[2];
    assert_ok(vkp_scores_compute(&a, &a, &s[0]));
    assert_true(s[0].values[VKP_SCORE_psnr] == 100 && s[0].values[VKP_SCORE_psnr_crcb] == 100);
    assert_true(s[0].values[VKP_SCORE_emd_crcb] == 0 && s[0].values[VKP_SCORE_abs_delta_cf] == 0);
    assert_true(s[0].values[VKP_SCORE_l1] == 0 && s[0].values[VKP_SCORE_l1_crcb] == 0);
    assert_float_equal(s[0].values[VKP_SCORE_ssim], 1, 1e-9);
    assert_true(s[0].values[VKP_SCORE_colorfulness] == s[0].values[VKP_SCORE_original_colorfulness]);
    assert_int_equal(vkp_scores_compute(&a, &b, &s[1]), VKP_SHAPE);
    s[1] = (vkp_scores){{20, 10}};
    const vkp_scores mean = vkp_scores_mean(s, 2, sizeof *s);
    assert_float_equal(mean.values[0], 60, 1e-12);
    assert_float_equal(mean.values[1], 55, 1e-12);
    vkp_picture_free(&a);
    vkp_picture_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_validation), cmocka_unit_test(size_adapts), cmocka_unit_test(flip_average),
        cmocka_unit_test(diverged_weights),   cmocka_unit_test(refused),
        cmocka_unit_test(finds_weights),      cmocka_unit_test(scores),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
