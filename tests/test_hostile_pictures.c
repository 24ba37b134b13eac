/* Pictures from anywhere: every kind is decoded as independent decoders do it, or refused in words that
 * name it; what is small on disk and huge in memory is found out before there is memory for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "blob.h"
#include "image/picture.h"
#include "small_picture.h"

#define KINDS VKP_TEST_SOURCE_DIR "/data/kinds/"

/* Fails with this code and a message in the house's form that holds `part`. */
static void assert_refused(const blob *b, uint64_t limit, vkp_status code, const char *part)
{
    vkp_picture p = {.width = 5};
    const vkp_status status = vkp_picture_decode(b->bytes, b->size, "blob", limit, &p);
    if (status != code) fail_msg("%s: %s", vkp_status_name(status), vkp_error());
    assert_null(p.rgba);
    const char *open = strchr(vkp_error(), '('), *semicolon = strrchr(vkp_error(), ';');
    if (!strstr(vkp_error(), part) || !open || !semicolon || semicolon < open)
        fail_msg("'%s' lacks '%s'", vkp_error(), part);
}

/* Expected pixels are what make.sh says: all of them, or every 50th from 25 on of the long ones. */
static void compare(const char *name, const vkp_picture *p, const blob *wanted, int tolerance)
{
    const size_t pixels = (size_t)(p->width * p->height), count = wanted->size / 4;
    const size_t step = pixels / count, from = step / 2;
    if (step * count != pixels || wanted->size % 4) fail_msg("%s: %zu pixels, not %zu", name, pixels, count);
    for (size_t i = 0; i < wanted->size; i++) {
        const int got = p->rgba[(from + i / 4 * step) * 4 + i % 4];
        if (abs(got - wanted->bytes[i]) > tolerance)
            fail_msg("%s: sample %zu of pixel %zu is %d, not %d", name, i % 4, i / 4, got, wanted->bytes[i]);
    }
}

static void every_kind_is_as_other_decoders_see_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool gray, alpha;
        int tolerance; /* inks are mixed, and chroma is rounded, in more than one way */
    } kinds[] = {
        {"gray1.png", true, false, 0},          {"gray2.png", true, false, 0},
        {"gray4_adam7.png", true, false, 0},    {"gray16_adam7.png", true, false, 1},
        {"rgb16.png", false, false, 1},         {"rgba16_adam7.png", false, true, 1},
        {"rgba_adam7.png", false, true, 0},     {"palette_trns.png", false, true, 0},
        {"palette_trns_adam7.png", false, true, 0}, {"one.png", false, false, 0},
        {"tall.png", true, false, 0},           {"wide.png", false, false, 0},
        {"progressive.jpg", false, false, 3},   {"gray.jpg", true, false, 1},
        {"one.jpg", false, false, 3},           {"tall.jpg", true, false, 1},
        {"wide.jpg", false, false, 3},          {"cmyk.jpg", false, false, 3},
        {"ycck.jpg", false, false, 4},          {"rgb.jpg", false, false, 1},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[512];
        snprintf(path, sizeof path, KINDS "%s", kinds[i].name);
        vkp_picture p = small_picture_read(path);
        snprintf(path, sizeof path, KINDS "%s.rgba", kinds[i].name);
        blob wanted = blob_read(path);
        compare(kinds[i].name, &p, &wanted, kinds[i].tolerance);
        if (p.gray != kinds[i].gray || p.alpha != kinds[i].alpha) fail_msg("%s", kinds[i].name);
        blob_free(&wanted);
        vkp_picture_free(&p);
    }
}

