/* What pictures keep: Exif and ICC profiles from JPEG and PNG to JPEG and PNG, 16-bit samples, and what
 * happens when these are damaged. Exif is read back by libexif, PNG chunks by libpng. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libexif/exif-data.h>
#include <png.h>

#include "base/random.h"
#include "blob.h"
#include "image/deep.h"
#include "image/picture.h"
#include "kept_samples.h"
#include "scratch.h"
#include "small_picture.h"

enum { W = KEPT_W, H = KEPT_H, DEEP_W = 37, DEEP_H = 29 };

static vkp_picture decode(const blob *b)
{
    vkp_picture p;
    if (vkp_picture_decode(b->bytes, b->size, "blob", 0, &p) != VKP_OK) fail_msg("%s", vkp_error());
    return p;
}

static unsigned number_of(const ExifData *d, ExifIfd ifd, ExifTag tag)
{
    ExifEntry *e = exif_content_get_entry(d->ifd[ifd], tag);
    assert_non_null(e);
    const ExifByteOrder order = exif_data_get_byte_order((ExifData *)d);
    return e->format == EXIF_FORMAT_SHORT ? exif_get_short(e->data, order) : exif_get_long(e->data, order);
}

static void check_exif(const vkp_picture *p, unsigned orientation)
{
    ExifData *d = exif_data_new();
    exif_data_unset_option(d, EXIF_DATA_OPTION_IGNORE_UNKNOWN_TAGS);
    exif_data_unset_option(d, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION); /* it would tidy up what it reads */
    assert_non_null(p->kept.exif);
    exif_data_load_data(d, p->kept.exif, (unsigned)p->kept.exif_size);
    assert_int_equal(number_of(d, EXIF_IFD_0, EXIF_TAG_ORIENTATION), orientation);
    assert_int_equal(number_of(d, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION), p->width);
    assert_int_equal(number_of(d, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION), p->height);
    const ExifEntry *make = exif_content_get_entry(d->ifd[EXIF_IFD_0], EXIF_TAG_MAKE);
    assert_true(make && make->size == 7 && memcmp(make->data, "Plates", 7) == 0);
    assert_non_null(exif_content_get_entry(d->ifd[EXIF_IFD_0], (ExifTag)0xc6f3));
    assert_non_null(exif_content_get_entry(d->ifd[EXIF_IFD_GPS], (ExifTag)EXIF_TAG_GPS_LATITUDE_REF));
    assert_true(d->size == 0 && d->ifd[EXIF_IFD_1]->count == 0);
    for (size_t i = 0; i + 9 <= p->kept.exif_size; i++)
        assert_memory_not_equal(p->kept.exif + i, "THUMBNAIL", 9);
    exif_data_unref(d);
}

static void check_icc(const vkp_picture *p, const blob *icc)
{
    assert_int_equal(p->kept.icc_size, icc->size);
    assert_memory_equal(p->kept.icc, icc->bytes, icc->size);
}

static vkp_picture write_and_read(const vkp_picture *p, const char *path)
{
    if (vkp_picture_write(path, p, 95) != VKP_OK) fail_msg("%s", vkp_error());
    return small_picture_read(path);
}

static void through_every_format(void **state)
{
    (void)state;
    static const size_t sizes[] = {160, 4096, 150000};
    for (int k = 0; k < 6; k++) {
        blob exif = kept_exif(k < 3 ? 6 : 1, k % 2), icc = kept_profile("RGB ", sizes[k % 3]);
        blob jpeg = kept_jpeg(&exif, &icc);
        vkp_picture from = decode(&jpeg);
        assert_int_equal(from.width, k < 3 ? H : W);
        check_icc(&from, &icc);
        assert_null(from.kept.left_out);
        vkp_picture a = write_and_read(&from, "a.jpg"), b = write_and_read(&a, "b.png");
        vkp_picture c = write_and_read(&b, "c.png"), d = write_and_read(&c, "d.jpg");
        vkp_picture *all[] = {&a, &b, &c, &d, &from};
        for (int i = 0; i < 4; i++) {
            check_exif(all[i], 1);
            check_icc(all[i], &icc);
            assert_true(all[i]->width == from.width && all[i]->height == from.height);
        }
        vkp_picture none = write_and_read(&from, "e.ppm");
        assert_true(!none.kept.exif && !none.kept.icc);
        vkp_picture_free(&none);
        for (int i = 0; i < 5; i++) vkp_picture_free(all[i]);
        blob_free(&exif);
        blob_free(&icc);
        blob_free(&jpeg);
    }
}

