/* Reading: header, kind, limits and completeness first, then the decoder, then the orientation. */
#include "image/picture.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libexif/exif-data.h>
#include <stb_image.h>

#include "base/file.h"
#include "image/format.h"
#include "image/jpeg.h"
#include "image/picture_png.h"
#include "image/pnm.h"

typedef struct source {
    const uint8_t *bytes;
    size_t size;
    const char *name;
} source;

typedef struct header {
    vkp_picture_format format;
    int width, height; /* as stored */
    int orientation;   /* Exif's 1..8 */
    vkp_pnm pnm;
} header;

static vkp_status damaged(const source *s, const char *reason)
{
    return vkp_fail(VKP_FORMAT, "cannot read %s (%s; replace the file by a whole copy)", s->name, reason);
}

static vkp_status unsupported(const source *s, const char *reason)
{
    return vkp_fail(VKP_INPUT, "cannot read %s (%s, which vkpix does not read; convert it to a plain PNG or "
                    "JPEG)", s->name, reason);
}

static vkp_status no_memory(const char *name, int width, int height)
{
    return vkp_fail(VKP_MEMORY,
                    "no memory for %s with %dx%d pixels (host memory ran out; resize the picture or "
                    "close other programs)",
                    name, width, height);
}

/* What stb_image said about its latest failure in this thread. */
static vkp_status decoder_failed(const source *s, const header *h)
{
    const char *reason = stbi_failure_reason();
    if (reason && !strcmp(reason, "outofmem")) return no_memory(s->name, h->width, h->height);
    if (reason && !strcmp(reason, "too large"))
        return vkp_fail(VKP_INPUT,
                        "cannot read %s (its header claims more pixels than can be decoded; resize the "
                        "picture)",
                        s->name);
    return vkp_fail(VKP_FORMAT,
                    "cannot read %s (damaged or of an unsupported kind: %s; convert it to a plain PNG "
                    "or JPEG)",
                    s->name, reason ? reason : "no reason given");
}

/* Damage by truncation is called so. */
static vkp_status incomplete_or(const source *s, const header *h, const char *reason)
{
    const char *missing = vkp_format_missing(h->format, s->bytes, s->size);
    return damaged(s, missing ? missing : reason);
}

static vkp_status read_stb_size(const source *s, header *h)
{
    if (stbi_info_from_memory(s->bytes, (int)s->size, &h->width, &h->height, NULL)) return VKP_OK;
    const char *missing = vkp_format_missing(h->format, s->bytes, s->size);
    if (missing) return damaged(s, missing);
    /* Having tried every format, stb_image only knows that none fits; its loader says what is wrong. */
    int channels;
    stbi_image_free(stbi_load_from_memory(s->bytes, (int)s->size, &h->width, &h->height, &channels, 4));
    return decoder_failed(s, h);
}

static int exif_orientation(const source *s)
{
    size_t length;
    const uint8_t *block = vkp_jpeg_exif(s->bytes, s->size, &length);
    ExifData *data = block ? exif_data_new_from_data(block, (unsigned)length) : NULL;
    if (!data) return 1;
    ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    int value = 1;
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->size >= 2)
        value = exif_get_short(entry->data, exif_data_get_byte_order(data));
    exif_data_unref(data);
    return value >= 1 && value <= 8 ? value : 1;
}

static vkp_status read_header(const source *s, header *h)
{
    *h = (header){.orientation = 1};
    if (s->size == 0)
        return vkp_fail(VKP_INPUT, "cannot read %s (the file is empty; replace or remove it)", s->name);
    h->format = vkp_format_of(s->bytes, s->size);
    if (h->format == VKP_PICTURE_NONE)
        return vkp_fail(VKP_INPUT,
                        "cannot read %s (not a JPEG, PNG, BMP, TGA or PNM picture%s; convert it to one of "
                        "these)",
                        s->name, vkp_format_foreign(s->bytes, s->size));
    if (s->size > INT_MAX)
        return vkp_fail(VKP_INPUT, "cannot read %s (the file is larger than 2 GiB; resize the picture)",
                        s->name);
    if (h->format == VKP_PICTURE_PNM) {
        const char *problem = vkp_pnm_header(s->bytes, s->size, &h->pnm);
        if (problem) return damaged(s, problem);
        h->width = h->pnm.width;
        h->height = h->pnm.height;
        return VKP_OK;
    }
    const char *reason = vkp_format_unsupported(h->format, s->bytes, s->size);
    if (reason) return unsupported(s, reason);
    reason = h->format == VKP_PICTURE_JPEG ? vkp_jpeg_problem(s->bytes, s->size) : NULL;
    if (reason) return incomplete_or(s, h, reason);
    if (h->format == VKP_PICTURE_PNG) {
        vkp_format_png_size(s->bytes, s->size, &h->width, &h->height);
    } else {
        VKP_TRY(read_stb_size(s, h));
    }
    if (h->width < 1 || h->height < 1) return incomplete_or(s, h, "its header claims no or too many pixels");
    if (h->format == VKP_PICTURE_JPEG) h->orientation = exif_orientation(s);
    return VKP_OK;
}

