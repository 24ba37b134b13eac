/* Picture: files to 8-bit RGBA and back. Reads JPEG, PNG, BMP, TGA and PNM (P1 to P6), known by content;
 * gray, gray+alpha, RGB, RGBA, palettes; 16-bit samples become 8-bit, and their luma and alpha stay beside
 * them. PNG is decoded by libpng, JPEG, BMP and TGA by stb_image (PNM: image/pnm.h), Exif is libexif's. A
 * JPEG's Exif orientation is applied, so width, height and pixels are as a viewer shows them. Every call
 * may run in several threads at once. */
#ifndef VKP_IMAGE_PICTURE_H
#define VKP_IMAGE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/kept.h"

enum { VKP_PICTURE_MAX_PIXELS = 200 * 1000 * 1000 };

typedef struct vkp_picture {
    int width, height;
    uint8_t *rgba;  /* height x width x 4, rows from top to bottom, no gaps; malloc'd */
    uint16_t *deep; /* height x width x 2, luma (BT.601) and alpha at 16 bits; malloc'd; NULL: 8 bits only */
    bool gray;      /* the file had no colour channels */
    bool alpha;     /* the file had an alpha channel; else alpha is 255 everywhere */
    bool animated;  /* the file is an animation; this is the picture that stands for it where nothing moves */
    vkp_kept kept;  /* Exif and ICC profile */
} vkp_picture;

/* Reads the file at `path`. Pictures of more than max_pixels (0: VKP_PICTURE_MAX_PIXELS) are refused by
 * their header, before anything is decoded. vkp_picture_free afterwards; on failure *picture is zeroed.
 * VKP_INPUT: empty, no picture of a known format and kind, too large; VKP_FORMAT: truncated or damaged;
 * VKP_IO; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_picture_read(const char *path, uint64_t max_pixels, vkp_picture *picture);

/* The same from a file's bytes in memory; `name` is for messages. */
VKP_MUST_USE vkp_status vkp_picture_decode(const void *bytes, size_t size, const char *name,
                                           uint64_t max_pixels, vkp_picture *picture);

/* The bytes that decoding the file holds at one time at most, the finished picture and nothing else of the
 * file's included: what has to be free before vkp_picture_decode is called. Errors as vkp_picture_decode, as
 * far as the header tells. */
VKP_MUST_USE vkp_status vkp_picture_peak(const void *bytes, size_t size, const char *name,
                                         uint64_t max_pixels, size_t *peak);

/* What a picture holds, bytes: pixels, luma and alpha at 16 bits, Exif and profile. */
size_t vkp_picture_bytes(const vkp_picture *picture);

/* Width and height in pixels, orientation applied, from the file's header alone: a picture that has them may
 * still fail to decode. Errors as vkp_picture_read; there is no limit of pixels. */
VKP_MUST_USE vkp_status vkp_picture_info(const char *path, int *width, int *height);
VKP_MUST_USE vkp_status vkp_picture_info_decode(const void *bytes, size_t size, const char *name, int *width,
                                                int *height);

/* A black, opaque picture. VKP_MEMORY; VKP_SHAPE: sides below 1 or more than INT_MAX bytes. */
VKP_MUST_USE vkp_status vkp_picture_make(int width, int height, vkp_picture *picture);

/* Gives `to`, which shows the same pixels in other colours, what from's file had beside 8-bit pixels: Exif
 * and ICC profile and, unless the sizes differ, luma and alpha at 16 bits. They are from's no more. */
void vkp_picture_pass_on(vkp_picture *from, vkp_picture *to);

/* Frees all that it has and zeroes *picture; a zeroed picture is fine. */
void vkp_picture_free(vkp_picture *picture);

/* Writes the picture in the format that `path`'s extension names (png, jpg, jpeg, bmp, tga, ppm, pnm, in
 * upper or lower case), whole or not at all (vkp_file_write). PNG, BMP and TGA keep alpha if picture->alpha;
 * the others drop it. PNG, PPM and PNM have 16 bits a sample if picture->deep; PNG and JPEG keep Exif
 * (vkp_kept_exif) and ICC profile. JPEG takes quality 1..100, and subsamples chroma at 90 and below; the
 * others ignore it.
 * VKP_USAGE: extension or quality; VKP_SHAPE: too large for the format; VKP_IO; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_picture_write(const char *path, const vkp_picture *picture, int quality);

/* The same file's content, in memory: `name` says the format. *bytes is malloc'd (the caller frees), NULL on
 * failure. VKP_USAGE, VKP_SHAPE, VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_picture_encode(const char *name, const vkp_picture *picture, int quality,
                                           uint8_t **bytes, size_t *size);

/* Whether vkp_picture_write knows the extension: VKP_OK or VKP_USAGE, before any work is done. */
VKP_MUST_USE vkp_status vkp_picture_check_path(const char *path);

#endif
