/* Kept: what a picture's file says beside its pixels, and what a copy of the picture should say too: the
 * Exif block and the ICC profile. JPEG has them in APP1 and APP2 segments (ICC.1, annex B.4), PNG in the
 * chunks eXIf and iCCP (W3C PNG, 11.3). What is damaged is left out and is never an error: the picture is
 * what counts. */
#ifndef VKP_IMAGE_KEPT_H
#define VKP_IMAGE_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/format.h"

typedef struct vkp_kept {
    uint8_t *exif;        /* as it was found, "Exif\0\0" first; malloc'd, NULL: none */
    size_t exif_size;     /* at most VKP_KEPT_MAX_EXIF */
    bool turned;          /* the pixels were turned as the block's orientation says: it is 1 for them */
    uint8_t *icc;         /* a profile for RGB; malloc'd, NULL: none */
    size_t icc_size;      /* at most VKP_KEPT_MAX_ICC */
    const char *left_out; /* why a profile was not taken, as the end of a sentence about it; NULL */
} vkp_kept;

enum {
    VKP_KEPT_MAX_EXIF = 65533,             /* one JPEG segment */
    VKP_KEPT_ICC_PART = 65519,             /* of a profile in a JPEG segment */
    VKP_KEPT_MAX_ICC = 255 * VKP_KEPT_ICC_PART /* as many as can be numbered */
};

/* Finds both in a file's bytes; other formats than JPEG and PNG have none. A profile for gray pictures or for
 * CMYK is not taken: what vkpix writes is RGB. vkp_kept_free afterwards. MEMORY: *kept is zeroed. */
VKP_MUST_USE vkp_status vkp_kept_find(vkp_picture_format format, const uint8_t *bytes, size_t size,
                                      vkp_kept *kept);

/* The Exif block for a copy of width x height pixels, "Exif\0\0" first: orientation 1 if the pixels were
 * turned, sizes corrected where it gives them, without its thumbnail, which shows the original. *block is
 * malloc'd (the caller frees); NULL and 0 when there is none, or none that can be read and fits a JPEG
 * segment. */
void vkp_kept_exif(const vkp_kept *kept, int width, int height, uint8_t **block, size_t *size);

/* What `from` has becomes to's, what `to` had is freed. */
void vkp_kept_move(vkp_kept *from, vkp_kept *to);

/* Frees both and zeroes *kept; a zeroed one is fine. */
void vkp_kept_free(vkp_kept *kept);

#endif