/* A PNG is not turned by its Exif block, so the orientation stays for whoever looks at the copy. */
static void orientation_in_png_stays(void **state)
{
    (void)state;
    blob exif = kept_exif(8, true);
    vkp_picture p = {0};
    assert_int_equal(vkp_picture_make(W, H, &p), VKP_OK);
    p.kept = (vkp_kept){.exif = exif.bytes, .exif_size = exif.size};
    vkp_picture q = write_and_read(&p, "turned.png");
    assert_true(q.width == W && q.height == H);
    check_exif(&q, 8);
    vkp_picture_free(&p);
    vkp_picture_free(&q);
}

/* libpng and its own checks on what was written. */
static void independent_reader_agrees(void **state)
{
    (void)state;
    blob exif = kept_exif(3, false), icc = kept_profile("RGB ", 4096), jpeg = kept_jpeg(&exif, &icc);
    vkp_picture p = decode(&jpeg);
    assert_int_equal(vkp_picture_write("checked.png", &p, 95), VKP_OK);
    FILE *file = fopen("checked.png", "rb");
    assert_non_null(file);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_read_info(png, info);
    png_charp name;
    png_bytep profile, block;
    int method;
    png_uint_32 size, block_size;
    assert_true(png_get_iCCP(png, info, &name, &method, &profile, &size) == PNG_INFO_iCCP);
    assert_true(size == icc.size && memcmp(profile, icc.bytes, size) == 0);
    assert_true(png_get_eXIf_1(png, info, &block_size, &block) == PNG_INFO_eXIf);
    assert_memory_equal(block, "II*", 4);
    blob whole = blob_read("checked.png");
    int chunks = 0;
    for (size_t i = 0; i + 4 <= whole.size; i++) chunks += memcmp(whole.bytes + i, "eXIf", 4) == 0;
    assert_int_equal(chunks, 1);
    blob_free(&whole);
    png_destroy_read_struct(&png, &info, NULL);
    fclose(file);
    vkp_picture_free(&p);
    blob_free(&exif);
    blob_free(&icc);
    blob_free(&jpeg);
}

/* Expects no profile, this reason, and a picture all the same. */
static void check_left_out(const blob *file, const char *reason)
{
    vkp_picture p = decode(file);
    assert_true(p.rgba && !p.kept.icc && p.kept.icc_size == 0);
    assert_string_equal(p.kept.left_out ? p.kept.left_out : "", reason);
    vkp_picture_free(&p);
}

static void profiles_that_do_not_fit(void **state)
{
    (void)state;
    blob gray = kept_profile("GRAY", 200), cmyk = kept_profile("CMYK", 200);
    blob lying = kept_profile("RGB ", 200);
    kept_put_be32(lying.bytes, 204);
    blob none = {NULL, 0}, nonsense = {NULL, 0};
    blob_add(&nonsense, "short", 5);
    const struct {
        const blob *profile;
        const char *reason;
    } cases[] = {{&gray, "is for gray pictures"}, {&cmyk, "is not for RGB pictures"}, {&lying, "is damaged"},
                 {&nonsense, "is damaged"},       {&none, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blob b = kept_jpeg(NULL, cases[i].profile);
        check_left_out(&b, cases[i].reason);
        blob_free(&b);
    }
    blob_free(&gray);
    blob_free(&cmyk);
    blob_free(&lying);
    blob_free(&nonsense);
}

static void parts_with_wrong_numbers(void **state)
{
    (void)state;
    static const int numbers[][4] = {/* number, count; twice */
                                     {1, 2, 1, 2}, {1, 2, 3, 2}, {0, 2, 1, 2}, {1, 3, 2, 3},
                                     {1, 2, 2, 3}, {1, 0, 2, 0}, {2, 1, 1, 1}, {255, 255, 254, 255}};
    blob icc = kept_profile("RGB ", 400), plain = kept_plain_jpeg();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        blob b = {NULL, 0};
        blob_add(&b, plain.bytes, 20);
        kept_add_icc_part(&b, numbers[i][0], numbers[i][1], icc.bytes, 200);
        kept_add_icc_part(&b, numbers[i][2], numbers[i][3], icc.bytes + 200, 200);
        blob_add(&b, plain.bytes + 20, plain.size - 20);
        check_left_out(&b, "is damaged");
        blob_free(&b);
    }
    blob_free(&icc);
    blob_free(&plain);
}

/* The PNG with a chunk put behind its header. */
static blob with_chunk(const blob *png, const char *type, const blob *data, bool right_checksum)
{
    const size_t head = 8 + 25;
    blob b = {NULL, 0};
    blob_add(&b, png->bytes, head);
    blob_add_chunk(&b, type, data);
    if (!right_checksum) b.bytes[b.size - 1] ^= 1;
    blob_add(&b, png->bytes + head, png->size - head);
    return b;
}

