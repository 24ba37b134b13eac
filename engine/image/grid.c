/* One white sheet, then each picture copied to its place. */
#include "image/grid.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SIDE 65535

/* The side of n cells with a margin before, between and after them; wide, as any int may come in. */
static int64_t extent(int64_t n, int64_t cell) { return n * (cell + VKP_GRID_MARGIN) + VKP_GRID_MARGIN; }

static int rows_for(int count, int columns) { return (count - 1) / columns + 1; }

static int choose_columns(int count, int width, int height)
{
    int columns = 1;
    while (columns < count && extent(columns, 2 * (int64_t)width + VKP_GRID_GAP) <
                                  extent(rows_for(count, columns), height)) {
        columns++;
    }
    return columns;
}

static void place(vkp_grid *grid, const uint8_t *picture, int width, int height, int left, int top)
{
    if (!picture) return;
    for (int y = 0; y < height; y++) {
        uint8_t *to = grid->rgba + ((size_t)(top + y) * (size_t)grid->width + (size_t)left) * 4;
        memcpy(to, picture + (size_t)y * (size_t)width * 4, (size_t)width * 4);
        for (int x = 0; x < width; x++) to[4 * x + 3] = 255;
    }
}

vkp_status vkp_grid_pairs(const uint8_t *const *fake, const uint8_t *const *real, int count, int columns,
                          int width, int height, vkp_grid *grid)
{
    *grid = (vkp_grid){0};
    if (count < 1 || width < 1 || height < 1 || columns < 0) {
        return vkp_fail(VKP_SHAPE, "cannot make a grid (%d pairs of %d x %d in %d columns; use at least 1)",
                        count, width, height, columns);
    }
    if (columns == 0) columns = choose_columns(count, width, height);
    int64_t cell = 2 * (int64_t)width + VKP_GRID_GAP;
    int64_t grid_width = extent(columns, cell), grid_height = extent(rows_for(count, columns), height);
    if (grid_width > MAX_SIDE || grid_height > MAX_SIDE) {
        return vkp_fail(VKP_SHAPE, "cannot make a grid (%d pairs of %d x %d; show fewer or smaller ones)",
                        count, width, height);
    }
    size_t bytes = (size_t)grid_width * (size_t)grid_height * 4;
    grid->rgba = malloc(bytes);
    if (!grid->rgba) return vkp_fail(VKP_MEMORY, "cannot make a grid (no memory; show fewer pairs)");
    memset(grid->rgba, 255, bytes);
    grid->width = (int)grid_width, grid->height = (int)grid_height;
    for (int i = 0; i < count; i++) {
        int left = (int)extent(i % columns, cell), top = (int)extent(i / columns, height);
        place(grid, fake[i], width, height, left, top);
        place(grid, real[i], width, height, left + width + VKP_GRID_GAP, top);
    }
    return VKP_OK;
}

void vkp_grid_free(vkp_grid *grid)
{
    free(grid->rgba);
    *grid = (vkp_grid){0};
}
