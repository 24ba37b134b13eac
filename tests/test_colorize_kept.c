/* vkpix colorize from end to end: what a result keeps of its original (Exif, ICC profile, 16 bits, alpha,
 * tone), and sheets. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "blob.h"
#include "device_fixture.h"
#include "image/figure.h"
#include "image/grid.h"
#include "image/picture.h"
#include "kept_samples.h"
#include "model_folder.h"
#include "program.h"
#include "scratch.h"
#include "small_picture.h"

/* Whether a result has this profile (NULL: none), and an Exif block or none. */
static void check_kept(const char *path, const blob *icc, bool exif)
{
    vkp_picture p = small_picture_read(path);
    assert_int_equal(p.kept.icc_size, icc ? icc->size : 0);
    if (icc) assert_memory_equal(p.kept.icc, icc->bytes, icc->size);
    assert_int_equal(p.kept.exif != NULL, exif);
    vkp_picture_free(&p);
}

static void exif_and_profile(void **state)
{
    (void)state;
    model_folder_new("profiles");
    blob exif = kept_exif(6, true), icc = kept_profile("RGB ", 70000), gray = kept_profile("GRAY", 400);
    blob rgb_jpeg = kept_jpeg(&exif, &icc), gray_jpeg = kept_jpeg(NULL, &gray);
    blob_write(&rgb_jpeg, "in.jpg");
    blob_write(&gray_jpeg, "gray.jpg");
    program_expect(program_run("", "colorize in.jpg --out a.jpg " MODEL), 0, "");
    program_expect(program_run("", "colorize in.jpg --out b.png " MODEL), 0, "");
    program_expect(program_run("", "colorize b.png --out c.jpg --at-model-size " MODEL), 0, "");
    program_expect(program_run("", "colorize b.png --out d.png --pair " MODEL), 0, "");
    program_expect(program_run("", "colorize b.png --out e.bmp " MODEL), 0, "");
    check_kept("a.jpg", &icc, true);
    check_kept("b.png", &icc, true);
    check_kept("c.jpg", &icc, true);
    check_kept("d.png", &icc, true);
    check_kept("e.bmp", NULL, false);
    vkp_picture p = small_picture_read("a.jpg"); /* turned by the first run, and not again */
    assert_true(p.width == KEPT_H && p.height == KEPT_W);
    vkp_picture_free(&p);
    assert_null(strstr(program_errors(), "profile"));
    program_expect(program_run("", "colorize gray.jpg --out g.jpg " MODEL), 0, "");
    assert_non_null(strstr(program_errors(),
                           "vkpix: gray.jpg: its colour profile is for gray pictures and is not kept"));
    check_kept("g.jpg", NULL, false);
    blob_free(&exif);
    blob_free(&icc);
    blob_free(&gray);
    blob_free(&rgb_jpeg);
    blob_free(&gray_jpeg);
}

/* A result's 16-bit luma and alpha are the original's, its colours are not gray. */
static void check_deep(const char *in, const char *out)
{
    vkp_picture a = small_picture_read(in), b = small_picture_read(out);
    assert_true(a.deep && b.deep && a.width == b.width && a.height == b.height && a.alpha == b.alpha);
    int colored = 0;
    for (int i = 0; i < a.width * a.height; i++) {
        assert_true(abs(a.deep[2 * i] - b.deep[2 * i]) <= 1);
        assert_int_equal(a.deep[2 * i + 1], b.deep[2 * i + 1]);
        colored += b.rgba[4 * i] != b.rgba[4 * i + 2];
    }
    assert_true(colored > a.width * a.height / 2);
    vkp_picture_free(&a);
    vkp_picture_free(&b);
}

