/* Writing: encoded in memory by stb_image_write (PNG: libpng), then stored in one step. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <stb_image_write.h>

#include "base/file.h"
#include "image/deep.h"
#include "image/format.h"
#include "image/picture_png.h"

static vkp_picture_format format_of_path(const char *path)
{
    static const struct {
        const char *extension;
        vkp_picture_format format;
    } known[] = {{"png", VKP_PICTURE_PNG}, {"jpg", VKP_PICTURE_JPEG}, {"jpeg", VKP_PICTURE_JPEG},
                 {"bmp", VKP_PICTURE_BMP}, {"tga", VKP_PICTURE_TGA},  {"ppm", VKP_PICTURE_PNM},
                 {"pnm", VKP_PICTURE_PNM}};
    const char *extension = vkp_path_extension(path);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(extension, known[i].extension)) return known[i].format;
    return VKP_PICTURE_NONE;
}

vkp_status vkp_picture_check_path(const char *path)
{
    if (format_of_path(path) != VKP_PICTURE_NONE) return VKP_OK;
    return vkp_fail(VKP_USAGE,
                    "cannot write a picture as %s (its extension names no format vkpix writes; use .png, "
                    ".jpg, .bmp, .tga or .ppm)",
                    path);
}

static void take(void *context, void *data, int size)
{
    if (size > 0) vkp_sink_take(context, data, (size_t)size);
}

static vkp_status check_shape(const char *path, vkp_picture_format format, const vkp_picture *p)
{
    int side = format == VKP_PICTURE_JPEG || format == VKP_PICTURE_TGA ? 65535 : INT_MAX / 5;
    /* stb_image_write counts bytes in int. */
    if (p->width >= 1 && p->height >= 1 && p->width <= side && p->height <= side &&
        ((int64_t)p->width * 4 + 4) * p->height + 256 <= INT_MAX)
        return VKP_OK;
    return vkp_fail(VKP_SHAPE,
                    "cannot write %s (%dx%d pixels are too many for this format; choose another or a "
                    "smaller picture)",
                    path, p->width, p->height);
}

/* Tightly packed RGB; NULL when memory ran out. */
static uint8_t *without_alpha(const vkp_picture *p)
{
    size_t count = (size_t)p->width * (size_t)p->height;
    uint8_t *rgb = malloc(count * 3);
    for (size_t i = 0; rgb && i < count; i++) memcpy(rgb + i * 3, p->rgba + i * 4, 3);
    return rgb;
}

/* P6, its samples from high to low byte. False: memory ran out. */
static bool encode_pnm(const vkp_picture *p, const uint8_t *rgb, vkp_sink *s)
{
    char head[48];
    const size_t samples = (size_t)p->width * 3;
    const int length = snprintf(head, sizeof head, "P6\n%d %d\n%u\n", p->width, p->height,
                                p->deep ? VKP_DEEP_WHITE : 255);
    vkp_sink_take(s, head, (size_t)length);
    if (!p->deep) {
        vkp_sink_take(s, rgb, samples * (size_t)p->height);
        return !s->failed;
    }
    uint16_t *row = malloc(samples * sizeof *row);
    for (int y = 0; row && y < p->height && !s->failed; y++) {
        vkp_deep_row(p, y, 3, row);
        uint8_t *bytes = (uint8_t *)row;
        for (size_t i = 0; i < samples; i++) {
            const uint16_t value = row[i];
            bytes[2 * i] = (uint8_t)(value >> 8);
            bytes[2 * i + 1] = (uint8_t)value;
        }
        vkp_sink_take(s, row, samples * 2);
    }
    const bool written = row && !s->failed;
    free(row);
    return written;
}

static void take_segment(vkp_sink *s, uint8_t marker, const void *head, size_t head_size,
                         const uint8_t *data, size_t size)
{
    const size_t length = 2 + head_size + size;
    vkp_sink_take(s, (uint8_t[]){0xff, marker, (uint8_t)(length >> 8), (uint8_t)length}, 4);
    vkp_sink_take(s, head, head_size);
    vkp_sink_take(s, data, size);
}

