#include "image/picture_png.h"

#include <limits.h>
#include <stdlib.h>

#include <png.h>

#include "image/deep.h"

enum {
    EXIF_HEAD = 6, /* "Exif\0\0", which eXIf does without */
    LEVEL = 3      /* a third of 6's time for 4 % more bytes, on photographs */
};

/* libpng's errors are ours to end; what they would be about was checked before, but for memory. */
static void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

/* A profile that libpng finds odd is left out, and that is all. */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void take(png_structp png, png_bytep data, size_t size)
{
    vkp_sink *sink = png_get_io_ptr(png);
    vkp_sink_take(sink, data, size);
    if (sink->failed) png_error(png, "no memory");
}

static void flush(png_structp png) { (void)png; }

/* `exif` is the block that vkp_kept_exif made, `row` has room for one. */
typedef struct job {
    const vkp_picture *picture;
    uint8_t *exif;
    size_t exif_size;
    uint16_t *row;
} job;

static void write_head(png_structp png, png_infop info, const job *j)
{
    const vkp_picture *p = j->picture;
    const vkp_kept *kept = &p->kept;
    png_set_user_limits(png, INT_MAX, INT_MAX);
    png_set_benign_errors(png, 1);
    png_set_compression_level(png, LEVEL);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, p->deep ? 16 : 8,
                 p->alpha ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kept->icc)
        png_set_iCCP(png, info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, kept->icc,
                     (png_uint_32)kept->icc_size);
    if (j->exif) png_set_eXIf_1(png, info, (png_uint_32)(j->exif_size - EXIF_HEAD), j->exif + EXIF_HEAD);
    png_write_info(png, info);
}

static void write_rows(png_structp png, const job *j)
{
    const vkp_picture *p = j->picture;
    if (p->deep) {
        const uint16_t probe = 1;
        if (*(const uint8_t *)&probe) png_set_swap(png);
    } else if (!p->alpha) {
        png_set_filler(png, 0, PNG_FILLER_AFTER);
    }
    for (int y = 0; y < p->height; y++) {
        if (p->deep) vkp_deep_row(p, y, p->alpha ? 4 : 3, j->row);
        png_write_row(png, p->deep ? (uint8_t *)j->row : p->rgba + (size_t)y * (size_t)p->width * 4);
    }
}

static bool write_all(png_structp png, png_infop info, const job *j)
{
    if (setjmp(png_jmpbuf(png))) return false;
    write_head(png, info, j);
    write_rows(png, j);
    png_write_end(png, NULL); /* given `info`, libpng 1.6.39 writes eXIf once more */
    return true;
}

bool vkp_png_encode(const vkp_picture *picture, vkp_sink *sink)
{
    job j = {.picture = picture};
    j.row = malloc((size_t)picture->width * 4 * sizeof *j.row);
    vkp_kept_exif(&picture->kept, picture->width, picture->height, &j.exif, &j.exif_size);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool written = false;
    if (info && j.row) {
        png_set_write_fn(png, sink, take, flush);
        written = write_all(png, info, &j);
    }
    png_destroy_write_struct(&png, &info);
    free(j.exif);
    free(j.row);
    return written;
}