static void sixteen_bits(void **state)
{
    (void)state;
    enum { W = 19, H = 23 };
    model_folder_new("deep");
    uint8_t samples[W * H * 8];
    for (size_t i = 0; i < sizeof samples; i++) samples[i] = (uint8_t)(60 + i * 2654435761u % 130);
    for (int channels = 1; channels <= 4; channels++) {
        char name[16];
        blob png = blob_png(W, H, channels, 16, samples);
        snprintf(name, sizeof name, "%d.png", channels);
        blob_write(&png, name);
        program_expect(program_run("", "colorize %s --out out/%s " MODEL, name, name), 0, "");
        snprintf(name, sizeof name, "out/%d.png", channels);
        check_deep(name + 4, name);
        png.size -= 40; /* truncated: an error, and no result */
        blob_write(&png, "cut.png");
        program_expect(program_run("", "colorize cut.png --out out/cut.png " MODEL), 1, "1 of 1");
        assert_false(vkp_file_exists("out/cut.png"));
        blob_free(&png);
    }
    blob pgm = {NULL, 0};
    blob_add_text(&pgm, "P5 19 23 65535\n");
    blob_add(&pgm, samples, (size_t)W * H * 2);
    blob_write(&pgm, "g.pgm");
    program_expect(program_run("", "colorize g.pgm --out out/ " MODEL), 0, "");
    check_deep("g.pgm", "out/g.ppm");
    program_expect(program_run("", "colorize 4.png --out out/pair.png --pair " MODEL), 0, "");
    vkp_picture pair = small_picture_read("out/pair.png");
    assert_true(!pair.deep && pair.alpha && pair.width == 2 * W);
    vkp_picture_free(&pair);
    blob_free(&pgm);
}

static double luma(const uint8_t *p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

/* The mean distance of two pictures' channels. */
static double mean_difference(const vkp_picture *a, const vkp_picture *b)
{
    double sum = 0;
    for (int i = 0; i < a->width * a->height * 4; i++) sum += abs(a->rgba[i] - b->rgba[i]);
    return sum / (a->width * a->height * 3);
}

/* A sepia print and its luma are coloured alike; what --keep-tone adds is the print's own colour. */
static void tone_of_a_print(void **state)
{
    (void)state;
    enum { SIDE = 48 };
    model_folder_new("tone");
    vkp_picture sepia, gray;
    assert_ok(vkp_picture_make(SIDE, SIDE, &sepia));
    assert_ok(vkp_picture_make(SIDE, SIDE, &gray));
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int y = 60 + i % SIDE * 2 + i / SIDE % 7;
        uint8_t *s = sepia.rgba + 4 * i, *g = gray.rgba + 4 * i;
        s[0] = (uint8_t)(y + 20), s[1] = (uint8_t)(y - 2), s[2] = (uint8_t)(y - 42);
        g[0] = g[1] = g[2] = (uint8_t)(luma(s) + 0.5);
    }
    assert_ok(vkp_picture_write("sepia.png", &sepia, 95));
    assert_ok(vkp_picture_write("gray.png", &gray, 95));
    program_expect(program_run("", "colorize sepia.png gray.png --out out " MODEL), 0, "");
    program_expect(program_run("", "colorize sepia.png gray.png --out kept --keep-tone 1 " MODEL), 0, "");
    program_expect(program_run("", "colorize sepia.png --out half.png --keep-tone .5 --saturation 0 " MODEL),
                   0, "");
    vkp_picture out[] = {small_picture_read("out/sepia.png"), small_picture_read("out/gray.png"),
                         small_picture_read("kept/sepia.png"), small_picture_read("kept/gray.png"),
                         small_picture_read("half.png")};
    assert_true(mean_difference(&out[0], &out[1]) < 1);   /* the print's colour has no say */
    assert_true(mean_difference(&out[1], &out[3]) < 0.01); /* gray has no tone */
    for (int i = 0; i < SIDE * SIDE; i++) {
        const uint8_t *plain = out[0].rgba + 4 * i, *kept = out[2].rgba + 4 * i, *half = out[4].rgba + 4 * i;
        assert_true(fabs(luma(plain) - luma(kept)) < 2 && fabs(luma(half) - luma(sepia.rgba + 4 * i)) < 1.5);
        if (plain[0] < 200 && plain[2] > 60) { /* within range */
            assert_true(abs(kept[0] - plain[0] - 20) <= 2 && abs(kept[2] - plain[2] + 42) <= 2);
        }
        assert_true(abs(half[0] - half[2] - 31) <= 2);
    }
    for (int i = 0; i < 5; i++) vkp_picture_free(&out[i]);
    vkp_picture_free(&sepia);
    vkp_picture_free(&gray);
    program_expect(program_run("", "colorize gray.png --out x.png --keep-tone 1.1 " MODEL), 2, "keep-tone");
    program_expect(program_run("", "colorize gray.png --out x.png --keep-tone nan " MODEL), 2, "keep-tone");
    assert_false(vkp_file_exists("x.png"));
}

