/* Pictures read from files by threads, in order, while others are being worked on. */
#ifndef VKPIX_PICTURE_SOURCE_H
#define VKPIX_PICTURE_SOURCE_H

#include "data/loader.h"

/* Starts reading `count` files in the order of `paths`, which must live as long as the loader: one
 * vkp_loader_next a file. vkp_loader_free afterwards. Errors as vkp_loader_make. */
VKP_MUST_USE vkp_status vkp_read_ahead(const char *const *paths, size_t count, vkp_loader **loader);

#endif
