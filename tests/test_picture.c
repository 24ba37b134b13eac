/* Pictures: every format and kind in, orientation, limits, and what happens to files that are not whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "blob.h"
#include "image/picture.h"
#include "scratch.h"

/* Stripes 8 pixels wide in strong colours, so that JPEG keeps them; alpha differs by pixel. */
static vkp_picture make_picture(int w, int h, bool alpha)
{
    vkp_picture p;
    assert_int_equal(vkp_picture_make(w, h, &p), VKP_OK);
    p.alpha = alpha;
    for (int i = 0; i < w * h; i++) {
        int x = i % w / 8, y = i / w / 8;
        uint8_t *q = p.rgba + i * 4;
        q[0] = (uint8_t)(40 + 50 * x % 200);
        q[1] = (uint8_t)(30 + 70 * y % 200);
        q[2] = (uint8_t)(250 - 30 * x % 200);
        if (alpha) q[3] = (uint8_t)(i % 251);
    }
    return p;
}

static vkp_picture read_ok(const char *path)
{
    vkp_picture p;
    if (vkp_picture_read(path, 0, &p) != VKP_OK) fail_msg("%s", vkp_error());
    int w, h;
    assert_int_equal(vkp_picture_info(path, &w, &h), VKP_OK);
    assert_int_equal(w, p.width);
    assert_int_equal(h, p.height);
    return p;
}

static vkp_picture decode_ok(const blob *b)
{
    vkp_picture p;
    if (vkp_picture_decode(b->bytes, b->size, "blob", 0, &p) != VKP_OK) fail_msg("%s", vkp_error());
    return p;
}

/* Fails with this code and a text in the house's form that holds `part`; nothing is left to free. */
static void assert_refused(const blob *b, uint64_t limit, vkp_status code, const char *part)
{
    vkp_picture p = {.width = 5};
    vkp_status status = vkp_picture_decode(b->bytes, b->size, "blob", limit, &p);
    if (status != code)
        fail_msg("%s, not %s: %s", vkp_status_name(status), vkp_status_name(code), vkp_error());
    assert_null(p.rgba);
    if (!strstr(vkp_error(), part)) fail_msg("'%s' lacks '%s'", vkp_error(), part);
    const char *open = strchr(vkp_error(), '('), *semicolon = strrchr(vkp_error(), ';');
    assert_true(open && semicolon && semicolon > open && vkp_error()[strlen(vkp_error()) - 1] == ')');
}

static void assert_same(const vkp_picture *a, const vkp_picture *b, int tolerance)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int i = 0; i < a->width * a->height * 4; i++) assert_true(abs(a->rgba[i] - b->rgba[i]) <= tolerance);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool keeps_alpha;
        int tolerance;
    } cases[] = {{"a.png", true, 0},  {"a.PNG", true, 0},    {"a.tga", true, 0}, {"a.bmp", true, 0},
                 {"a.ppm", false, 0}, {"a.JpEg", false, 12}, {"a.pnm", false, 0}};
    static const int sizes[][2] = {{1, 1}, {37, 23}, {64, 8}, {3, 50}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases * 8; k++) {
        bool alpha = k % 2;
        vkp_picture p = make_picture(sizes[k / 2 % 4][0], sizes[k / 2 % 4][1], alpha);
        const char *path = cases[k / 8].path;
        assert_int_equal(vkp_picture_write(path, &p, 100), VKP_OK);
        vkp_picture q = read_ok(path);
        assert_int_equal(q.alpha, alpha && cases[k / 8].keeps_alpha);
        assert_false(q.gray);
        if (alpha && !q.alpha)
            for (int i = 0; i < p.width * p.height; i++) p.rgba[i * 4 + 3] = 255;
        assert_same(&p, &q, cases[k / 8].tolerance);
        vkp_picture_free(&p);
        vkp_picture_free(&q);
    }
}

static void jpeg_quality_counts(void **state)
{
    (void)state;
    vkp_picture p = make_picture(64, 64, false);
    struct stat good, poor;
    assert_int_equal(vkp_picture_write("good.jpg", &p, 95), VKP_OK);
    assert_int_equal(vkp_picture_write("poor.jpg", &p, 20), VKP_OK);
    assert_int_equal(stat("good.jpg", &good), 0);
    assert_int_equal(stat("poor.jpg", &poor), 0);
    assert_true(poor.st_size < good.st_size);
    vkp_picture_free(&p);
}