static void damaged_chunks(void **state)
{
    (void)state;
    static const uint8_t samples[3 * 4 * 4];
    blob png = blob_png(4, 4, 3, 8, samples), icc = kept_profile("RGB ", 400), good = {NULL, 0};
    blob packed = blob_stored(&icc);
    blob_add(&good, "name\0", 6);
    blob_add(&good, packed.bytes, packed.size);
    blob whole = with_chunk(&png, "iCCP", &good, true);
    vkp_picture p = decode(&whole);
    check_icc(&p, &icc);
    vkp_picture_free(&p);
    blob broken = with_chunk(&png, "iCCP", &good, false);
    check_left_out(&broken, "is damaged");
    blob_free(&broken);
    for (size_t size = 0; size < good.size; size += 1 + size / 7) { /* cut, with a right checksum */
        blob cut = {good.bytes, size};
        broken = with_chunk(&png, "iCCP", &cut, true);
        check_left_out(&broken, "is damaged");
        blob_free(&broken);
    }
    for (size_t at = 0; at < good.size; at++) { /* a length, a method or a byte that lies */
        good.bytes[at] ^= 0x81;
        broken = with_chunk(&png, "iCCP", &good, true);
        p = decode(&broken);
        vkp_picture_free(&p);
        blob_free(&broken);
        good.bytes[at] ^= 0x81;
    }
    whole.bytes[8 + 25] = 0x7f; /* the chunk's length leads out of the file, so its end is missing */
    assert_int_equal(vkp_picture_decode(whole.bytes, whole.size, "blob", 0, &p), VKP_FORMAT);
    blob_free(&png);
    blob_free(&icc);
    blob_free(&good);
    blob_free(&packed);
    blob_free(&whole);
}

/* Any byte of an Exif block may be wrong, and the block may end anywhere: the picture is read and written. */
static void damaged_exif_is_written_or_not(void **state)
{
    (void)state;
    blob exif = kept_exif(6, true);
    uint64_t draw = 0;
    for (size_t k = 0; k < exif.size; k++) {
        blob b = {NULL, 0};
        blob_add(&b, exif.bytes, k % 2 ? exif.size : 6 + k / 2 % (exif.size - 6));
        for (int flips = b.size > 6 ? (int)(k % 4) : 0; flips > 0; flips--) {
            const uint32_t at = vkp_random_below(1, 7, draw++, (uint32_t)b.size - 6);
            b.bytes[6 + at] = (uint8_t)vkp_random_u32(1, 7, draw++);
        }
        blob jpeg = kept_jpeg(&b, NULL);
        vkp_picture p = decode(&jpeg), q = write_and_read(&p, k % 8 ? "x.jpg" : "x.png");
        assert_true(q.width == p.width && q.height == p.height); /* nothing turns it a second time */
        vkp_picture_free(&p);
        vkp_picture_free(&q);
        blob_free(&b);
        blob_free(&jpeg);
    }
    blob_free(&exif);
}

/* Bytes changed anywhere in files that have all of it: read or refused, and what is read can be prepared for
 * writing. */
static void no_damage_crashes(void **state)
{
    (void)state;
    static uint8_t samples[DEEP_W * DEEP_H * 8];
    blob exif = kept_exif(6, false), icc = kept_profile("RGB ", 400);
    blob jpeg = kept_jpeg(&exif, &icc), deep = blob_png(DEEP_W, DEEP_H, 4, 16, samples);
    vkp_picture p = decode(&jpeg);
    assert_int_equal(vkp_picture_write("all.png", &p, 95), VKP_OK);
    vkp_picture_free(&p);
    blob whole[] = {jpeg, deep, blob_read("all.png")};
    uint64_t draw = 0;
    for (int k = 0; k < 6000; k++) {
        const blob *from = &whole[k % 3];
        blob b = {NULL, 0};
        blob_add(&b, from->bytes, from->size);
        for (int flips = 1 + k % 4; flips > 0; flips--) {
            const uint32_t at = vkp_random_below(1, 11, draw++, (uint32_t)b.size);
            b.bytes[at] = (uint8_t)vkp_random_u32(1, 11, draw++);
        }
        if (vkp_picture_decode(b.bytes, b.size, "damaged", 1000000, &p) == VKP_OK) {
            uint8_t *block;
            size_t size;
            vkp_kept_exif(&p.kept, p.width, p.height, &block, &size);
            free(block);
            vkp_picture_free(&p);
        }
        blob_free(&b);
    }
    for (int i = 0; i < 3; i++) blob_free(&whole[i]);
    blob_free(&exif);
    blob_free(&icc);
}

static uint16_t sample_at(const uint8_t *samples, size_t i)
{
    return (uint16_t)(samples[2 * i] << 8 | samples[2 * i + 1]);
}

static blob random_samples(size_t count)
{
    blob b = {malloc(count * 2), count * 2};
    assert_non_null(b.bytes);
    for (size_t i = 0; i < b.size; i++) b.bytes[i] = (uint8_t)vkp_random_u32(3, 9, i);
    return b;
}

