/* Rows arrive where they stay: 8-bit samples as RGBA, palettes as indices at the end of their row, which the
 * colours then replace from its start. Samples of 16 bits come by rows, or all at once where interlaced. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "image/deep.h"
#include "image/picture_png.h"

typedef struct job {
    const uint8_t *at; /* what is not read yet */
    size_t left;
    vkp_picture *picture;
    bool palette, no_memory;
    int passes;
    uint16_t *wide;   /* RGBA of 16 bits: all rows, or one where there is one pass; NULL: 8 bits */
    char reason[100]; /* libpng's words for what is wrong */
} job;

static void on_error(png_structp png, png_const_charp text)
{
    job *j = png_get_error_ptr(png);
    snprintf(j->reason, sizeof j->reason, "%s", text);
    png_longjmp(png, 1);
}

/* Of chunks beside the pixels, and of what follows them. */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void give(png_structp png, png_bytep data, size_t size)
{
    job *j = png_get_io_ptr(png);
    if (size > j->left) png_error(png, "it is truncated");
    memcpy(data, j->at, size);
    j->at += size;
    j->left -= size;
}

/* Everything becomes RGBA, but for palettes, whose indices are to be looked at. */
static void ask_for_rgba(png_structp png, png_infop info, job *j)
{
    const int depth = png_get_bit_depth(png, info), color = png_get_color_type(png, info);
    const bool transparent = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
    const uint16_t probe = 1;
    j->palette = color == PNG_COLOR_TYPE_PALETTE;
    j->picture->gray = !(color & PNG_COLOR_MASK_COLOR);
    j->picture->alpha = (color & PNG_COLOR_MASK_ALPHA) || transparent;
    if (j->palette) {
        png_set_packing(png);
    } else {
        if (j->picture->gray && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
        if (transparent) png_set_tRNS_to_alpha(png);
        if (j->picture->gray) png_set_gray_to_rgb(png);
        const unsigned opaque = depth == 16 ? UINT16_MAX : UINT8_MAX;
        if (!j->picture->alpha) png_set_add_alpha(png, opaque, PNG_FILLER_AFTER);
        if (depth == 16 && *(const uint8_t *)&probe) png_set_swap(png);
    }
    j->passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void make_room(png_structp png, png_infop info, job *j)
{
    vkp_picture *p = j->picture;
    const bool gray = p->gray, alpha = p->alpha;
    const size_t w = png_get_image_width(png, info), h = png_get_image_height(png, info);
    j->no_memory = true;
    if (vkp_picture_make((int)w, (int)h, p) != VKP_OK) png_error(png, "no memory");
    p->gray = gray;
    p->alpha = alpha;
    if (png_get_bit_depth(png, info) == 16) {
        j->wide = malloc(w * 4 * sizeof *j->wide * (j->passes > 1 ? h : 1));
        p->deep = malloc(w * h * 2 * sizeof *p->deep);
        if (!j->wide || !p->deep) png_error(png, "no memory");
    }
    j->no_memory = false;
    const size_t wanted = j->palette ? w : w * 4 * (j->wide ? sizeof *j->wide : 1);
    if (png_get_rowbytes(png, info) != wanted) png_error(png, "its rows are of an unknown kind");
}

static uint8_t *row_of(const job *j, size_t y)
{
    const size_t w = (size_t)j->picture->width;
    if (j->wide) return (uint8_t *)(j->passes > 1 ? j->wide + y * w * 4 : j->wide);
    return j->picture->rgba + y * w * 4 + (j->palette ? 3 * w : 0);
}

/* The upper halves become the 8-bit samples. */
static void narrow(const job *j, size_t y)
{
    const size_t w = (size_t)j->picture->width;
    const uint16_t *wide = (const uint16_t *)row_of(j, y);
    uint8_t *rgba = j->picture->rgba + y * w * 4;
    uint16_t *deep = j->picture->deep + y * w * 2;
    for (size_t i = 0; i < w * 4; i++) rgba[i] = (uint8_t)(wide[i] >> 8);
    for (size_t i = 0; i < w; i++) {
        deep[2 * i] = vkp_luma16(wide + 4 * i);
        deep[2 * i + 1] = wide[4 * i + 3];
    }
}

typedef struct palette {
    png_colorp colors;
    png_bytep alphas;
    int count, alpha_count;
} palette;

static void look_up(png_structp png, const palette *c, const job *j, size_t y)
{
    const size_t w = (size_t)j->picture->width;
    const uint8_t *indices = row_of(j, y);
    uint8_t *rgba = j->picture->rgba + y * w * 4;
    for (size_t i = 0; i < w; i++, rgba += 4) {
        const int index = indices[i];
        if (index >= c->count) png_error(png, "a pixel's colour is not in its palette");
        rgba[0] = c->colors[index].red;
        rgba[1] = c->colors[index].green;
        rgba[2] = c->colors[index].blue;
        rgba[3] = index < c->alpha_count ? c->alphas[index] : UINT8_MAX;
    }
}

static void read_rows(png_structp png, png_infop info, job *j)
{
    const size_t h = (size_t)j->picture->height;
    palette c = {0};
    if (j->palette) {
        png_get_PLTE(png, info, &c.colors, &c.count);
        png_get_tRNS(png, info, &c.alphas, &c.alpha_count, NULL);
    }
    for (int pass = 1; pass <= j->passes; pass++) {
        for (size_t y = 0; y < h; y++) {
            png_read_row(png, row_of(j, y), NULL);
            if (pass < j->passes) continue;
            if (j->wide) narrow(j, y);
            if (j->palette) look_up(png, &c, j, y);
        }
    }
    png_read_end(png, NULL);
}

static bool read_all(png_structp png, png_infop info, job *j)
{
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_read_fn(png, j, give);
    png_set_user_limits(png, INT_MAX, INT_MAX); /* the caller has looked */
    /* What stands beside the pixels is image/kept.h's; here it would only be unpacked and dropped. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    ask_for_rgba(png, info, j);
    make_room(png, info, j);
    read_rows(png, info, j);
    return true;
}

vkp_status vkp_png_decode(const uint8_t *bytes, size_t size, const char *name, vkp_picture *picture)
{
    *picture = (vkp_picture){.rgba = NULL};
    job j = {.at = bytes, .left = size, .picture = picture};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    const bool read = info && read_all(png, info, &j);
    png_destroy_read_struct(&png, &info, NULL);
    free(j.wide);
    if (read) return VKP_OK;
    vkp_picture_free(picture);
    if (j.no_memory || !*j.reason)
        return vkp_fail(VKP_MEMORY,
                        "no memory for %s (host memory ran out; resize the picture or close other programs)",
                        name);
    return vkp_fail(VKP_FORMAT,
                    "cannot read %s (damaged or of an unsupported kind: %s; convert it to a plain PNG or "
                    "JPEG)",
                    name, j.reason);
}