/* The part of a sheet that cell i of `columns` is, against a picture of its size. */
static double cell_difference(const vkp_picture *sheet, int i, int columns, const vkp_picture *p)
{
    const int left = VKP_GRID_MARGIN + i % columns * (p->width + VKP_GRID_MARGIN);
    const int top =
        VKP_GRID_MARGIN + i / columns * (p->height + VKP_FIGURE_CAPTION_HEIGHT + VKP_GRID_MARGIN);
    double sum = 0;
    for (int y = 0; y < p->height; y++) {
        const uint8_t *cell = sheet->rgba + ((top + y) * sheet->width + left) * 4;
        for (int x = 0; x < p->width * 4; x++) sum += abs(cell[x] - p->rgba[y * p->width * 4 + x]);
    }
    return sum / (p->width * p->height * 3);
}

static void sheets(void **state)
{
    (void)state;
    enum { W = 90, H = 60 };
    model_folder_new("sheets");
    assert_ok(vkp_folder_make("in"));
    small_picture_write("in/a.png", W, H, 0);
    small_picture_write("in/narrow.png", 3, 200, 1);
    blob bad = {NULL, 0};
    blob_add_text(&bad, "no picture");
    blob_write(&bad, "in/bad.jpg");
    blob_free(&bad);
    program_expect(program_run("", "colorize in --out out --sheet --model model.safetensors"), 1, "1 of 3");
    program_expect(program_run("", "colorize in/a.png --out 192.png --model model.safetensors --size 192"), 0,
                   "");
    vkp_picture sheet = small_picture_read("out/a.png"), one = small_picture_read("192.png");
    vkp_picture original = small_picture_read("in/a.png"), narrow = small_picture_read("out/narrow.png");
    assert_int_equal(sheet.width, 3 * W + 4 * VKP_GRID_MARGIN);
    assert_int_equal(sheet.height, 2 * (H + VKP_FIGURE_CAPTION_HEIGHT) + 3 * VKP_GRID_MARGIN);
    assert_true(cell_difference(&sheet, 0, 3, &original) == 0);
    assert_true(cell_difference(&sheet, 2, 3, &one) == 0); /* after the original and 128 */
    for (int i = 1; i < 6; i++) assert_true(cell_difference(&sheet, i, 3, &original) > 1);
    assert_true(cell_difference(&sheet, 1, 3, &one) > 0 && cell_difference(&sheet, 5, 3, &one) > 0);
    assert_true(narrow.height > 200);
    vkp_picture_free(&sheet);
    vkp_picture_free(&one);
    vkp_picture_free(&original);
    vkp_picture_free(&narrow);
    static const char *const others[] = {"--size 32", "--pair", "--at-model-size"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        program_expect(program_run("", "colorize in/a.png --out x.png --sheet --model model.safetensors %s",
                                   others[i]),
                       2, "--sheet");
    program_expect(program_run("", "colorize in/a.png --out x.png --sheet --model none"), 1, "none");
    assert_false(vkp_file_exists("x.png"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, model_folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(exif_and_profile),
        TEST(sixteen_bits),
        TEST(tone_of_a_print),
        TEST(sheets),
    };
    return cmocka_run_group_tests(tests, model_folders_enter, scratch_leave);
}
