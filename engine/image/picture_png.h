/* PNG through libpng, which checks what it reads as it goes and needs no copies of the whole; stb has
 * neither 16 bits in writing nor chunks beside the pixels. For image/picture.c and image/picture_write.c. */
#ifndef VKP_IMAGE_PICTURE_PNG_H
#define VKP_IMAGE_PICTURE_PNG_H

#include "image/picture.h"
#include "image/sink.h"

/* Decodes a PNG whose header was looked at (vkp_format_png_size): pixels, deep, gray and alpha; the rest of
 * *picture is zeroed. `name` is for messages. vkp_picture_free afterwards. Of an animation it is the picture
 * that stands for it where nothing moves. VKP_FORMAT: damaged, checksums included, or a pixel without a place
 * in the palette; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_png_decode(const uint8_t *bytes, size_t size, const char *name,
                                       vkp_picture *picture);

/* Appends the picture as a whole PNG with iCCP and eXIf: RGB, or RGBA if picture->alpha; 16 bits a sample if
 * picture->deep. False: memory ran out. */
bool vkp_png_encode(const vkp_picture *picture, vkp_sink *sink);

#endif
