/* Writing: encoded in memory by stb_image_write, then stored in one step. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <stb_image_write.h>

#include "base/file.h"
#include "image/format.h"
#include "image/picture.h"

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

/* A growing piece of memory; once growing fails, nothing more is taken. */
typedef struct sink {
    uint8_t *bytes;
    size_t size, room;
    bool failed;
} sink;

static void take(void *context, void *data, int size)
{
    sink *s = context;
    if (s->failed || size <= 0) return;
    if (s->room - s->size < (size_t)size) {
        size_t room = s->room * 2 + (size_t)size;
        uint8_t *bytes = realloc(s->bytes, room);
        if (!bytes) {
            s->failed = true;
            return;
        }
        s->bytes = bytes;
        s->room = room;
    }
    memcpy(s->bytes + s->size, data, (size_t)size);
    s->size += (size_t)size;
}

static vkp_status check_shape(const char *path, vkp_picture_format format, const vkp_picture *p)
{
    int side = format == VKP_PICTURE_JPEG || format == VKP_PICTURE_TGA ? 65535 : INT_MAX / 5;
    /* stb_image_write counts bytes in int; PNG has one more a row. */
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

/* False: memory ran out. */
static bool encode(vkp_picture_format format, int w, int h, int channels, const uint8_t *pixels, int quality,
                   sink *s)
{
    char head[48];
    switch (format) {
    case VKP_PICTURE_PNG:
        return stbi_write_png_to_func(take, s, w, h, channels, pixels, w * channels) && !s->failed;
    case VKP_PICTURE_JPEG:
        return stbi_write_jpg_to_func(take, s, w, h, channels, pixels, quality) && !s->failed;
    case VKP_PICTURE_BMP: return stbi_write_bmp_to_func(take, s, w, h, channels, pixels) && !s->failed;
    case VKP_PICTURE_TGA: return stbi_write_tga_to_func(take, s, w, h, channels, pixels) && !s->failed;
    default:
        take(s, head, snprintf(head, sizeof head, "P6\n%d %d\n255\n", w, h));
        take(s, (void *)pixels, w * h * channels);
        return !s->failed;
    }
}

vkp_status vkp_picture_write(const char *path, const vkp_picture *picture, int quality)
{
    VKP_TRY(vkp_picture_check_path(path));
    vkp_picture_format format = format_of_path(path);
    if (format == VKP_PICTURE_JPEG && (quality < 1 || quality > 100))
        return vkp_fail(VKP_USAGE,
                        "cannot write %s with quality %d (quality is 1 to 100; choose one of them)", path,
                        quality);
    VKP_TRY(check_shape(path, format, picture));
    bool alpha = picture->alpha && (format == VKP_PICTURE_PNG || format == VKP_PICTURE_TGA);
    uint8_t *rgb = alpha ? NULL : without_alpha(picture);
    sink s = {.bytes = NULL};
    vkp_status status;
    if ((!alpha && !rgb) || !encode(format, picture->width, picture->height, alpha ? 4 : 3,
                                    alpha ? picture->rgba : rgb, quality, &s))
        status =
            vkp_fail(VKP_MEMORY, "no memory to encode %s (host memory ran out; close other programs)", path);
    else
        status = vkp_file_write(path, s.bytes, s.size);
    free(rgb);
    free(s.bytes);
    return status;
}
