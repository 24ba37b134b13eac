/* Fit: any picture into the network's rectangle and back, as tables of taps.
 *
 * Every way of squaring is separable and bilinear, so it is two tables: for each output row and each output
 * column two source indices and a weight. The tables are made here in double precision; one generic kernel
 * (and vkp_fit_apply, its reference) gathers by them and knows nothing of the ways.
 *
 * Resizing is PyTorch's F.interpolate(mode="bilinear", align_corners=False, antialias=False): output pixel k
 * of `out` reads the source of `len` at (k + 0.5) * len / out - 0.5, clamped to 0 .. len-1. */
#ifndef VKP_IMAGE_FIT_H
#define VKP_IMAGE_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Name as in settings, how the picture becomes the rectangle. d is the difference of the sides. */
#define VKP_FIT_MAP(X)                                                                                   \
    X(WRAP, "wrap", "to a square with the opposite edge's rows or columns, floor(d/2) of them before")   \
    X(STRETCH, "stretch", "both axes resized on their own")                                              \
    X(BLACK, "black", "centred on a black square, floor(d/2) rows or columns of black before")           \
    X(CROP, "crop", "only the central square, from floor(d/2) on")                                       \
    X(ROTATE, "rotate", "portraits turned to landscape, stretched to 4:3")                               \
    X(ASPECT, "aspect", "long side to the size, no square: a rectangle of (nearly) its own proportions")

typedef enum vkp_fit {
#define X(name, text, meaning) VKP_FIT_##name,
    VKP_FIT_MAP(X)
#undef X
    VKP_FIT_COUNT
} vkp_fit;

/* *way by its name in lower case. VKP_USAGE names the ways there are. */
VKP_MUST_USE vkp_status vkp_fit_parse(const char *name, vkp_fit *way);
/* The name; "unknown" for what is not a way. */
const char *vkp_fit_name(vkp_fit way);

/* The network's rectangle in pixels for the setting `size` and a picture of w x h: size x size, but for
 * rotate as wide as `size` and 3/4 of it high, rounded to the nearest multiple of 16 (halves up), at least
 * 16; and for aspect `size` along the picture's long side, its short side in proportion, rounded to the
 * nearest multiple of 32, at least 32. Only aspect looks at w and h. */
void vkp_fit_output(vkp_fit way, int size, int w, int h, int *out_w, int *out_h);

/* Pixels x0 <= x < x1, y0 <= y < y1. */
typedef struct vkp_rect {
    int x0, y0, x1, y1;
} vkp_rect;

/* (1 - w) * source[i0] + w * source[i1]; an index of -1 stands for zero (black). */
typedef struct vkp_tap {
    int32_t i0, i1;
    float w;
} vkp_tap;

/* One direction of one picture. Output pixel (row i, column j) is the sum over both taps r of rows[i] and
 * both taps c of cols[j] of weight * source[r * row_stride + c * col_stride], strides counted in pixels. The
 * strides are (src_w, 1), and (1, src_w) where `turned`: then row taps index the source's columns. */
typedef struct vkp_fit_plan {
    vkp_fit way;
    bool turned;
    int src_w, src_h;
    int out_w, out_h;
    int row_stride, col_stride;
    vkp_tap *rows; /* out_h */
    vkp_tap *cols; /* out_w */
    vkp_rect valid; /* output pixels that show the picture, not padding; never empty */
} vkp_fit_plan;

/* The plan from a picture of w x h pixels to the network's rectangle; `flip` mirrors the output left to
 * right. rotate turns pictures higher than wide by 90 degrees clockwise, before any flip.
 * valid: the pixels whose centre lies in the real picture (all of them for stretch, crop and rotate).
 * vkp_fit_free afterwards. VKP_SHAPE: size outside 1..65536, a side outside 1..2^24; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_fit_make(vkp_fit way, int size, int w, int h, bool flip, vkp_fit_plan *plan);

/* A window of a picture of w x h pixels: size x size output pixels, `step` pixels of the picture apart, the
 * first one's upper left corner at (x, y). Reads the nearest pixel of the picture beyond its edges.
 * valid is the whole output, way is stretch. Errors (also for a step or corner that is not finite) and
 * freeing as vkp_fit_make. */
VKP_MUST_USE vkp_status vkp_fit_window(int size, double x, double y, double step, int w, int h, bool flip,
                                       vkp_fit_plan *plan);

/* The way back: from the network's rectangle to w x h, aligned with the original pixel for pixel, padding cut
 * off, turned pictures turned back; `flip` if the plan there had it. Taps never reach into the padding, and
 * outside what the network saw (crop) the nearest pixel that it saw is repeated.
 * valid is the whole output. Errors and freeing as vkp_fit_make. */
VKP_MUST_USE vkp_status vkp_unfit_make(vkp_fit way, int size, int w, int h, bool flip, vkp_fit_plan *plan);

/* Frees the tables; a zeroed plan is fine. */
void vkp_fit_free(vkp_fit_plan *plan);

/* What to keep of the network's rectangle for a picture with the original's aspect ratio: `valid` of the plan
 * without flip. stretch and crop keep the square, rotate its rectangle. Arguments must be in vkp_fit_make's
 * ranges. */
vkp_rect vkp_fit_aspect_crop(vkp_fit way, int size, int w, int h);

/* Reference of the device's gather: RGBA bytes (src_h x src_w x 4, alpha ignored) to three planes
 * (3 x out_h x out_w) of 0..1. Columns are blended first, then rows. */
void vkp_fit_apply(const vkp_fit_plan *plan, const uint8_t *rgba, float *planes);

/* The luma of the same: out_h x out_w of 0..1, Y = .299 R + .587 G + .114 B. MEMORY. */
VKP_MUST_USE vkp_status vkp_fit_luma(const vkp_fit_plan *plan, const uint8_t *rgba, float *luma);

/* What vkp_fit_apply does for `count` float planes: count x src_h x src_w to count x out_h x out_w. */
void vkp_plan_apply_planes(const vkp_fit_plan *plan, const float *source, int count, float *planes);

#endif
