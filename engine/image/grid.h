/* Grid: many small pictures in one, for looking at what a network makes (fake) beside what it should make
 * (real), or at several versions of one picture, each with a caption. */
#ifndef VKP_IMAGE_GRID_H
#define VKP_IMAGE_GRID_H

#include <stdint.h>

#include "base/status.h"

/* Packed RGBA, width * height * 4 bytes, rows from the top, opaque; owned: vkp_grid_free. */
typedef struct vkp_grid {
    int width, height;
    uint8_t *rgba;
} vkp_grid;

/* White pixels between the two of a pair, and around each pair. */
#define VKP_GRID_GAP 2
#define VKP_GRID_MARGIN 8

/* Sets `count` pairs, fake[i] left of real[i], in rows from the top left. All pictures are packed RGBA of
 * width x height; alpha is not used, a NULL one stays white. `columns` is the number of pairs in a row (the
 * last row's rest stays white); 0 takes the fewest that make the grid at least as wide as high.
 *
 * Errors: VKP_SHAPE for no pairs, a side below 1, negative columns, or a grid beyond 65535 pixels a side;
 * VKP_MEMORY. *grid is then {0}. */
VKP_MUST_USE vkp_status vkp_grid_pairs(const uint8_t *const *fake, const uint8_t *const *real, int count,
                                       int columns, int width, int height, vkp_grid *grid);

/* Room for a short caption; narrower pictures stand in the middle of it. */
#define VKP_GRID_CAPTION_WIDTH 72

/* Sets `count` packed RGBA pictures of width x height, each with its caption (UTF-8) centred in
 * VKP_FIGURE_CAPTION_HEIGHT rows below it. Columns and errors are as above, further errors
 * vkp_figure_caption's; like that, it is for one thread at a time. */
VKP_MUST_USE vkp_status vkp_grid_captioned(const uint8_t *const *pictures, const char *const *captions,
                                           int count, int columns, int width, int height, vkp_grid *grid);

/* Frees the pixels and zeroes *grid; one that is {0} already is fine. */
void vkp_grid_free(vkp_grid *grid);

#endif
