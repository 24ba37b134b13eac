/* Pictures read from files by threads, in order, while others are being worked on. */
#ifndef VKPIX_PICTURE_SOURCE_H
#define VKPIX_PICTURE_SOURCE_H

#include "data/loader.h"
#include "options.h"

/* A row for a command's table, and its value in pixels: 0 where it is not given, for the library's own limit.
 * VKP_USAGE. */
#define VKP_OPTION_MAX_MEGAPIXELS                                                                          \
    {"max-megapixels", "M", "refuse pictures of more than M million pixels, by their header; 200 by default"}
VKP_MUST_USE vkp_status vkp_options_max_pixels(const vkp_options *options, uint64_t *max_pixels);

/* Starts reading `count` files in the order of `paths`, which must live as long as the loader: one
 * vkp_loader_next a file. max_pixels is as vkp_picture_read takes it. All that is held at a time for pictures
 * that wait or are being read is 1 GiB, and on top of it what the one that is asked for next takes.
 * vkp_loader_free afterwards. Errors as vkp_loader_make. */
VKP_MUST_USE vkp_status vkp_read_ahead(const char *const *paths, size_t count, uint64_t max_pixels,
                                       vkp_loader **loader);

#endif
