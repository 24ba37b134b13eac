/* A model as one file: rounding to 16 bits against the definition of binary16, settings in the metadata, and
 * vkpix export from end to end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/version.h"
#include "blob.h"
#include "device_fixture.h"
#include "nn/model_file.h"
#include "nn/weights.h"
#include "program.h"
#include "scratch.h"
#include "small_model.h"
#include "small_picture.h"

static vkp_config settings;

static int enter(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    assert_ok(vkp_config_preset(&settings, "train03"));
    settings.size = 48;
    settings.lr = 0.1 + 0.2;
    settings.fit = VKP_CONFIG_FIT_BLACK;
    assert_ok(vkp_folder_make("run/checkpoints/best"));
    assert_ok(vkp_config_save(&settings, "run/config.yml"));
    small_model_write("run/checkpoints/best/generator.safetensors");
    small_model_write("model.safetensors");
    small_picture_write("picture.png", 70, 45, 3);
    return close_test_device(state);
}

/* What binary16's bits mean, by definition; infinity's are taken as the power of two that would follow. */
static double meaning(unsigned half)
{
    const int exponent = (int)(half >> 10 & 31), mantissa = (int)(half & 1023);
    const double size = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return half & 0x8000 ? -size : size;
}

static vkp_status copy(const char *path, const vkp_safetensors *file, const char *name, bool half)
{
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    return vkp_model_file_write(path, list, count, name, NULL, half);
}

/* Writes one tensor of these values and copies it as 16 bits. */
static vkp_status halve(const float *values, size_t count, vkp_safetensors **halved)
{
    vkp_safetensors *file;
    const vkp_safetensor tensor = {.name = "values", .dtype = VKP_SAFETENSORS_F32, .rank = 1,
                                   .shape = {count}, .data = values};
    assert_ok(vkp_safetensors_write("wide", &tensor, 1, NULL, 0));
    assert_ok(vkp_safetensors_read("wide", &file));
    const vkp_status status = copy("halved", file, "wide", true);
    vkp_safetensors_free(file);
    if (status == VKP_OK) assert_ok(vkp_safetensors_read("halved", halved));
    return status;
}

static void check_halved(const float *values, const double *wanted, size_t count)
{
    vkp_safetensors *file;
    float *got = malloc(count * sizeof *got);
    assert_non_null(got);
    assert_ok(halve(values, count, &file));
    assert_int_equal(vkp_safetensors_find(file, "values")->dtype, VKP_SAFETENSORS_F16);
    assert_ok(vkp_safetensors_copy_f32(file, "values", 1, &count, got));
    for (size_t i = 0; i < count; i++)
        if ((double)got[i] != wanted[i] || !signbit(got[i]) != !signbit(values[i]))
            fail_msg("%a became %a, not %a", (double)values[i], (double)got[i], wanted[i]);
    free(got);
    vkp_safetensors_free(file);
}

/* Every finite value stays; between each and the next, the middle goes to the even one, the rest to the
 * nearer. */
static void rounds_to_the_nearest(void **state)
{
    (void)state;
    enum { FINITE = 31 << 10, KINDS = 4 };
    float *values = malloc(2 * FINITE * KINDS * sizeof *values);
    double *wanted = malloc(2 * FINITE * KINDS * sizeof *wanted);
    assert_true(values && wanted);
    size_t count = 0;
    for (unsigned sign = 0; sign < 2; sign++)
        for (unsigned h = 0; h < FINITE; h++) {
            const double low = meaning(h | sign << 15), high = meaning((h + 1) | sign << 15);
            const float middle = (float)((low + high) / 2);
            const bool last = h + 1 == FINITE;
            assert_true((double)middle == (low + high) / 2);
            values[count] = (float)low, wanted[count++] = low;
            values[count] = nextafterf(middle, 0), wanted[count++] = low;
            if (last) continue; /* from here on there is nothing near */
            values[count] = middle, wanted[count++] = h % 2 ? high : low;
            values[count] = nextafterf(middle, 2 * middle), wanted[count++] = high;
        }
    check_halved(values, wanted, count);
    const float tiny[] = {0x1p-149f, -0x1p-126f, 0.f, -0.f};
    check_halved(tiny, (double[]){0, -0., 0, -0.}, 4);
    free(values);
    free(wanted);
}

static void what_has_no_half(void **state)
{
    (void)state;
    const float wrong[] = {65520, -65520, 1e30f, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vkp_safetensors *file;
        remove("halved");
        assert_int_equal(halve((float[]){1, wrong[i]}, 2, &file), VKP_INPUT);
        assert_non_null(strstr(vkp_error(), "values"));
        assert_false(vkp_file_exists("halved"));
    }
}

