/* The one place where stb_image and stb_image_write are compiled. PNM is left out: stb reads no ASCII form,
 * ignores the maximum value, and reads past the end of 16-bit ones (CVE-2021-42716); image/pnm.c reads it.
 * So is PNG: stb checks no checksum and unpacks whatever stands there, gigabytes from kilobytes;
 * image/picture_png_read.c reads it. */
#include <stdlib.h>

#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#define STBI_NO_STDIO
/* A damaged file is an error, never an abort. What the assertions are about, image/jpeg.c checks before. */
#define STBI_ASSERT(condition) ((void)sizeof(condition))
/* Some damage leaves parts of a picture untouched: they are black then, and not what was in memory before. */
#define STBI_MALLOC(size) calloc(1, size)
#define STBI_REALLOC(old, size) realloc(old, size)
#define STBI_FREE(old) free(old)
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
