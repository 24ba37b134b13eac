/* Small pictures for tests. */
#ifndef VKP_TEST_SMALL_PICTURE_H
#define VKP_TEST_SMALL_PICTURE_H

#include "image/picture.h"

/* Writes a smooth, colourful picture in the format of the name; `seed` makes them differ. */
void small_picture_write(const char *path, int width, int height, int seed);

/* A picture of random bytes, alpha too; `seed` makes them differ. vkp_picture_free afterwards. */
vkp_picture small_picture_random(int width, int height, uint64_t seed);

/* Reads a picture or fails the test; vkp_picture_free afterwards. */
vkp_picture small_picture_read(const char *path);

#endif
