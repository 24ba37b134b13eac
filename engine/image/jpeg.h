/* JPEG: the structure of a file, walked without decoding it. For image/picture.c and image/format.c. */
#ifndef VKP_IMAGE_JPEG_H
#define VKP_IMAGE_JPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All take bytes that begin with a start-of-image marker. */

/* Why a decoder must not be given the file, as words for an error message, or NULL: Huffman tables that are
 * not well formed or not defined before a scan uses them, likewise quantization tables, sampling factors
 * that do not divide the largest, a component without picture data, more than 500 scans. NULL for every
 * valid JPEG that was not made to take long. stb_image 2.27 checks none of these and reads or writes
 * outside its tables, even when it only looks for width and height. */
const char *vkp_jpeg_problem(const uint8_t *bytes, size_t size);

/* What there is in the file that is valid and that stb_image cannot decode, or would decode to wrong colours,
 * as words for an error message, or NULL. */
const char *vkp_jpeg_unsupported(const uint8_t *bytes, size_t size);

/* Whether the coefficients of the whole picture have to be held while it is decoded. */
bool vkp_jpeg_is_progressive(const uint8_t *bytes, size_t size);

/* What is missing up to the end-of-image marker, as words for an error message, or NULL. */
const char *vkp_jpeg_missing(const uint8_t *bytes, size_t size);

/* The Exif block (from "Exif\0\0" on) and its length; NULL when there is none. */
const uint8_t *vkp_jpeg_exif(const uint8_t *bytes, size_t size, size_t *length);

/* A piece of the file. */
typedef struct vkp_jpeg_part {
    const uint8_t *data;
    size_t length;
} vkp_jpeg_part;

enum { VKP_JPEG_MAX_PARTS = 255 };

/* The parts of the ICC profile in their order; returns their number, 0 when there is no profile, or when its
 * parts are not numbered 1 to their count, each once. *found: there is a part of one at least. */
size_t vkp_jpeg_icc(const uint8_t *bytes, size_t size, vkp_jpeg_part parts[VKP_JPEG_MAX_PARTS], bool *found);

#endif