static void what_would_come_out_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } files[] = {{"arithmetic.jpg", "JPEG with arithmetic coding"},
                 {"cmyk_without_adobe.jpg", "four unknown colours"},
                 {"animation.gif", "but a GIF"},
                 {"animation.webp", "but a WebP"},
                 {"image.tif", "but a TIFF"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        snprintf(path, sizeof path, KINDS "%s", files[i].name);
        blob b = blob_read(path);
        assert_refused(&b, 0, VKP_INPUT, files[i].words);
        blob_free(&b);
    }
    /* The frame's header of a whole JPEG, changed: precision, height, coding. */
    static const struct {
        int at;
        uint8_t value;
        const char *words;
    } frames[] = {{-3, 0xc3, "lossless"},   {-3, 0xc5, "hierarchical"},   {-3, 0xcb, "lossless"},
                  {-3, 0xca, "arithmetic"}, {0, 12, "other than 8 bits"},
                  {2, 0, "height is not in its header"}};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        blob b = blob_read(KINDS "gray.jpg");
        size_t at = 2;
        while (b.bytes[at + 1] != 0xc0) at += 2u + ((size_t)b.bytes[at + 2] << 8 | b.bytes[at + 3]);
        b.bytes[(long)at + 4 + frames[i].at] = frames[i].value;
        assert_refused(&b, 0, VKP_INPUT, frames[i].words);
        blob_free(&b);
    }
    static const uint8_t tga[] = {0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 24, 0x10, 1, 2, 3};
    blob b = {NULL, 0};
    blob_add(&b, tga, sizeof tga);
    assert_refused(&b, 0, VKP_INPUT, "right to left");
    blob_free(&b);
}

/* The PNG's chunks in order, `more` put in before its IDAT. */
static blob with_chunks(const blob *png, const blob *more)
{
    enum { HEAD = 8 + 25 };
    blob b = {NULL, 0};
    blob_add(&b, png->bytes, HEAD);
    blob_add(&b, more->bytes, more->size);
    blob_add(&b, png->bytes + HEAD, png->size - HEAD);
    return b;
}

