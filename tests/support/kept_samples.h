/* Exif blocks and ICC profiles, and JPEG files that have them. All fail the test when memory runs out. */
#ifndef VKP_TEST_KEPT_SAMPLES_H
#define VKP_TEST_KEPT_SAMPLES_H

#include <stdbool.h>

#include "blob.h"

enum { KEPT_W = 24, KEPT_H = 16 };

/* A profile of `size` bytes (a multiple of 4, at least 160) for this colour space ("RGB "), whose one tag
 * fills it with noise. */
blob kept_profile(const char *space, size_t size);

/* "Exif\0\0" and a block that has a maker, an unknown tag, sizes of its own (9), a place, a thumbnail. */
blob kept_exif(int orientation, bool big_endian);

/* A small_picture of KEPT_W x KEPT_H in the current folder's plain.jpg, and its bytes. */
blob kept_plain_jpeg(void);

/* The same with these, which may be NULL; a profile's parts have 50000 bytes and stand in the wrong order. */
blob kept_jpeg(const blob *exif, const blob *icc);

/* Appends an APP2 segment with a part of a profile. */
void kept_add_icc_part(blob *b, int number, int count, const uint8_t *data, size_t size);

/* Stores a number's four bytes, the highest first. */
void kept_put_be32(uint8_t *to, size_t value);

#endif