static void png_of_every_kind(void **state)
{
    (void)state;
    for (int k = 0; k < 8; k++) {
        enum { W = 5, H = 3 };
        int channels = k / 2 + 1, bytes = k % 2 + 1;
        uint8_t samples[W * H * 4 * 2];
        for (size_t i = 0; i < sizeof samples; i++) samples[i] = (uint8_t)(i * 29 + 3);
        blob b = blob_png(W, H, channels, 8 * bytes, samples);
        vkp_picture p = decode_ok(&b);
        assert_int_equal(p.gray, channels < 3);
        assert_int_equal(p.alpha, channels % 2 == 0);
        for (int i = 0; i < W * H; i++) {
            const uint8_t *s = samples + i * channels * bytes; /* 16 bits: the upper byte */
            for (int c = 0; c < 3; c++) assert_int_equal(p.rgba[i * 4 + c], s[channels < 3 ? 0 : c * bytes]);
            assert_int_equal(p.rgba[i * 4 + 3], channels % 2 ? 255 : s[(channels - 1) * bytes]);
        }
        vkp_picture_free(&p);
        blob_free(&b);
    }
}

static void pnm_of_every_kind(void **state)
{
#define TEXT(literal) literal, sizeof literal - 1
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        int w, h;
        bool gray;
        uint8_t rgb[2][3]; /* first and last pixel */
    } cases[] = {
        {TEXT("P1\n# a comment\n3 2\n101\n0 1 0\n"), 3, 2, true, {{0, 0, 0}, {255, 255, 255}}},
        {TEXT("P2 2 1 # comment\n100\n25 100"), 2, 1, true, {{64, 64, 64}, {255, 255, 255}}},
        {TEXT("P3\n2 1\n65535\n0 257 65535\n32768 1 999999"), 0, 0, false, {{0}}},
        {TEXT("P3\n2 1\n65535\n0 257 65535\n32768 1 60000\n"), 2, 1, false, {{0, 1, 255}, {128, 0, 233}}},
        {TEXT("P4\n9 2\n\x80\x00\x00\x80"), 9, 2, true, {{0, 0, 0}, {0, 0, 0}}},
        {TEXT("P5 2 2 255\n\x0a\x0b\x0c\xfe"), 2, 2, true, {{10, 10, 10}, {254, 254, 254}}},
        {TEXT("P5\n2 1\n1000\n\x00\x0a\x03\xe8"), 2, 1, true, {{3, 3, 3}, {255, 255, 255}}},
        {TEXT("P6\r\n1 2 255 \x01\x02\x03\xff\xfe\xfd"), 1, 2, false, {{1, 2, 3}, {255, 254, 253}}},
        {TEXT("P6\n1 1\n65535\n\xff\xff\x80\x00\x00\x00"), 1, 1, false, {{255, 128, 0}, {255, 128, 0}}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        blob b = {NULL, 0};
        blob_add(&b, cases[k].text, cases[k].size);
        if (!cases[k].w) {
            assert_refused(&b, 0, VKP_FORMAT, "no number");
            blob_free(&b);
            continue;
        }
        vkp_picture p = decode_ok(&b);
        assert_int_equal(p.width, cases[k].w);
        assert_int_equal(p.height, cases[k].h);
        assert_int_equal(p.gray, cases[k].gray);
        assert_memory_equal(p.rgba, cases[k].rgb[0], 3);
        assert_memory_equal(p.rgba + (p.width * p.height - 1) * 4, cases[k].rgb[1], 3);
        vkp_picture_free(&p);
        blob_free(&b);
    }
#undef TEXT
}

/* Where Exif says that the stored row 0 and column 0 belong: top, left, bottom or right. */
static const char orientation_sides[][3] = {"", "tl", "tr", "br", "bl", "lt", "rt", "rb", "lb"};

static void place(char side, int index, int count, int *x, int *y)
{
    if (side == 't') *y = index;
    if (side == 'b') *y = count - 1 - index;
    if (side == 'l') *x = index;
    if (side == 'r') *x = count - 1 - index;
}

