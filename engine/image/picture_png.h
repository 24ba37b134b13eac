/* Writing PNG, which libpng does: stb_image_write has neither 16 bits nor chunks beside the pixels. For
 * image/picture_write.c. */
#ifndef VKP_IMAGE_PICTURE_PNG_H
#define VKP_IMAGE_PICTURE_PNG_H

#include "image/picture.h"
#include "image/sink.h"

/* Appends the picture as a whole PNG with iCCP and eXIf: RGB, or RGBA if picture->alpha; 16 bits a sample if
 * picture->deep. False: memory ran out. */
bool vkp_png_encode(const vkp_picture *picture, vkp_sink *sink);

#endif