/* Counters and what is 16 bits already stay as they are; others are refused. */
static void other_types(void **state)
{
    (void)state;
    const int64_t counter = 1234567890123;
    const uint16_t halves[] = {0x3c01, 0x8001, 0x7bff};
    const float wide[] = {1.5f, -2};
    vkp_safetensor list[] = {
        {.name = "halves", .dtype = VKP_SAFETENSORS_F16, .rank = 1, .shape = {3}, .data = halves},
        {.name = "wide", .dtype = VKP_SAFETENSORS_F32, .rank = 2, .shape = {1, 2}, .data = wide},
        {.name = "counter", .dtype = VKP_SAFETENSORS_I64, .data = &counter},
    };
    vkp_safetensors *file, *again;
    assert_ok(vkp_safetensors_write("mixed", list, 3, NULL, 0));
    assert_ok(vkp_safetensors_read("mixed", &file));
    for (int half = 0; half < 2; half++) {
        int64_t found;
        float values[3];
        assert_ok(copy("copied", file, "mixed", half));
        assert_ok(vkp_safetensors_read("copied", &again));
        assert_ok(vkp_safetensors_copy_i64(again, "counter", 0, NULL, &found));
        assert_true(found == counter);
        const vkp_safetensor *copied = vkp_safetensors_find(again, "halves");
        assert_memory_equal(copied->data, halves, sizeof halves);
        assert_ok(vkp_safetensors_copy_f32(again, "wide", 2, (size_t[]){1, 2}, values));
        assert_true(values[0] == 1.5f && values[1] == -2);
        assert_int_equal(vkp_safetensors_find(again, "wide")->dtype,
                         half ? VKP_SAFETENSORS_F16 : VKP_SAFETENSORS_F32);
        assert_null(vkp_safetensors_metadata(again, "vkpix.config"));
        vkp_safetensors_free(again);
    }
    vkp_safetensors_free(file);
    assert_ok(vkp_safetensors_read(VKP_TEST_SOURCE_DIR "/data/python.safetensors", &file)); /* has bytes */
    assert_int_equal(copy("no", file, "python.safetensors", false), VKP_FORMAT);
    assert_non_null(strstr(vkp_error(), "tensor bytes"));
    assert_false(vkp_file_exists("no"));
    vkp_safetensors_free(file);
}

/* A file without tensors, with this text for its settings. */
static vkp_status read_settings(const char *text, vkp_config *config, bool *configured)
{
    vkp_safetensors *file;
    const vkp_safetensors_pair pairs[] = {{"vkpix.config", text}, {"vkpix.version", "9.8"}, {"else", "?"}};
    assert_ok(vkp_safetensors_write("settings", NULL, 0, pairs, 3));
    assert_ok(vkp_safetensors_read("settings", &file));
    const vkp_status status = vkp_model_file_config(file, "settings", config, configured);
    vkp_safetensors_free(file);
    return status;
}

static void settings_in_metadata(void **state)
{
    (void)state;
    char names[256], longest[600];
    bool configured;
    vkp_config config = settings, plain;
    assert_ok(vkp_config_preset(&plain, NULL));
    assert_ok(read_settings("", &config, &configured));
    assert_true(configured && vkp_config_diff(&config, &plain, names, sizeof names) == 0);
    assert_ok(read_settings("size=64\nfit=crop", &config, &configured));
    assert_true(config.size == 64 && config.fit == VKP_CONFIG_FIT_CROP);
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    memcpy(longest, "seed=", 5);
    const char *const wrong[] = {"size", "size=9000", "shape=4", "size=64\n\n", "=", "size=\n", longest};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_settings(wrong[i], &config, &configured), VKP_FORMAT);
        assert_non_null(strstr(vkp_error(), "9.8"));
        assert_true(!configured && config.size == 64);
    }
}

static int largest_difference(const char *a, const char *b)
{
    vkp_picture p = small_picture_read(a), q = small_picture_read(b);
    int largest = 0;
    assert_true(p.width == q.width && p.height == q.height);
    for (int i = 0; i < 4 * p.width * p.height; i++)
        if (abs(p.rgba[i] - q.rgba[i]) > largest) largest = abs(p.rgba[i] - q.rgba[i]);
    vkp_picture_free(&p);
    vkp_picture_free(&q);
    return largest;
}

