#include "blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

void blob_add(blob *b, const void *bytes, size_t size)
{
    b->bytes = realloc(b->bytes, b->size + size + 1);
    assert_non_null(b->bytes);
    if (size) memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

void blob_add_text(blob *b, const char *text) { blob_add(b, text, strlen(text)); }

void blob_free(blob *b)
{
    free(b->bytes);
    *b = (blob){NULL, 0};
}

static void add_be32(blob *b, uint32_t v)
{
    blob_add(b, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

/* PNG's checksum: CRC-32 with polynomial 0xEDB88320, bit by bit. */
static uint32_t crc(const uint8_t *p, size_t size)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
    }
    return ~c;
}

void blob_add_chunk(blob *b, const char *type, const blob *data)
{
    add_be32(b, (uint32_t)data->size);
    size_t start = b->size;
    blob_add_text(b, type);
    blob_add(b, data->bytes, data->size);
    add_be32(b, crc(b->bytes + start, b->size - start));
}

blob blob_stored(const blob *raw)
{
    blob z = {NULL, 0};
    blob_add(&z, "\x78\x01", 2);
    uint32_t a = 1, s = 0;
    for (size_t at = 0; at < raw->size;) {
        size_t n = raw->size - at < 65535 ? raw->size - at : 65535;
        uint8_t lo = (uint8_t)n, hi = (uint8_t)(n >> 8);
        blob_add(&z, (uint8_t[]){at + n == raw->size, lo, hi, (uint8_t)~lo, (uint8_t)~hi}, 5);
        blob_add(&z, raw->bytes + at, n);
        at += n;
    }
    for (size_t i = 0; i < raw->size; i++) a = (a + raw->bytes[i]) % 65521, s = (s + a) % 65521;
    add_be32(&z, s << 16 | a);
    return z;
}

blob blob_png(int w, int h, int channels, int bits, const uint8_t *samples)
{
    static const uint8_t color_types[] = {0, 0, 4, 2, 6};
    blob png = {NULL, 0}, head = {NULL, 0}, raw = {NULL, 0}, none = {NULL, 0};
    blob_add(&png, "\x89PNG\r\n\x1a\n", 8);
    add_be32(&head, (uint32_t)w);
    add_be32(&head, (uint32_t)h);
    blob_add(&head, (uint8_t[]){(uint8_t)bits, color_types[channels], 0, 0, 0}, 5);
    blob_add_chunk(&png, "IHDR", &head);
    size_t row = (size_t)w * (size_t)channels * (size_t)bits / 8;
    for (int y = 0; samples && y < h; y++) {
        blob_add(&raw, "", 1);
        blob_add(&raw, samples + (size_t)y * row, row);
    }
    blob z = blob_stored(&raw);
    blob_add_chunk(&png, "IDAT", &z);
    blob_add_chunk(&png, "IEND", &none);
    blob_free(&head);
    blob_free(&raw);
    blob_free(&z);
    return png;
}

blob blob_with_orientation(const blob *jpeg, int orientation, int big_endian)
{
    static const uint8_t big[] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0,
                                  0, 0, 0, 0};
    static const uint8_t little[] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                                     0,   1,   0,   0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
    uint8_t tiff[sizeof big];
    memcpy(tiff, big_endian ? big : little, sizeof tiff);
    tiff[big_endian ? 19 : 18] = (uint8_t)orientation;
    blob out = {NULL, 0};
    blob_add(&out, jpeg->bytes, 2);
    blob_add(&out, (uint8_t[]){0xff, 0xe1, 0, 2 + 6 + sizeof tiff}, 4);
    blob_add(&out, "Exif\0\0", 6);
    blob_add(&out, tiff, sizeof tiff);
    blob_add(&out, jpeg->bytes + 2, jpeg->size - 2);
    return out;
}

blob blob_read(const char *path)
{
    void *bytes;
    blob b = {NULL, 0};
    assert_int_equal(vkp_file_read(path, 1 << 28, &bytes, &b.size), VKP_OK);
    b.bytes = bytes;
    return b;
}

void blob_write(const blob *b, const char *path)
{
    assert_int_equal(vkp_file_write(path, b->bytes, b->size), VKP_OK);
}