static void one_colour_may_stand_for_nothing(void **state)
{
    (void)state;
    static const uint8_t samples[] = {0, 10, 0, 20, 0, 30, 0, 10, 0, 20, 0, 31};
    static const struct {
        int w, channels, bits;
        uint8_t key[6];
        size_t size;
    } cases[] = {{2, 1, 8, {0, 10}, 2},
                 {2, 1, 16, {0, 20}, 2},
                 {2, 3, 8, {0, 0, 0, 10, 0, 0}, 6},
                 {2, 3, 16, {0, 10, 0, 20, 0, 31}, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blob png = blob_png(cases[i].w, 1, cases[i].channels, cases[i].bits, samples), more = {0}, key = {0};
        blob_add(&key, cases[i].key, cases[i].size);
        blob_add_chunk(&more, "tRNS", &key);
        blob keyed = with_chunks(&png, &more);
        vkp_picture p;
        if (vkp_picture_decode(keyed.bytes, keyed.size, "keyed", 0, &p) != VKP_OK)
            fail_msg("%s", vkp_error());
        assert_true(p.alpha);
        for (int x = 0; x < 2; x++) {
            /* The only pixel of that colour: the second, but for the third case. */
            const bool clear = i == 2 ? x == 0 : x == 1;
            if (p.rgba[4 * x + 3] != (clear ? 0 : 255)) fail_msg("case %zu, pixel %d", i, x);
        }
        vkp_picture_free(&p);
        blob_free(&keyed);
        blob_free(&png);
        blob_free(&more);
        blob_free(&key);
    }
}

static void an_animation_is_its_still_picture(void **state)
{
    (void)state;
    static const uint8_t gray[] = {10, 20, 30, 40};
    blob png = blob_png(2, 2, 1, 8, gray), more = {0}, actl = {0};
    blob_add(&actl, "\0\0\0\2\0\0\0\0", 8);
    blob_add_chunk(&more, "acTL", &actl);
    blob apng = with_chunks(&png, &more);
    vkp_picture p;
    assert_int_equal(vkp_picture_decode(apng.bytes, apng.size, "apng", 0, &p), VKP_OK);
    assert_true(p.animated);
    for (int i = 0; i < 4; i++) assert_int_equal(p.rgba[4 * i], gray[i]);
    vkp_picture_free(&p);
    assert_int_equal(vkp_picture_decode(png.bytes, png.size, "png", 0, &p), VKP_OK);
    assert_false(p.animated);
    vkp_picture_free(&p);
    blob_free(&apng);
    blob_free(&png);
    blob_free(&more);
    blob_free(&actl);
}

static void a_flipped_bit_is_noticed(void **state)
{
    (void)state;
    blob png = blob_read(KINDS "palette_trns.png");
    for (size_t at = 8; at < png.size; at++) {
        png.bytes[at] ^= 4;
        vkp_picture p;
        const vkp_status status = vkp_picture_decode(png.bytes, png.size, "flipped", 0, &p);
        if (status != VKP_FORMAT && status != VKP_INPUT) fail_msg("byte %zu of %zu", at, png.size);
        png.bytes[at] ^= 4;
    }
    blob_free(&png);
}

static blob packed_png(uint32_t w, uint32_t h, int bits, size_t raw_size)
{
    blob raw = {calloc(raw_size, 1), raw_size}, head = {0}, none = {0}, png = {0};
    uLongf room = compressBound(raw_size);
    blob z = {malloc(room), 0};
    assert_non_null(raw.bytes);
    assert_non_null(z.bytes);
    assert_int_equal(compress2(z.bytes, &room, raw.bytes, raw_size, 1), Z_OK);
    z.size = room;
    const uint8_t sides[] = {(uint8_t)(w >> 24), (uint8_t)(w >> 16), (uint8_t)(w >> 8), (uint8_t)w,
                             (uint8_t)(h >> 24), (uint8_t)(h >> 16), (uint8_t)(h >> 8), (uint8_t)h};
    blob_add(&head, sides, sizeof sides);
    blob_add(&head, (uint8_t[]){(uint8_t)bits, 0, 0, 0, 0}, 5);
    blob_add(&png, "\x89PNG\r\n\x1a\n", 8);
    blob_add_chunk(&png, "IHDR", &head);
    blob_add_chunk(&png, "IDAT", &z);
    blob_add_chunk(&png, "IEND", &none);
    blob_free(&raw);
    blob_free(&head);
    blob_free(&z);
    return png;
}

static void bombs_are_found_out_by_their_headers(void **state)
{
    (void)state;
    /* 14000x14000 pixels are within the limit, but cannot come from this many bytes. */
    blob png = packed_png(14000, 14000, 8, 1000);
    size_t peak;
    assert_refused(&png, 0, VKP_FORMAT, "pixel data is missing");
    assert_int_equal(vkp_picture_peak(png.bytes, png.size, "png", 0, &peak), VKP_OK);
    assert_true(peak == 14000u * 14000u * 4u);
    assert_int_equal(vkp_picture_peak(png.bytes, png.size, "png", 195999999, &peak), VKP_INPUT);
    assert_true(peak == 0);
    blob_free(&png);
    blob jpeg = blob_read(KINDS "gray.jpg");
    size_t at = 2;
    while (jpeg.bytes[at + 1] != 0xc0) at += 2u + ((size_t)jpeg.bytes[at + 2] << 8 | jpeg.bytes[at + 3]);
    memcpy(jpeg.bytes + at + 5, "\x30\x00\x30\x00", 4);
    assert_refused(&jpeg, 0, VKP_FORMAT, "pixel data is missing");
    blob_free(&jpeg);
    /* One pixel, and 64 MiB of nothing behind it: that is not unpacked. */
    png = packed_png(1, 1, 8, 64u << 20);
    vkp_picture p;
    if (vkp_picture_decode(png.bytes, png.size, "one", 0, &p) == VKP_OK) {
        assert_int_equal(p.rgba[0], 0);
        vkp_picture_free(&p);
    }
    blob_free(&png);
}

static void scans_without_end_are_refused(void **state)
{
    (void)state;
    blob whole = blob_read(KINDS "progressive.jpg"), b = {0};
    size_t at = 2;
    while (whole.bytes[at + 1] != 0xda) at += 2u + ((size_t)whole.bytes[at + 2] << 8 | whole.bytes[at + 3]);
    const size_t length = 2u + whole.bytes[at + 3];
    blob_add(&b, whole.bytes, at);
    for (int i = 0; i < 501; i++) blob_add(&b, whole.bytes + at, length);
    blob_add(&b, whole.bytes + at, whole.size - at);
    assert_refused(&b, 0, VKP_FORMAT, "more than 500 scans");
    blob_free(&b);
    blob_free(&whole);
}

/* A baseline JPEG of one gray: in both tables the only code is the bit 0, for "no difference" and "end of
 * block", so that the picture's data are zeros. */
static blob plain_jpeg(int w, int h)
{
    blob b = {0};
    const size_t blocks = (size_t)((w + 7) / 8) * (size_t)((h + 7) / 8);
    uint8_t ones[64], *zeros = calloc(blocks / 4 + 1, 1);
    assert_non_null(zeros);
    memset(ones, 1, sizeof ones);
    blob_add(&b, "\xff\xd8\xff\xdb\0\x43\0", 7);
    blob_add(&b, ones, sizeof ones);
    blob_add(&b, "\xff\xc0\0\x0b\x08", 5);
    blob_add(&b, (uint8_t[]){(uint8_t)(h >> 8), (uint8_t)h, (uint8_t)(w >> 8), (uint8_t)w}, 4);
    blob_add(&b, "\1\1\x11\0", 4);
    for (uint8_t table = 0; table <= 0x10; table = (uint8_t)(table + 0x10)) {
        blob_add(&b, "\xff\xc4\0\x14", 4);
        blob_add(&b, &table, 1);
        blob_add(&b, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
    }
    blob_add(&b, "\xff\xda\0\x08\1\1\0\0\x3f\0", 10);
    blob_add(&b, zeros, blocks / 4 + 1);
    blob_add(&b, "\xff\xd9", 2);
    free(zeros);
    return b;
}

static void a_hundred_megapixels_are_read(void **state)
{
    (void)state;
    enum { W = 12000, H = 9000 };
    blob files[] = {packed_png(W, H, 1, (size_t)H * (1 + W / 8)), plain_jpeg(W, H)};
    for (int i = 0; i < 2; i++) {
        vkp_picture p;
        size_t peak;
        assert_int_equal(vkp_picture_peak(files[i].bytes, files[i].size, "large", 0, &peak), VKP_OK);
        assert_true(peak <= (size_t)(W + 32) * (H + 32) * 8);
        if (vkp_picture_decode(files[i].bytes, files[i].size, "large", 0, &p) != VKP_OK)
            fail_msg("%s", vkp_error());
        assert_true(p.width == W && p.height == H && p.gray);
        const uint8_t want[4] = {i ? 128 : 0, i ? 128 : 0, i ? 128 : 0, 255};
        for (size_t at = 0; at < (size_t)W * H; at += 1009) assert_memory_equal(p.rgba + 4 * at, want, 4);
        vkp_picture_free(&p);
        blob_free(&files[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_as_other_decoders_see_it),
        cmocka_unit_test(what_would_come_out_wrong_is_refused),
        cmocka_unit_test(one_colour_may_stand_for_nothing),
        cmocka_unit_test(an_animation_is_its_still_picture),
        cmocka_unit_test(a_flipped_bit_is_noticed),
        cmocka_unit_test(bombs_are_found_out_by_their_headers),
        cmocka_unit_test(scans_without_end_are_refused),
        cmocka_unit_test(a_hundred_megapixels_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