static int off_by(int a, int b) { return abs(a - b); }

/* Gray, gray+alpha, RGB, RGBA at 16 bits: luma and alpha come back from a 16-bit PNG, the last bit apart. */
static void deep_png(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 4; channels++) {
        const size_t n = DEEP_W * DEEP_H, c = (size_t)channels, colors = c < 3 ? 1 : 3;
        blob samples = random_samples(n * c), png = blob_png(DEEP_W, DEEP_H, channels, 16, samples.bytes);
        vkp_picture p = decode(&png);
        assert_non_null(p.deep);
        for (size_t i = 0; i < n; i++) {
            uint16_t rgb[3];
            for (size_t k = 0; k < 3; k++) rgb[k] = sample_at(samples.bytes, i * c + k % colors);
            const double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            assert_true(off_by(p.deep[2 * i], (int)(luma + 0.5)) <= 1);
            assert_int_equal(p.deep[2 * i + 1], c % 2 ? 65535 : sample_at(samples.bytes, i * c + c - 1));
            assert_int_equal(p.rgba[4 * i], rgb[0] >> 8);
        }
        vkp_picture q = write_and_read(&p, "deep.png"), r = write_and_read(&p, "deep.ppm");
        assert_true(q.deep && r.deep && q.alpha == p.alpha);
        for (size_t i = 0; i < n; i++) {
            assert_true(off_by(p.deep[2 * i], q.deep[2 * i]) <= 1);
            assert_true(off_by(p.deep[2 * i], r.deep[2 * i]) <= 1);
            assert_int_equal(p.deep[2 * i + 1], q.deep[2 * i + 1]);
            for (size_t k = 0; k < 3; k++) assert_true(off_by(p.rgba[4 * i + k], q.rgba[4 * i + k]) <= 2);
        }
        vkp_picture_free(&p);
        vkp_picture_free(&q);
        vkp_picture_free(&r);
        png.size -= png.size / 3;
        assert_int_equal(vkp_picture_decode(png.bytes, png.size, "blob", 0, &p), VKP_FORMAT);
        assert_true(!p.rgba && !p.deep);
        blob_free(&png);
        blob_free(&samples);
    }
}

/* Chroma that does not fit at the luma's end of the scale becomes less, in all channels alike. */
static void deep_rows_keep_luma_and_hue(void **state)
{
    (void)state;
    uint8_t rgba[4 * 4] = {255, 0, 0, 255, 0, 0, 255, 255, 200, 200, 200, 255, 10, 200, 100, 255};
    uint16_t deep[2 * 4] = {40000, 7, 60000, 65535, 51401, 0, 1, 2}, row[4 * 4];
    const vkp_picture p = {.width = 4, .height = 1, .rgba = rgba, .deep = deep, .alpha = true};
    vkp_deep_row(&p, 0, 4, row);
    for (int i = 0; i < 4; i++) {
        assert_true(off_by(vkp_luma16(row + 4 * i), deep[2 * i]) <= 1);
        assert_int_equal(row[4 * i + 3], deep[2 * i + 1]);
    }
    assert_true(row[0] == 65535 && row[1] == row[2] && row[1] < 40000);
    assert_true(row[6] == 65535 && row[4] == row[5] && row[4] < 60000);
    assert_true(row[8] == 51401 && row[9] == 51401 && row[10] == 51401);
}

static void what_is_passed_on(void **state)
{
    (void)state;
    vkp_picture from, same, other;
    assert_int_equal(vkp_picture_make(4, 4, &from), VKP_OK);
    assert_int_equal(vkp_picture_make(4, 4, &same), VKP_OK);
    assert_int_equal(vkp_picture_make(4, 5, &other), VKP_OK);
    from.deep = calloc(32, sizeof *from.deep);
    from.kept.icc = calloc(200, 1);
    from.kept.icc_size = 200;
    vkp_picture_pass_on(&from, &other);
    assert_true(other.kept.icc_size == 200 && !from.kept.icc && from.deep && !other.deep);
    vkp_picture_pass_on(&from, &same);
    assert_true(same.deep && !from.deep);
    vkp_picture_free(&from);
    vkp_picture_free(&same);
    vkp_picture_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_every_format),
        cmocka_unit_test(orientation_in_png_stays),
        cmocka_unit_test(independent_reader_agrees),
        cmocka_unit_test(profiles_that_do_not_fit),
        cmocka_unit_test(parts_with_wrong_numbers),
        cmocka_unit_test(damaged_chunks),
        cmocka_unit_test(damaged_exif_is_written_or_not),
        cmocka_unit_test(no_damage_crashes),
        cmocka_unit_test(deep_png),
        cmocka_unit_test(deep_rows_keep_luma_and_hue),
        cmocka_unit_test(what_is_passed_on),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