/* What is exported colours as the run does, with the run's settings, wherever it lies. */
static void exported_run(void **state)
{
    (void)state;
    char names[256];
    vkp_weights w;
    assert_ok(vkp_folder_make("elsewhere"));
    program_expect(program_run("", "export run --half --out elsewhere/half.safetensors"), 0, "");
    program_expect(program_run("", "export run --out elsewhere/whole.safetensors"), 0, "");
    program_expect(program_run("", "export elsewhere/whole.safetensors --half --out again.safetensors"), 0,
                   "");
    const blob half = blob_read("elsewhere/half.safetensors"), again = blob_read("again.safetensors");
    assert_true(half.size == again.size && half.size < 1800000);
    assert_memory_equal(half.bytes, again.bytes, half.size);
    free(half.bytes);
    free(again.bytes);
    assert_ok(vkp_weights_find("elsewhere/half.safetensors", &w));
    assert_true(w.configured && vkp_config_diff(&w.config, &settings, names, sizeof names) == 0);
    assert_string_equal(vkp_safetensors_metadata(w.file, "vkpix.version"), vkp_version());
    vkp_weights_free(&w);
    program_expect(program_run("", "colorize picture.png --out run.png --model run"), 0, "");
    program_expect(program_run("", "colorize picture.png --out half.png --model elsewhere/half.safetensors"),
                   0, "");
    assert_non_null(strstr(program_errors(), "(size 48, fit black)"));
    program_expect(program_run("", "colorize picture.png --out all.png --model elsewhere/whole.safetensors"),
                   0, "");
    assert_int_equal(largest_difference("run.png", "all.png"), 0);
    assert_in_range(largest_difference("run.png", "half.png"), 0, 1);
    assert_true(largest_difference("run.png", "picture.png") > 10);
}

/* A file of two weights, a half and a counter. */
static void write_small(const char *path, float a, float b, uint16_t half, int64_t counter, size_t columns)
{
    const float wide[] = {a, b};
    const vkp_safetensor list[] = {
        {.name = "wide", .dtype = VKP_SAFETENSORS_F32, .rank = 2, .shape = {2 / columns, columns}, .data = wide},
        {.name = "half", .dtype = VKP_SAFETENSORS_F16, .rank = 1, .shape = {1}, .data = &half},
        {.name = "counter", .dtype = VKP_SAFETENSORS_I64, .data = &counter},
    };
    assert_ok(vkp_safetensors_write(path, list, 3, NULL, 0));
}

static void mean_of_models(void **state)
{
    (void)state;
    float wide[2], half;
    int64_t counter;
    vkp_safetensors *file;
    write_small("a.safetensors", 1.5f, -2, 0x3c00, 7, 2); /* 1 */
    write_small("b.safetensors", 2.5f, 4, 0x4400, 8, 2);  /* 4 */
    write_small("c.safetensors", -1, 4, 0x4400, 9, 2);
    program_expect(program_run("", "export a.safetensors b.safetensors c.safetensors --out mean.safetensors"), 0, "");
    assert_ok(vkp_safetensors_read("mean.safetensors", &file));
    assert_ok(vkp_safetensors_copy_f32(file, "wide", 2, (size_t[]){1, 2}, wide));
    assert_ok(vkp_safetensors_copy_f32(file, "half", 1, (size_t[]){1}, &half));
    assert_ok(vkp_safetensors_copy_i64(file, "counter", 0, NULL, &counter));
    vkp_safetensors_free(file);
    assert_true(wide[0] == 1 && wide[1] == 2 && half == 3 && counter == 7);
    write_small("tall.safetensors", 1, 1, 0x3c00, 1, 1);
    program_expect(program_run("", "export a.safetensors tall.safetensors --out no.safetensors"), 1, "wide");
    program_expect(program_run("", "export a.safetensors run --out no.safetensors"), 1, "wide");
    program_expect(program_run("", "export a.safetensors b.safetensors --out no.onnx"), 2, "mean");
    assert_false(vkp_file_exists("no.safetensors") || vkp_file_exists("no.onnx"));
}

static void export_refuses(void **state)
{
    (void)state;
    program_expect(program_run("", "export model.safetensors --out bare.safetensors"), 0, "");
    assert_non_null(strstr(program_errors(), "no settings are known"));
    program_expect(program_run("", "export run"), 2, "--out");
    program_expect(program_run("", "export nothing --out x.safetensors"), 1, "nothing");
    program_expect(program_run("", "export picture.png --out x.safetensors"), 1, "picture.png");
    program_expect(program_run("", "export wide --half --out missing/x.safetensors"), 1, "65504");
    program_expect(program_run("", "export run --out missing/x.safetensors"), 1, "missing");
    assert_false(vkp_file_exists("x.safetensors") || vkp_folder_exists("missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_to_the_nearest), cmocka_unit_test(other_types),
        cmocka_unit_test(settings_in_metadata),  cmocka_unit_test(exported_run),
        cmocka_unit_test(what_has_no_half),      cmocka_unit_test(export_refuses),
        cmocka_unit_test(mean_of_models),
    };
    return cmocka_run_group_tests(tests, enter, scratch_leave);
}