static void exif_orientation_is_applied(void **state)
{
    (void)state;
    enum { COLUMNS = 3, ROWS = 2, CELL = 16 };
    vkp_picture stored = make_picture(COLUMNS * CELL, ROWS * CELL, false);
    assert_int_equal(vkp_picture_write("stored.jpg", &stored, 100), VKP_OK);
    blob plain = blob_read("stored.jpg");
    for (int k = 0; k < 20; k++) {
        int orientation = k / 2; /* 0 and 9 are no orientations and change nothing */
        const char *sides = orientation_sides[orientation % 9 ? orientation : 1];
        blob b = blob_with_orientation(&plain, orientation, k % 2);
        blob_write(&b, "turned.jpg");
        vkp_picture p = read_ok("turned.jpg");
        bool turned = sides[0] == 'l' || sides[0] == 'r';
        assert_int_equal(p.width, (turned ? ROWS : COLUMNS) * CELL);
        assert_int_equal(p.height, (turned ? COLUMNS : ROWS) * CELL);
        for (int row = 0; row < ROWS * CELL; row++) {
            for (int column = 0; column < COLUMNS * CELL; column++) {
                int x = -1, y = -1;
                place(sides[0], row, ROWS * CELL, &x, &y);
                place(sides[1], column, COLUMNS * CELL, &x, &y);
                const uint8_t *got = p.rgba + (y * p.width + x) * 4;
                const uint8_t *expected = stored.rgba + (row * COLUMNS * CELL + column) * 4;
                for (int c = 0; c < 3; c++) assert_true(abs(got[c] - expected[c]) <= 12);
            }
        }
        vkp_picture_free(&p);
        blob_free(&b);
    }
    blob_free(&plain);
    vkp_picture_free(&stored);
}

static void damaged_exif_is_no_harm(void **state)
{
    (void)state;
    vkp_picture p = make_picture(16, 8, false);
    assert_int_equal(vkp_picture_write("e.jpg", &p, 90), VKP_OK);
    blob plain = blob_read("e.jpg"), b = blob_with_orientation(&plain, 6, 1);
    for (size_t at = 12; at < 12 + 26; at++) {
        uint8_t old = b.bytes[at];
        for (int k = 0; k < 3; k++) {
            b.bytes[at] = (uint8_t[]){0, 255, 129}[k];
            vkp_picture q = decode_ok(&b);
            assert_int_equal(q.width * q.height, 16 * 8);
            vkp_picture_free(&q);
        }
        b.bytes[at] = old;
    }
    blob_free(&b);
    blob_free(&plain);
    vkp_picture_free(&p);
}

static blob make_rle_tga(void)
{
    blob b = {NULL, 0};
    blob_add(&b, "\0\0\x0a\0\0\0\0\0\0\0\0\0\x05\0\x02\0\x18\x20", 18);
    blob_add(&b, "\x83\x01\x02\x03\x01\x04\x05\x06\x07\x08\x09\x83\x0a\x0b\x0c", 15);
    return b;
}

/* Every format as small whole files. */
static size_t make_whole(blob whole[8])
{
    vkp_picture p = make_picture(12, 7, false);
    static const char *const paths[] = {"w.jpg", "w.png", "w.bmp", "w.tga", "w.ppm"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(vkp_picture_write(paths[i], &p, 80), VKP_OK);
        whole[i] = blob_read(paths[i]);
    }
    whole[5] = make_rle_tga();
    whole[6] = blob_png(4, 2, 3, 16, p.rgba);
    whole[7] = blob_with_orientation(&whole[0], 6, 1);
    vkp_picture_free(&p);
    return 8;
}

static void run_length_coded_tga(void **state)
{
    (void)state;
    blob b = make_rle_tga();
    vkp_picture p = decode_ok(&b);
    assert_memory_equal(p.rgba, "\x03\x02\x01\xff", 4);
    assert_memory_equal(p.rgba + 9 * 4, "\x0c\x0b\x0a\xff", 4);
    vkp_picture_free(&p);
    blob_free(&b);
}

static void every_truncation_is_noticed(void **state)
{
    (void)state;
    blob whole[8];
    size_t count = make_whole(whole);
    for (size_t i = 0; i < count; i++) {
        for (size_t size = 0; size < whole[i].size; size++) {
            blob part = {NULL, 0};
            blob_add(&part, whole[i].bytes, size); /* a copy, so that reading past its end is caught */
            part.bytes = realloc(part.bytes, size ? size : 1);
            vkp_picture p;
            vkp_status status = vkp_picture_decode(part.bytes, size, "part", 0, &p);
            if (status == VKP_OK) fail_msg("format %zu: %zu of %zu bytes pass", i, size, whole[i].size);
            assert_true(status == VKP_INPUT || status == VKP_FORMAT);
            if (size > 100) assert_non_null(strstr(vkp_error(), "truncated"));
            blob_free(&part);
        }
        vkp_picture p = decode_ok(&whole[i]);
        vkp_picture_free(&p);
        blob_free(&whole[i]);
    }
}

