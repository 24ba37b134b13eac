/* vkpix colorize from end to end: a model with random weights, small pictures of every kind, and everything
 * that can be wrong with them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "blob.h"
#include "device_fixture.h"
#include "image/metrics.h"
#include "image/picture.h"
#include "model_folder.h"
#include "nn/config.h"
#include "program.h"
#include "scratch.h"
#include "small_picture.h"

/* A PNG with `channels` of `bits`, all samples in the middle gray tones. */
static void write_png(const char *path, int w, int h, int channels, int bits)
{
    const size_t size = (size_t)(w * h * channels * bits / 8);
    uint8_t *samples = malloc(size);
    assert_non_null(samples);
    for (size_t i = 0; i < size; i++) samples[i] = (uint8_t)(70 + i * 37 % 110);
    blob png = blob_png(w, h, channels, bits, samples);
    blob_write(&png, path);
    blob_free(&png);
    free(samples);
}

static void write_text(const char *path, const char *text)
{
    assert_ok(vkp_file_write(path, text, strlen(text)));
}

static double luma(const uint8_t *rgba) { return 0.299 * rgba[0] + 0.587 * rgba[1] + 0.114 * rgba[2]; }

/* The result has the input's size, alpha and luma, but its own colours. */
static void check_colored(const char *in, const char *out)
{
    vkp_picture a = small_picture_read(in), b = small_picture_read(out);
    assert_int_equal(a.width, b.width);
    assert_int_equal(a.height, b.height);
    assert_int_equal(a.alpha, b.alpha);
    double off = 0, before, after;
    for (int i = 0; i < a.width * a.height; i++) {
        off += fabs(luma(a.rgba + 4 * i) - luma(b.rgba + 4 * i)) / (a.width * a.height);
        assert_int_equal(a.rgba[4 * i + 3], b.rgba[4 * i + 3]);
    }
    if (off > 1.5) fail_msg("%s: luma is off by %.2f levels", out, off);
    assert_ok(vkp_metric_colorfulness(a.rgba, a.width, a.height, &before));
    assert_ok(vkp_metric_colorfulness(b.rgba, b.width, b.height, &after));
    if (a.gray) assert_true(before == 0 && after > 1);
    vkp_picture_free(&a);
    vkp_picture_free(&b);
}

