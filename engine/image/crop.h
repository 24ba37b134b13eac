/* Crop: random squares of photographs at random scales, for training.
 *
 * A photograph is seen as it is when its long side is scaled to a drawn length, its "view" in pixels; a
 * square of size x size pixels of that view, anywhere in it, is the crop. Where the view's short side would
 * be less than `size`, the view is the one whose short side is `size`. Nothing is ever cut from outside the
 * picture.
 * A crop becomes taps by vkp_fit_window (image/fit.h). Those read two pixels a direction, so a picture is to
 * be reduced (vkp_crop_reduce) before it is seen at less than half its pixels. */
#ifndef VKP_IMAGE_CROP_H
#define VKP_IMAGE_CROP_H

#include "image/picture.h"

typedef struct vkp_crop {
    double length; /* of the view's long side, in pixels of the crop */
    double step;   /* pixels of the picture from one of the crop's to the next */
    double x, y;   /* the crop's upper left corner in the picture, in its pixels */
} vkp_crop;

/* The view's length for a picture of w x h pixels that is to be seen at `length`: that, or what makes the
 * short side `size`. All arguments at least 1. */
double vkp_crop_length(int w, int h, int size, double length);

/* Draws a crop of a picture of w x h pixels: the length log-uniformly from view_min..view_max, then the place
 * uniformly. A pure function of its arguments; the numbers are counters 4 * index .. 4 * index + 2 of the
 * seed's stream. They do not depend on w and h: a reduced copy of a picture has the same crop. */
vkp_crop vkp_crop_draw(int w, int h, int size, uint32_t view_min, uint32_t view_max, uint64_t seed,
                       uint64_t stream, uint64_t index);

/* Makes of a picture the copy whose long side has `length` pixels (rounded, as the short one is), each the
 * mean of the area that it covers, by stb_image_resize; alpha is averaged as the colours are. Where the
 * picture is not larger than that, *reduced is zeroed and nothing is done. vkp_picture_free. MEMORY. */
VKP_MUST_USE vkp_status vkp_crop_reduce(const vkp_picture *picture, double length, vkp_picture *reduced);

#endif
