/* Gamut: colours that leave the range of samples lose chroma until they fit; hue and luma stay. */
#ifndef VKP_IMAGE_GAMUT_H
#define VKP_IMAGE_GAMUT_H

/* BT.601 luma of R, G and B at any scale. */
float vkp_luma(float r, float g, float b);

/* The part, 0 to 1, of a colour's distance from gray (R - luma, G - luma, B - luma) with which luma + part *
 * distance lies within 0..white. luma does too. */
float vkp_gamut_part(float luma, const float distance[3], float white);

#endif
