#include "kept_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libexif/exif-data.h>

#include "base/random.h"
#include "small_picture.h"

static const uint8_t one_tag[] = {0, 0, 0, 1, 'c', 'p', 'r', 't', 0, 0, 0, 144};

void kept_put_be32(uint8_t *p, size_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

blob kept_profile(const char *space, size_t size)
{
    blob b = {calloc(size, 1), size};
    assert_non_null(b.bytes);
    kept_put_be32(b.bytes, size);
    memcpy(b.bytes + 8, "\2\x40\0\0mntr", 8);
    memcpy(b.bytes + 16, space, 4);
    memcpy(b.bytes + 20, "XYZ ", 4);
    memcpy(b.bytes + 36, "acsp", 4);
    memcpy(b.bytes + 68, "\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d", 12); /* D50 */
    memcpy(b.bytes + 128, one_tag, sizeof one_tag);
    kept_put_be32(b.bytes + 140, size - 144);
    for (size_t i = 144; i < size; i++) b.bytes[i] = (uint8_t)vkp_random_u32(5, 1, i);
    return b;
}

static ExifEntry *add_entry(ExifData *data, ExifIfd ifd, ExifTag tag, ExifFormat format, unsigned count)
{
    ExifEntry *entry = exif_entry_new();
    entry->tag = tag;
    entry->format = format;
    entry->components = count;
    entry->size = count * exif_format_get_size(format);
    entry->data = calloc(entry->size, 1);
    exif_content_add_entry(data->ifd[ifd], entry);
    exif_entry_unref(entry);
    return entry;
}

blob kept_exif(int orientation, bool big_endian)
{
    static const uint8_t thumbnail[] = "\xff\xd8THUMBNAIL\xff\xd9";
    const ExifByteOrder order = big_endian ? EXIF_BYTE_ORDER_MOTOROLA : EXIF_BYTE_ORDER_INTEL;
    ExifData *d = exif_data_new();
    exif_data_set_byte_order(d, order);
    exif_set_short(add_entry(d, EXIF_IFD_0, EXIF_TAG_ORIENTATION, EXIF_FORMAT_SHORT, 1)->data, order,
                   (ExifShort)orientation);
    memcpy(add_entry(d, EXIF_IFD_0, EXIF_TAG_MAKE, EXIF_FORMAT_ASCII, 7)->data, "Plates", 7);
    memcpy(add_entry(d, EXIF_IFD_0, (ExifTag)0xc6f3, EXIF_FORMAT_ASCII, 8)->data, "unknown", 8);
    add_entry(d, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION, EXIF_FORMAT_LONG, 1);
    add_entry(d, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION, EXIF_FORMAT_SHORT, 1);
    add_entry(d, EXIF_IFD_GPS, (ExifTag)EXIF_TAG_GPS_LATITUDE_REF, EXIF_FORMAT_ASCII, 2)->data[0] = 'N';
    exif_set_short(add_entry(d, EXIF_IFD_1, EXIF_TAG_COMPRESSION, EXIF_FORMAT_SHORT, 1)->data, order, 6);
    d->data = malloc(sizeof thumbnail);
    memcpy(d->data, thumbnail, sizeof thumbnail);
    d->size = sizeof thumbnail;
    blob b = {NULL, 0};
    unsigned size;
    exif_data_save_data(d, &b.bytes, &size);
    b.size = size;
    exif_data_unref(d);
    assert_true(b.size > 6);
    return b;
}

static void add_segment(blob *b, uint8_t marker, const void *data, size_t size)
{
    blob_add(b, (uint8_t[]){0xff, marker, (uint8_t)((size + 2) >> 8), (uint8_t)(size + 2)}, 4);
    blob_add(b, data, size);
}

void kept_add_icc_part(blob *b, int number, int count, const uint8_t *data, size_t size)
{
    blob part = {NULL, 0};
    blob_add(&part, "ICC_PROFILE", 12);
    blob_add(&part, (uint8_t[]){(uint8_t)number, (uint8_t)count}, 2);
    blob_add(&part, data, size);
    add_segment(b, 0xe2, part.bytes, part.size);
    blob_free(&part);
}

blob kept_plain_jpeg(void)
{
    small_picture_write("plain.jpg", KEPT_W, KEPT_H, 0);
    return blob_read("plain.jpg");
}

blob kept_jpeg(const blob *exif, const blob *icc)
{
    enum { PART = 50000 };
    blob plain = kept_plain_jpeg(), b = {NULL, 0};
    blob_add(&b, plain.bytes, 20);
    if (exif) add_segment(&b, 0xe1, exif->bytes, exif->size);
    const int count = icc ? (int)((icc->size + PART - 1) / PART) : 0;
    for (int i = count; i >= 1; i--) {
        const size_t at = (size_t)(i - 1) * PART, left = icc->size - at;
        kept_add_icc_part(&b, i, count, icc->bytes + at, left < PART ? left : PART);
    }
    blob_add(&b, plain.bytes + 20, plain.size - 20);
    blob_free(&plain);
    return b;
}