static void every_kind_of_picture(void **state)
{
    (void)state;
    model_folder_new("kinds");
    static const struct {
        const char *in, *out;
    } files[] = {
        {"in/one.png", "out/one.png"},
        {"in/tall.png", "out/tall.png"},
        {"in/wide.jpg", "out/wide.jpg"},
        {"in/sub/gray.png", "out/sub/gray.png"},
        {"in/sub/alpha.png", "out/sub/alpha.png"},
        {"in/sub/deep/gray16.png", "out/sub/deep/gray16.png"},
        {"in/sub/deep/rgb16.png", "out/sub/deep/rgb16.png"},
        {"in/rgba.png", "out/rgba.png"},
        {"in/a.bmp", "out/a.bmp"},
        {"in/b.TGA", "out/b.TGA"},
        {"in/c.pgm", "out/c.ppm"},
        {"in/with space & 'quote'.ppm", "out/with space & 'quote'.ppm"},
    };
    assert_ok(vkp_folder_make("in/sub/deep"));
    small_picture_write("in/one.png", 1, 1, 0);
    small_picture_write("in/tall.png", 37, 501, 0);
    small_picture_write("in/wide.jpg", 640, 40, 0);
    write_png("in/sub/gray.png", 50, 33, 1, 8);
    write_png("in/sub/alpha.png", 23, 31, 2, 8);
    write_png("in/sub/deep/gray16.png", 17, 9, 1, 16);
    write_png("in/sub/deep/rgb16.png", 18, 20, 3, 16);
    write_png("in/rgba.png", 40, 40, 4, 8);
    small_picture_write("in/a.bmp", 31, 15, 0);
    small_picture_write("in/b.TGA", 15, 31, 0);
    write_text("in/c.pgm", "P2 3 2 255 100 90 150 80 120 60\n");
    small_picture_write("in/with space & 'quote'.ppm", 12, 13, 0);
    program_expect(program_run("", "colorize in --out out " MODEL), 0, "");
    assert_string_equal(program_output(), "");
    assert_non_null(strstr(program_errors(), "vkpix: device: "));
    assert_non_null(strstr(program_errors(), "vkpix: model: model.safetensors (size 32, fit wrap)"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) check_colored(files[i].in, files[i].out);
}

static void bad_pictures_are_skipped(void **state)
{
    (void)state;
    model_folder_new("bad");
    assert_ok(vkp_folder_make("in"));
    small_picture_write("in/good1.jpg", 30, 20, 0);
    small_picture_write("in/good2.png", 20, 30, 0);
    write_text("in/text.jpg", "this is not a picture\n");
    write_text("in/empty.png", "");
    blob jpeg = blob_read("in/good1.jpg");
    jpeg.size /= 2;
    blob_write(&jpeg, "in/truncated.jpg");
    blob_free(&jpeg);
    blob png = blob_png(60000, 60000, 3, 8, NULL);
    blob_write(&png, "in/enormous.png");
    blob_free(&png);
    program_expect(program_run("", "colorize in --out out " MODEL), 1, "4 of 6");
    static const char *const bad[] = {"text.jpg", "empty.png", "truncated.jpg", "enormous.png"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[64], path[64];
        snprintf(line, sizeof line, "vkpix: error: cannot read in/%s (", bad[i]);
        snprintf(path, sizeof path, "out/%s", bad[i]);
        assert_non_null(strstr(program_errors(), line));
        assert_false(vkp_file_exists(path));
    }
    check_colored("in/good1.jpg", "out/good1.jpg");
    check_colored("in/good2.png", "out/good2.png");
    /* Nothing but bad ones, and an input that is not there at all among others. */
    program_expect(program_run("", "colorize in/text.jpg in/empty.png --out out2 " MODEL), 1, "2 of 2");
    program_expect(program_run("", "colorize in/text.jpg --out out.jpg " MODEL), 1, "1 of 1");
    assert_false(vkp_file_exists("out.jpg"));
    program_expect(program_run("", "colorize in/good1.jpg missing.jpg --out out3 " MODEL), 1, "1 of 2");
    assert_non_null(strstr(program_errors(), "missing.jpg"));
    check_colored("in/good1.jpg", "out3/good1.jpg");
}

static void where_results_go(void **state)
{
    (void)state;
    model_folder_new("places");
    assert_ok(vkp_folder_make("in/a"));
    assert_ok(vkp_folder_make("in/b"));
    assert_ok(vkp_folder_make("there"));
    small_picture_write("in/a/x.png", 9, 8, 0);
    small_picture_write("in/b/y.jpg", 8, 9, 0);
    small_picture_write("in/b/z.png", 5, 9, 0);
    program_expect(program_run("", "colorize in/a/x.png --out new/place/result.jpg " MODEL), 0, "");
    assert_true(vkp_file_exists("new/place/result.jpg"));
    program_expect(program_run("", "colorize in/a/x.png --out there " MODEL), 0, "");
    check_colored("in/a/x.png", "there/x.png");
    program_expect(program_run("", "colorize in/a/x.png --out fresh/ " MODEL), 0, "");
    check_colored("in/a/x.png", "fresh/x.png");
    program_expect(program_run("", "colorize in/a in/b/y.jpg in/b in/b/../b/z.png --out mixed " MODEL), 0,
                   "");
    check_colored("in/a/x.png", "mixed/x.png");
    check_colored("in/b/z.png", "mixed/z.png");
    /* A result is not coloured again by the next run. */
    program_expect(program_run("", "colorize in --out in/colored " MODEL), 0, "");
    program_expect(program_run("", "colorize in --out in/colored " MODEL), 0, "");
    assert_true(vkp_file_exists("in/colored/a/x.png"));
    assert_false(vkp_folder_exists("in/colored/colored"));
    program_expect(program_run("", "colorize in/a --out in " MODEL), 0, "");
    check_colored("in/a/x.png", "in/x.png");
}

static void refused_before_work(void **state)
{
    (void)state;
    model_folder_new("refused");
    assert_ok(vkp_folder_make("a"));
    assert_ok(vkp_folder_make("b"));
    assert_ok(vkp_folder_make("void"));
    small_picture_write("a/x.png", 9, 8, 0);
    small_picture_write("b/x.png", 8, 9, 0);
    write_text("file", "no folder");
    const blob before = blob_read("a/x.png");
    static const struct {
        const char *arguments;
        int status;
        const char *word;
    } wrong[] = {
        {"a/x.png --out a/x.png " MODEL, 2, "a/x.png"},
        {"a --out a " MODEL, 2, "a/x.png"},
        {"a b --out c " MODEL, 2, "c/x.png"},
        {"a/x.png --out c.gif " MODEL, 2, "gif"},
        {"a/x.png --out c " MODEL, 2, "c"},
        {"missing.png --out c.png " MODEL, 1, "missing.png"},
        {"void --out c " MODEL, 1, "void"},
        {"a --out file " MODEL, 1, "file"},
        {"a --out file/below " MODEL, 1, "file"},
        {"a/x.png --out file/c.png " MODEL, 1, "file"},
        {"a/x.png --out c.png --model model.safetensors --size 33", 2, "33"},
        {"a/x.png --out c.png --model model.safetensors --size 0", 2, "'0'"},
        {"a/x.png --out c.png --model model.safetensors --fit round", 2, "round"},
        {"a/x.png --out c.png --model none", 1, "none"},
        {"a/x.png --out c.png --model void", 1, "void"},
        {"a/x.png --out c.png --model file", 1, "file"},
        {"a/x.png --out c.png --model a/x.png", 1, "a/x.png"},
        {"a/x.png --out c.png --model short.safetensors", 1, "short.safetensors"},
    };
    blob model = blob_read("model.safetensors");
    model.size -= 100;
    blob_write(&model, "short.safetensors");
    blob_free(&model);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        program_expect(program_run("", "colorize %s", wrong[i].arguments), wrong[i].status, wrong[i].word);
        assert_false(vkp_file_exists("c.png") || vkp_folder_exists("c"));
    }
    const blob after = blob_read("a/x.png");
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.bytes, after.bytes, before.size);
    free(before.bytes);
    free(after.bytes);
}

