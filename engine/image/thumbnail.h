/* Thumbnail: a picture made small, for pages and previews. */
#ifndef VKP_IMAGE_THUMBNAIL_H
#define VKP_IMAGE_THUMBNAIL_H

#include "image/picture.h"

/* *small = the picture with its longer side brought down to `side` pixels, the other in proportion (rounded,
 * at least 1); a picture that is no larger keeps its size. Each pixel is the mean, of R, G, B and A by
 * themselves, over the pixels that its area touches, rounded. vkp_picture_free afterwards; zeroed on failure.
 * VKP_SHAPE: side below 1; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_thumbnail(const vkp_picture *picture, int side, vkp_picture *small);

#endif
