/* PNM: portable bitmaps, graymaps and pixmaps, ASCII and binary (P1 to P6), any maximum value up to 65535.
 * Format: Netpbm's pbm(5), pgm(5), ppm(5). For image/picture.c. */
#ifndef VKP_IMAGE_PNM_H
#define VKP_IMAGE_PNM_H

#include <stddef.h>
#include <stdint.h>

typedef struct vkp_pnm {
    int kind; /* 1..6, the digit after the P */
    int width, height;
    int channels; /* 1 or 3 */
    int max;      /* the sample that is white */
    size_t data;  /* where the samples begin */
} vkp_pnm;

/* Both return NULL, or what is wrong as words for an error message. */

/* Reads the header. Sides are 1 to 2^24. */
const char *vkp_pnm_header(const uint8_t *bytes, size_t size, vkp_pnm *pnm);

/* Fails when samples are missing, without touching memory for them. */
const char *vkp_pnm_missing(const vkp_pnm *pnm, size_t size);

/* Fills width*height*4 bytes of RGBA, samples scaled to 0..255 and rounded, alpha 255, and `deep` (may be
 * NULL), width*height*2, with luma and alpha, 0..65535. */
const char *vkp_pnm_decode(const vkp_pnm *pnm, const uint8_t *bytes, size_t size, uint8_t *rgba,
                           uint16_t *deep);

#endif
