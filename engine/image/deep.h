/* Deep: pictures of 16 bits a sample. Their colours are predicted, so chroma at 8 bits will do; what they had
 * at 16 bits, luma and alpha, stays exact (vkp_picture's deep). */
#ifndef VKP_IMAGE_DEEP_H
#define VKP_IMAGE_DEEP_H

#include <stdint.h>

#include "image/picture.h"

#define VKP_DEEP_WHITE 65535u

/* Luma of three samples, BT.601, rounded. */
uint16_t vkp_luma16(const uint16_t rgb[3]);

/* Row y as 16-bit samples, RGB or RGBA (channels 3 or 4): luma and alpha from `deep`, which the picture has,
 * chroma from `rgba`, scaled down where it would leave 0..65535, so that hue and luma stay. */
void vkp_deep_row(const vkp_picture *picture, int y, int channels, uint16_t *row);

#endif