static vkp_status check_limits(const source *s, const header *h, uint64_t max_pixels)
{
    uint64_t limit = max_pixels ? max_pixels : VKP_PICTURE_MAX_PIXELS;
    if ((uint64_t)h->width * (uint64_t)h->height > limit)
        return vkp_fail(VKP_INPUT,
                        "cannot read %s (%dx%d pixels are more than the limit of %.6g million; resize the "
                        "picture or raise the limit)",
                        s->name, h->width, h->height, (double)limit / 1e6);
    if ((uint64_t)h->width * (uint64_t)h->height > INT_MAX / 4)
        return vkp_fail(VKP_INPUT, "cannot read %s (%dx%d pixels take more than 2 GiB; resize the picture)",
                        s->name, h->width, h->height);
    return VKP_OK;
}

static vkp_status decode_pnm(const source *s, const header *h, vkp_picture *picture)
{
    const char *problem = vkp_pnm_missing(&h->pnm, s->size);
    if (problem) return damaged(s, problem);
    VKP_TRY(vkp_picture_make(h->width, h->height, picture));
    picture->gray = h->pnm.channels == 1;
    if (h->pnm.max > 255) {
        picture->deep = malloc((size_t)h->width * (size_t)h->height * 2 * sizeof *picture->deep);
        if (!picture->deep) {
            vkp_picture_free(picture);
            return no_memory(s->name, h->width, h->height);
        }
    }
    problem = vkp_pnm_decode(&h->pnm, s->bytes, s->size, picture->rgba, picture->deep);
    if (!problem) return VKP_OK;
    vkp_picture_free(picture);
    return damaged(s, problem);
}

static vkp_status decode_stb(const source *s, const header *h, vkp_picture *picture)
{
    int width, height, channels;
    uint8_t *rgba = stbi_load_from_memory(s->bytes, (int)s->size, &width, &height, &channels, 4);
    if (!rgba) return decoder_failed(s, h);
    *picture = (vkp_picture){.width = width, .height = height, .rgba = rgba, .gray = channels < 3,
                             .alpha = channels % 2 == 0};
    return VKP_OK;
}

static vkp_status decode_any(const source *s, const header *h, vkp_picture *picture)
{
    if (h->format == VKP_PICTURE_PNM) return decode_pnm(s, h, picture);
    const char *missing = vkp_format_missing(h->format, s->bytes, s->size);
    if (missing) return damaged(s, missing);
    if (h->format != VKP_PICTURE_PNG) return decode_stb(s, h, picture);
    const char *problem = vkp_format_png_problem(s->bytes, s->size);
    if (problem) return damaged(s, problem);
    VKP_TRY(vkp_png_decode(s->bytes, s->size, s->name, picture));
    picture->animated = vkp_format_is_animated(s->bytes, s->size);
    return VKP_OK;
}

/* Makes the stored picture upright: Exif 2.3, tag 0x0112. From 5 on rows and columns change places; which of
 * the stored axes run backwards is the other half of the value. */
static vkp_status turn_upright(int orientation, const char *name, vkp_picture *p)
{
    if (orientation == 1) return VKP_OK;
    static const bool backwards[9][2] = {/* x, y */ {0, 0}, {0, 0}, {1, 0}, {1, 1}, {0, 1},
                                         {0, 0}, {0, 1}, {1, 1}, {1, 0}};
    bool swap = orientation >= 5;
    size_t w = (size_t)p->width, h = (size_t)p->height, out_w = swap ? h : w, out_h = swap ? w : h;
    uint8_t *out = malloc(w * h * 4);
    if (!out) return no_memory(name, p->width, p->height);
    for (size_t y = 0; y < out_h; y++) {
        for (size_t x = 0; x < out_w; x++) {
            size_t sx = swap ? y : x, sy = swap ? x : y;
            if (backwards[orientation][0]) sx = w - 1 - sx;
            if (backwards[orientation][1]) sy = h - 1 - sy;
            memcpy(out + (y * out_w + x) * 4, p->rgba + (sy * w + sx) * 4, 4);
        }
    }
    free(p->rgba);
    p->rgba = out;
    p->width = (int)out_w;
    p->height = (int)out_h;
    return VKP_OK;
}

vkp_status vkp_picture_decode(const void *bytes, size_t size, const char *name, uint64_t max_pixels,
                              vkp_picture *picture)
{
    *picture = (vkp_picture){.rgba = NULL};
    source s = {bytes, size, name};
    header h;
    VKP_TRY(read_header(&s, &h));
    VKP_TRY(check_limits(&s, &h, max_pixels));
    VKP_TRY(decode_any(&s, &h, picture));
    vkp_status status = turn_upright(h.orientation, name, picture);
    if (status == VKP_OK) status = vkp_kept_find(h.format, bytes, size, &picture->kept);
    picture->kept.turned = h.format == VKP_PICTURE_JPEG;
    if (status != VKP_OK) vkp_picture_free(picture);
    return status;
}