/* APP1 with the Exif block, and APP2 with the profile in numbered parts. */
static void take_kept(const vkp_picture *p, vkp_sink *s)
{
    const vkp_kept *kept = &p->kept;
    uint8_t *block;
    size_t size;
    vkp_kept_exif(kept, p->width, p->height, &block, &size);
    if (block) take_segment(s, 0xe1, NULL, 0, block, size);
    free(block);
    const size_t part = VKP_KEPT_ICC_PART, count = (kept->icc_size + part - 1) / part;
    for (size_t i = 0; i < count; i++) {
        const size_t left = kept->icc_size - i * part;
        char head[14] = "ICC_PROFILE";
        head[12] = (char)(i + 1);
        head[13] = (char)count;
        take_segment(s, 0xe2, head, sizeof head, kept->icc + i * part, left < part ? left : part);
    }
}

/* What is kept goes behind the JFIF segment that stb_image_write begins with. False: memory ran out. */
static bool encode_jpeg(const vkp_picture *p, const uint8_t *rgb, int quality, vkp_sink *s)
{
    vkp_sink plain = {.bytes = NULL};
    const size_t head = 20;
    const int made = stbi_write_jpg_to_func(take, &plain, p->width, p->height, 3, rgb, quality);
    const bool written = made && !plain.failed && plain.size > head;
    if (written) {
        vkp_sink_take(s, plain.bytes, head);
        take_kept(p, s);
        vkp_sink_take(s, plain.bytes + head, plain.size - head);
    }
    free(plain.bytes);
    return written && !s->failed;
}

/* `pixels` have no gaps. False: memory ran out. */
static bool encode(vkp_picture_format format, const vkp_picture *p, int channels, const uint8_t *pixels,
                   int quality, vkp_sink *s)
{
    const int w = p->width, h = p->height;
    switch (format) {
    case VKP_PICTURE_JPEG: return encode_jpeg(p, pixels, quality, s);
    case VKP_PICTURE_BMP: return stbi_write_bmp_to_func(take, s, w, h, channels, pixels) && !s->failed;
    case VKP_PICTURE_TGA: return stbi_write_tga_to_func(take, s, w, h, channels, pixels) && !s->failed;
    default: return encode_pnm(p, pixels, s);
    }
}

/* False: memory ran out. */
static bool encode_any(vkp_picture_format format, const vkp_picture *p, int quality, vkp_sink *s)
{
    if (format == VKP_PICTURE_PNG) return vkp_png_encode(p, s);
    if (p->alpha && (format == VKP_PICTURE_BMP || format == VKP_PICTURE_TGA))
        return encode(format, p, 4, p->rgba, quality, s);
    uint8_t *rgb = without_alpha(p);
    const bool written = rgb && encode(format, p, 3, rgb, quality, s);
    free(rgb);
    return written;
}

vkp_status vkp_picture_encode(const char *name, const vkp_picture *picture, int quality, uint8_t **bytes,
                              size_t *size)
{
    *bytes = NULL;
    *size = 0;
    VKP_TRY(vkp_picture_check_path(name));
    vkp_picture_format format = format_of_path(name);
    if (format == VKP_PICTURE_JPEG && (quality < 1 || quality > 100))
        return vkp_fail(VKP_USAGE,
                        "cannot write %s with quality %d (quality is 1 to 100; choose one of them)", name,
                        quality);
    VKP_TRY(check_shape(name, format, picture));
    vkp_sink s = {.bytes = NULL};
    if (!encode_any(format, picture, quality, &s)) {
        free(s.bytes);
        return vkp_fail(VKP_MEMORY, "no memory to encode %s (host memory ran out; close other programs)",
                        name);
    }
    *bytes = s.bytes;
    *size = s.size;
    return VKP_OK;
}

vkp_status vkp_picture_write(const char *path, const vkp_picture *picture, int quality)
{
    uint8_t *bytes;
    size_t size;
    VKP_TRY(vkp_picture_encode(path, picture, quality, &bytes, &size));
    const vkp_status status = vkp_file_write(path, bytes, size);
    free(bytes);
    return status;
}