static void no_damage_crashes(void **state)
{
    (void)state;
    blob whole[8];
    size_t count = make_whole(whole);
    uint64_t draw = 0, stream = vkp_random_stream(VKP_RANDOM_TEST, 1);
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < 1500; k++) {
            blob b = {NULL, 0};
            blob_add(&b, whole[i].bytes, whole[i].size);
            for (int flips = 1 + k % 4; flips > 0; flips--) {
                uint32_t at = vkp_random_below(1, stream, draw++, (uint32_t)b.size);
                b.bytes[at] = (uint8_t)vkp_random_u32(1, stream, draw++);
            }
            vkp_picture p;
            if (vkp_picture_decode(b.bytes, b.size, "damaged", 1000000, &p) == VKP_OK) vkp_picture_free(&p);
            blob_free(&b);
        }
        blob_free(&whole[i]);
    }
}

/* From red at the top to blue at the bottom, 4:2:0; ImageMagick made it: convert -size 40x24
 * gradient:red-blue -interlace JPEG -sampling-factor 4:2:0 -quality 60 -strip progressive.jpg */
static void progressive_jpeg(void **state)
{
    (void)state;
    blob b = blob_read(VKP_TEST_SOURCE_DIR "/data/progressive.jpg");
    vkp_picture p = decode_ok(&b);
    assert_int_equal(p.width, 40);
    assert_int_equal(p.height, 24);
    for (int i = 0; i < 40 * 24; i++) {
        assert_true(abs(p.rgba[i * 4] - 255 * (23 - i / 40) / 23) <= 16);
        assert_true(abs(p.rgba[i * 4 + 2] - 255 * (i / 40) / 23) <= 16);
    }
    vkp_picture_free(&p);
    blob_free(&b);
}

/* Turns every segment of this kind into a comment. */
static blob without_segments(const blob *jpeg, uint8_t marker)
{
    blob b = {NULL, 0};
    blob_add(&b, jpeg->bytes, jpeg->size);
    for (size_t at = 2; at + 4 < b.size && b.bytes[at + 1] != 0xda;) {
        if (b.bytes[at + 1] == marker) b.bytes[at + 1] = 0xfe;
        at += 2 + ((size_t)b.bytes[at + 2] << 8 | b.bytes[at + 3]);
    }
    return b;
}

static void jpeg_with_damaged_tables_never_meets_the_decoder(void **state)
{
    (void)state;
    enum { SOF = 0xc0, DHT = 0xc4, DQT = 0xdb };
    vkp_picture p = make_picture(16, 8, false);
    assert_int_equal(vkp_picture_write("d.jpg", &p, 90), VKP_OK);
    blob whole = blob_read("d.jpg");
    blob cases[] = {without_segments(&whole, DHT), without_segments(&whole, DQT), without_segments(&whole, 0),
                    without_segments(&whole, 0), without_segments(&whole, SOF)};
    for (size_t at = 2; at + 4 < whole.size && whole.bytes[at + 1] != 0xda;) {
        if (whole.bytes[at + 1] == DHT) memset(cases[2].bytes + at + 5, 255, 16); /* 4080 codes */
        if (whole.bytes[at + 1] == SOF) cases[3].bytes[at + 11] = 0x31;           /* luma 3x1, chroma ... */
        if (whole.bytes[at + 1] == SOF) cases[3].bytes[at + 14] = 0x21;           /* ... 2x1 */
        at += 2 + ((size_t)whole.bytes[at + 2] << 8 | whole.bytes[at + 3]);
    }
    for (size_t i = 0; i < 5; i++) {
        assert_refused(&cases[i], 0, VKP_FORMAT, i < 4 ? "its tables are damaged" : "unsupported kind");
        blob_free(&cases[i]);
    }
    blob_free(&whole);
    vkp_picture_free(&p);
}