vkp_status vkp_picture_read(const char *path, uint64_t max_pixels, vkp_picture *picture)
{
    *picture = (vkp_picture){.rgba = NULL};
    void *bytes;
    size_t size;
    VKP_TRY(vkp_file_read(path, INT_MAX, &bytes, &size));
    vkp_status status = vkp_picture_decode(bytes, size, path, max_pixels, picture);
    free(bytes);
    return status;
}

vkp_status vkp_picture_info_decode(const void *bytes, size_t size, const char *name, int *width, int *height)
{
    source s = {bytes, size, name};
    header h;
    VKP_TRY(read_header(&s, &h));
    *width = h.orientation >= 5 ? h.height : h.width;
    *height = h.orientation >= 5 ? h.width : h.height;
    return VKP_OK;
}

vkp_status vkp_picture_peak(const void *bytes, size_t size, const char *name, uint64_t max_pixels,
                            size_t *peak)
{
    source s = {bytes, size, name};
    header h;
    *peak = 0;
    VKP_TRY(read_header(&s, &h));
    VKP_TRY(check_limits(&s, &h, max_pixels));
    /* By the pixel: a JPEG's planes (four, one byte) and what they become, or an upright copy of it, and its
     * coefficients (two bytes); a PNG's or PNM's RGBA, luma and alpha at 16 bits, and interlaced rows. */
    size_t each = 8;
    if (h.format == VKP_PICTURE_JPEG && vkp_jpeg_is_progressive(bytes, size)) each = 16;
    if (h.format == VKP_PICTURE_PNG) each = vkp_format_png_is_deep(bytes, size) ? 16 : 4;
    /* The planes are of whole blocks: at most 32 pixels more than the picture. */
    const size_t edge = h.format == VKP_PICTURE_JPEG ? 32 : 0;
    *peak = ((size_t)h.width + edge) * ((size_t)h.height + edge) * each;
    return VKP_OK;
}

/* Up to `size` bytes from the file's start. */
static vkp_status read_start(const char *path, uint8_t *bytes, size_t size, size_t *got)
{
    FILE *file = fopen(path, "rb");
    if (!file) return vkp_fail_errno("open", path, errno);
    *got = fread(bytes, 1, size, file);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    return error ? vkp_fail_errno("read", path, error) : VKP_OK;
}

vkp_status vkp_picture_info(const char *path, int *width, int *height)
{
    enum { START = 256 * 1024 };
    size_t size = 0;
    if (vkp_file_exists(path)) {
        uint8_t *start = malloc(START);
        if (!start) return vkp_fail_errno("read", path, ENOMEM);
        vkp_status status = read_start(path, start, START, &size);
        if (status == VKP_OK) status = vkp_picture_info_decode(start, size, path, width, height);
        free(start);
        if (status == VKP_OK || size < START) return status;
    }
    /* Profiles and thumbnails may fill more than the start; and what is no file gets its error here. */
    void *bytes;
    VKP_TRY(vkp_file_read(path, INT_MAX, &bytes, &size));
    vkp_status status = vkp_picture_info_decode(bytes, size, path, width, height);
    free(bytes);
    return status;
}

vkp_status vkp_picture_make(int width, int height, vkp_picture *picture)
{
    *picture = (vkp_picture){.rgba = NULL};
    if (width < 1 || height < 1 || width > INT_MAX / 4 / height)
        return vkp_fail(VKP_SHAPE,
                        "no picture of %dx%d pixels (sides are 1 or more, pixels below 2 GiB; choose "
                        "other sides)",
                        width, height);
    size_t bytes = (size_t)width * (size_t)height * 4;
    uint8_t *rgba = calloc(bytes, 1);
    if (!rgba) return no_memory("a picture", width, height);
    for (size_t i = 3; i < bytes; i += 4) rgba[i] = 255;
    *picture = (vkp_picture){.width = width, .height = height, .rgba = rgba};
    return VKP_OK;
}

void vkp_picture_free(vkp_picture *picture)
{
    free(picture->rgba);
    free(picture->deep);
    vkp_kept_free(&picture->kept);
    *picture = (vkp_picture){.rgba = NULL};
}

size_t vkp_picture_bytes(const vkp_picture *p)
{
    const size_t pixels = p->rgba ? (size_t)p->width * (size_t)p->height : 0;
    return pixels * (p->deep ? 8 : 4) + p->kept.exif_size + p->kept.icc_size;
}

void vkp_picture_pass_on(vkp_picture *from, vkp_picture *to)
{
    vkp_kept_move(&from->kept, &to->kept);
    if (from->width != to->width || from->height != to->height) return;
    free(to->deep);
    to->deep = from->deep;
    from->deep = NULL;
}
