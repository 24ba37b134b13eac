/* Format: which kind of picture some bytes are, and whether they are all there. Decoders fill what a
 * truncated file lacks with gray or black and say nothing, so completeness is checked before. For
 * image/picture.c. */
#ifndef VKP_IMAGE_FORMAT_H
#define VKP_IMAGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum vkp_picture_format {
    VKP_PICTURE_NONE,
    VKP_PICTURE_JPEG,
    VKP_PICTURE_PNG,
    VKP_PICTURE_BMP,
    VKP_PICTURE_TGA,
    VKP_PICTURE_PNM
} vkp_picture_format;

/* By the first bytes, not by any name. TGA has no magic number: plausible headers count. */
vkp_picture_format vkp_format_of(const uint8_t *bytes, size_t size);

/* What the bytes are instead of a picture that can be read, to go on in an error message: " but a GIF"; ""
 * when nobody knows. */
const char *vkp_format_foreign(const uint8_t *bytes, size_t size);

/* What there is in a valid file that would be refused or shown wrong, as words for an error message, or
 * NULL. */
const char *vkp_format_unsupported(vkp_picture_format format, const uint8_t *bytes, size_t size);

/* What is wrong with a PNG's chunks that libpng would pass over though pixels may follow from them, tRNS and
 * unknown ones, or NULL. */
const char *vkp_format_png_problem(const uint8_t *png, size_t size);

/* Whether a PNG has frames (APNG's acTL), and whether its samples have 16 bits. */
bool vkp_format_is_animated(const uint8_t *png, size_t size);
bool vkp_format_png_is_deep(const uint8_t *png, size_t size);

/* Width and height from a PNG's IHDR chunk; both 0 when they are missing or above 2^24. */
void vkp_format_png_size(const uint8_t *png, size_t size, int *width, int *height);

/* The data of a PNG's first chunk of this type, NULL when there is none or its checksum is wrong; *found:
 * there is one at all. */
const uint8_t *vkp_format_png_chunk(const uint8_t *png, size_t size, const char *type, size_t *length,
                                    bool *found);

/* What is missing at the end, as words for an error message, or NULL when nothing is. JPEG is followed to its
 * end-of-image marker, PNG to its IEND chunk (what follows is ignored), BMP and TGA pixel data is measured;
 * PNM is left to its decoder. */
const char *vkp_format_missing(vkp_picture_format format, const uint8_t *bytes, size_t size);

#endif