static void enormous_pictures_are_refused_by_their_header(void **state)
{
    (void)state;
    blob png = blob_png(60000, 60000, 1, 8, NULL), ppm = {NULL, 0};
    assert_refused(&png, 0, VKP_INPUT, "60000x60000 pixels are more than the limit of 200 million");
    assert_refused(&png, UINT64_MAX, VKP_INPUT, "2 GiB");
    blob_free(&png);
    blob_add_text(&ppm, "P3 16000 12000 255\n");
    assert_refused(&ppm, 0, VKP_FORMAT, "truncated");
    assert_refused(&ppm, 191999999, VKP_INPUT, "more than the limit of 192 million");
    blob_free(&ppm);
    blob_add_text(&ppm, "P5 99999999999999999999 1 255\n");
    assert_refused(&ppm, 0, VKP_FORMAT, "no valid width and height");
    blob_free(&ppm);
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    blob b = {NULL, 0};
    blob_add(&b, "", 0);
    assert_refused(&b, 0, VKP_INPUT, "the file is empty");
    blob_add_text(&b, "This is a text that calls itself a picture.\n");
    assert_refused(&b, 0, VKP_INPUT, "not a JPEG, PNG, BMP, TGA or PNM");
    blob_write(&b, "text.jpg");
    vkp_picture p;
    int w, h;
    assert_int_equal(vkp_picture_read("text.jpg", 0, &p), VKP_INPUT);
    assert_non_null(strstr(vkp_error(), "text.jpg"));
    assert_int_equal(vkp_picture_info("text.jpg", &w, &h), VKP_INPUT);
    assert_int_equal(vkp_picture_read("missing.jpg", 0, &p), VKP_IO);
    assert_int_equal(vkp_picture_info("missing.jpg", &w, &h), VKP_IO);
    assert_int_equal(vkp_picture_read(".", 0, &p), VKP_INPUT);
    assert_int_equal(vkp_picture_info(".", &w, &h), VKP_INPUT);
    assert_int_equal(mkfifo("pipe.jpg", 0600), 0);
    assert_int_equal(vkp_picture_info("pipe.jpg", &w, &h), VKP_INPUT);
    blob_free(&b);
}

static void info_reads_past_long_headers(void **state)
{
    (void)state;
    vkp_picture p = make_picture(16, 8, false);
    assert_int_equal(vkp_picture_write("i.jpg", &p, 90), VKP_OK);
    blob plain = blob_read("i.jpg"), turned = blob_with_orientation(&plain, 8, 0), b = {NULL, 0};
    size_t head = 2 + 2 + 34;
    blob_add(&b, turned.bytes, head);
    for (int k = 0; k < 6; k++) {
        blob comment = {calloc(65535, 1), 65535};
        blob_add(&b, "\xff\xfe\xff\xff", 4);
        blob_add(&b, comment.bytes, 65533);
        blob_free(&comment);
    }
    blob_add(&b, turned.bytes + head, turned.size - head);
    blob_write(&b, "long.jpg");
    vkp_picture q = read_ok("long.jpg");
    assert_int_equal(q.width, 8);
    vkp_picture_free(&q);
    vkp_picture_free(&p);
    blob_free(&plain);
    blob_free(&turned);
    blob_free(&b);
}

static void bad_writes_leave_nothing(void **state)
{
    (void)state;
    vkp_picture p = make_picture(4, 4, false), none = {.width = 0};
    assert_int_equal(vkp_picture_write("x.gif", &p, 90), VKP_USAGE);
    assert_int_equal(vkp_picture_write("png", &p, 90), VKP_USAGE);
    assert_int_equal(vkp_picture_check_path(""), VKP_USAGE);
    assert_int_equal(vkp_picture_check_path("a.b/x.jpeg"), VKP_OK);
    assert_int_equal(vkp_picture_write("x.jpg", &p, 0), VKP_USAGE);
    assert_int_equal(vkp_picture_write("x.jpg", &p, 101), VKP_USAGE);
    assert_int_equal(vkp_picture_write("x.png", &none, 90), VKP_SHAPE);
    assert_int_equal(vkp_picture_write("no/such/folder/x.png", &p, 90), VKP_IO);
    p.width = 70000;
    assert_int_equal(vkp_picture_write("x.tga", &p, 90), VKP_SHAPE);
    p.width = p.height = 40000;
    assert_int_equal(vkp_picture_write("x.png", &p, 90), VKP_SHAPE);
    assert_int_not_equal(access("x.jpg", F_OK), 0);
    assert_int_not_equal(access("x.png", F_OK), 0);
    vkp_picture_free(&p);
    assert_int_equal(vkp_picture_make(0, 5, &p), VKP_SHAPE);
    assert_int_equal(vkp_picture_make(40000, 40000, &p), VKP_SHAPE);
    assert_null(p.rgba);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(jpeg_quality_counts),
        cmocka_unit_test(png_of_every_kind),
        cmocka_unit_test(pnm_of_every_kind),
        cmocka_unit_test(exif_orientation_is_applied),
        cmocka_unit_test(damaged_exif_is_no_harm),
        cmocka_unit_test(run_length_coded_tga),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(no_damage_crashes),
        cmocka_unit_test(progressive_jpeg),
        cmocka_unit_test(jpeg_with_damaged_tables_never_meets_the_decoder),
        cmocka_unit_test(enormous_pictures_are_refused_by_their_header),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(info_reads_past_long_headers),
        cmocka_unit_test(bad_writes_leave_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
