/* Pictures put together byte by byte, in forms that no writer of vkpix makes. */
#ifndef VKP_TEST_BLOB_H
#define VKP_TEST_BLOB_H

#include <stddef.h>
#include <stdint.h>

typedef struct blob {
    uint8_t *bytes; /* malloc'd */
    size_t size;
} blob;

/* Appends; a zeroed blob is empty. Fails the test when memory runs out. */
void blob_add(blob *b, const void *bytes, size_t size);
void blob_add_text(blob *b, const char *text);
void blob_free(blob *b);

/* Appends a PNG chunk with its length and checksum. */
void blob_add_chunk(blob *b, const char *type, const blob *data);

/* zlib's container around `raw`, with stored (uncompressed) blocks. */
blob blob_stored(const blob *raw);

/* A PNG of w x h with `channels` (1 to 4) of 8 or 16 bits; samples are big-endian, row by row without
 * gaps. */
blob blob_png(int w, int h, int channels, int bits, const uint8_t *samples);

/* A JPEG with an Exif block inserted that holds nothing but this orientation, in either byte order. */
blob blob_with_orientation(const blob *jpeg, int orientation, int big_endian);

/* A file's content from disk, and to disk; fail the test. */
blob blob_read(const char *path);
void blob_write(const blob *b, const char *path);

#endif
