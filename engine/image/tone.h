/* Tone: the colour that toning, paper and age give a print's grays: brown in sepia, yellow in old albums.
 * Colouring takes a picture's luma alone, so the tone is lost; it can be mixed back. */
#ifndef VKP_IMAGE_TONE_H
#define VKP_IMAGE_TONE_H

#include "image/picture.h"

/* The mean distance of R, G and B from luma (BT.601, levels of 0..255) at each luma; its own luma is 0. */
typedef struct vkp_tone {
    float distance[256][3];
} vkp_tone;

/* The picture's tone: the mean over the pixels of a luma and of its neighbours, weighted by a Gaussian of 12
 * levels, so that a few coloured spots make no steps, and a luma that no pixel has gets the nearest's. Pixels
 * of alpha 0 do not count; zero for a picture of nothing else. */
void vkp_tone_measure(const vkp_picture *picture, vkp_tone *tone);

/* Adds `part` (0: nothing, 1: all) of the tone to the picture's colours; chroma is scaled down where a colour
 * would leave 0..255, luma stays up to rounding, and so do alpha and 16-bit samples. */
void vkp_tone_add(const vkp_tone *tone, float part, vkp_picture *picture);

#endif
