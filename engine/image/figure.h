/* Figure: line charts (losses, PSNR, learning rate) as PNG files, and lines of text, drawn by PLplot's cairo
 * driver. */
#ifndef VKP_IMAGE_FIGURE_H
#define VKP_IMAGE_FIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/picture.h"

/* One line of a chart: the points (x[i], y[i]), i < count, joined in this order. A point with a
 * coordinate that is NaN, infinite or beyond ±1e100 is a gap, and on a logarithmic axis so is y <= 0.
 * A point between two gaps is drawn as a dot, and so is a line's only point. */
typedef struct vkp_figure_series {
    const char *name;    /* for the legend, UTF-8; NULL or "" leaves the line out of it */
    uint8_t color[3];    /* red, green, blue */
    const double *x, *y; /* borrowed; may be NULL where count is 0 */
    size_t count;
} vkp_figure_series;

typedef struct vkp_figure {
    const char *title, *xlabel, *ylabel; /* UTF-8, NULL for none */
    const vkp_figure_series *series;     /* borrowed; later ones are drawn over earlier ones */
    size_t series_count;                 /* 0..VKP_FIGURE_MAX_SERIES */
    bool log_y;                          /* logarithmic y axis */
    int width, height;                   /* pixels, VKP_FIGURE_MIN_SIDE..VKP_FIGURE_MAX_SIDE; 0: 800 x 480 */
} vkp_figure;

#define VKP_FIGURE_MAX_SERIES 6
#define VKP_FIGURE_MIN_SIDE 320
#define VKP_FIGURE_MAX_SIDE 8192

/* The usual colours: D and train blue, G and val red. */
#define VKP_FIGURE_BLUE {31, 95, 180}
#define VKP_FIGURE_RED {214, 48, 49}

/* Draws the chart and writes it to `path` as a PNG of 8 bits a channel: whole under that name or, after an
 * error, not at all (a file that was there before stays). No points at all make empty axes, not an error.
 * The title stands at the left above the axes, the legend in one row at the right: both together have to
 * fit the width. Texts end after some 120 bytes (names) or 250 (the others).
 *
 * PLplot keeps its state in globals: one thread at a time may be in this call, in the whole process.
 *
 * Errors: VKP_USAGE size or number of series out of range; VKP_IO the file cannot be written, or PLplot
 * lacks its cairo driver; VKP_INPUT `path` is a folder or device; VKP_INTERNAL PLplot refused the drawing,
 * for instance a text that is not UTF-8; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_figure_lines(const char *path, const vkp_figure *figure);

enum { VKP_FIGURE_CAPTION_HEIGHT = 24 };

/* Draws one line of UTF-8 in the middle of a white picture of VKP_FIGURE_CAPTION_HEIGHT rows and `width`
 * columns; what does not fit is cut off. vkp_picture_free afterwards. One thread at a time, and errors, as
 * above; width is 16..VKP_FIGURE_MAX_SIDE. */
VKP_MUST_USE vkp_status vkp_figure_caption(const char *text, int width, vkp_picture *picture);

#endif