static void skip_existing(void **state)
{
    (void)state;
    model_folder_new("skip");
    assert_ok(vkp_folder_make("in"));
    assert_ok(vkp_folder_make("out"));
    small_picture_write("in/a.png", 9, 8, 0);
    small_picture_write("in/b.png", 9, 8, 0);
    write_text("out/a.png", "kept");
    program_expect(program_run("", "colorize in --out out --skip-existing " MODEL), 0, "");
    const blob kept = blob_read("out/a.png");
    assert_string_equal((const char *)kept.bytes, "kept");
    free(kept.bytes);
    check_colored("in/b.png", "out/b.png");
    program_expect(program_run("", "colorize in --out out --skip-existing " MODEL), 0,
                   ""); /* nothing left to do */
    program_expect(program_run("", "colorize in --out out " MODEL), 0, "");
    check_colored("in/a.png", "out/a.png");
}

static void pairs_and_saturation(void **state)
{
    (void)state;
    model_folder_new("pairs");
    small_picture_write("in.png", 45, 20, 0);
    program_expect(program_run("", "colorize in.png --out plain.png " MODEL), 0, "");
    program_expect(program_run("", "colorize in.png --out again.png " MODEL), 0, "");
    program_expect(program_run("", "colorize in.png --out pair.png --pair " MODEL), 0, "");
    program_expect(program_run("", "colorize in.png --out gray.png --saturation 0 " MODEL), 0, "");
    program_expect(program_run("", "colorize in.png --out small.png --pair --at-model-size " MODEL), 0, "");
    vkp_picture in = small_picture_read("in.png"), plain = small_picture_read("plain.png"),
                pair = small_picture_read("pair.png");
    vkp_picture gray = small_picture_read("gray.png"), small = small_picture_read("small.png"),
                again = small_picture_read("again.png");
    assert_memory_equal(plain.rgba, again.rgba, (size_t)(plain.width * plain.height) * 4);
    assert_int_equal(pair.width, 90);
    assert_int_equal(pair.height, 20);
    for (size_t y = 0; y < 20; y++) {
        assert_memory_equal(pair.rgba + y * 90 * 4, plain.rgba + y * 45 * 4, 45 * 4);
        assert_memory_equal(pair.rgba + (y * 90 + 45) * 4, in.rgba + y * 45 * 4, 45 * 4);
    }
    for (int i = 0; i < 45 * 20; i++)
        for (int k = 0; k < 3; k++) assert_true(fabs(gray.rgba[4 * i + k] - luma(in.rgba + 4 * i)) < 0.51);
    assert_int_equal(small.width,
                     64); /* 45:20 in a square of 32: the 14 rows whose centres show the picture */
    assert_int_equal(small.height, 14);
    vkp_picture *all[] = {&in, &plain, &pair, &gray, &small, &again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) vkp_picture_free(all[i]);
}

static void run_folder(void **state)
{
    (void)state;
    model_folder_new("runs");
    vkp_config config;
    assert_ok(vkp_config_preset(&config, NULL));
    assert_ok(vkp_config_set(&config, "size=48"));
    assert_ok(vkp_config_set(&config, "fit=stretch"));
    assert_ok(vkp_folder_make("run/checkpoints/best"));
    assert_ok(vkp_config_save(&config, "run/config.yml"));
    assert_int_equal(symlink("../../../model.safetensors", "run/checkpoints/best/generator.safetensors"), 0);
    small_picture_write("in.png", 20, 10, 0);
    program_expect(program_run("", "colorize in.png --out a.png --at-model-size --model run"), 0, "");
    assert_non_null(
        strstr(program_errors(), "run/checkpoints/best/generator.safetensors (size 48, fit stretch)"));
    vkp_picture a = small_picture_read("a.png");
    assert_true(a.width == 48 && a.height == 48);
    vkp_picture_free(&a);
    program_expect(program_run("", "colorize in.png --out a.png --model run --size 32 --fit black"), 0, "");
    assert_non_null(strstr(program_errors(), "(size 32, fit black)"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, model_folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_picture),
        TEST(bad_pictures_are_skipped),
        TEST(where_results_go),
        TEST(refused_before_work),
        TEST(skip_existing),
        TEST(pairs_and_saturation),
        TEST(run_folder),
    };
    return cmocka_run_group_tests(tests, model_folders_enter, scratch_leave);
}
