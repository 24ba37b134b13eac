/* One white sheet, then each picture copied to its place. */
#include "image/grid.h"

#include <stdlib.h>
#include <string.h>

#include "image/figure.h"

#define MAX_SIDE 65535

/* The side of n cells with a margin before, between and after them; wide, as any int may come in. */
static int64_t extent(int64_t n, int64_t cell) { return n * (cell + VKP_GRID_MARGIN) + VKP_GRID_MARGIN; }

static int rows_for(int count, int columns) { return (count - 1) / columns + 1; }

static int choose_columns(int count, int64_t cell_width, int64_t cell_height)
{
    int columns = 1;
    while (columns < count &&
           extent(columns, cell_width) < extent(rows_for(count, columns), cell_height)) {
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

/* A white sheet for `count` cells; *columns 0 becomes what is chosen for them. `what` is what is counted. */
static vkp_status make_sheet(const char *what, int count, int *columns, int64_t cell_width,
                             int64_t cell_height, vkp_grid *grid)
{
    *grid = (vkp_grid){0};
    if (count < 1 || cell_width < 1 || cell_height < 1 || *columns < 0) {
        return vkp_fail(VKP_SHAPE, "cannot make a grid (%d %s of %lld x %lld in %d columns; use at least 1)",
                        count, what, (long long)cell_width, (long long)cell_height, *columns);
    }
    if (*columns == 0) *columns = choose_columns(count, cell_width, cell_height);
    int64_t width = extent(*columns, cell_width), height = extent(rows_for(count, *columns), cell_height);
    if (width > MAX_SIDE || height > MAX_SIDE) {
        return vkp_fail(VKP_SHAPE, "cannot make a grid (%d %s of %lld x %lld; show fewer or smaller ones)",
                        count, what, (long long)cell_width, (long long)cell_height);
    }
    size_t bytes = (size_t)width * (size_t)height * 4;
    grid->rgba = malloc(bytes);
    if (!grid->rgba) return vkp_fail(VKP_MEMORY, "cannot make a grid (no memory; show fewer %s)", what);
    memset(grid->rgba, 255, bytes);
    grid->width = (int)width, grid->height = (int)height;
    return VKP_OK;
}

vkp_status vkp_grid_pairs(const uint8_t *const *fake, const uint8_t *const *real, int count, int columns,
                          int width, int height, vkp_grid *grid)
{
    int64_t cell = width < 1 ? 0 : 2 * (int64_t)width + VKP_GRID_GAP;
    VKP_TRY(make_sheet("pairs", count, &columns, cell, height, grid));
    for (int i = 0; i < count; i++) {
        int left = (int)extent(i % columns, cell), top = (int)extent(i / columns, height);
        place(grid, fake[i], width, height, left, top);
        place(grid, real[i], width, height, left + width + VKP_GRID_GAP, top);
    }
    return VKP_OK;
}

vkp_status vkp_grid_captioned(const uint8_t *const *pictures, const char *const *captions, int count,
                              int columns, int width, int height, vkp_grid *grid)
{
    const int cell_width = width < 1 || width > VKP_GRID_CAPTION_WIDTH ? width : VKP_GRID_CAPTION_WIDTH;
    const int64_t cell = height < 1 ? 0 : (int64_t)height + VKP_FIGURE_CAPTION_HEIGHT;
    VKP_TRY(make_sheet("pictures", count, &columns, cell_width, cell, grid));
    vkp_status status = VKP_OK;
    for (int i = 0; i < count && status == VKP_OK; i++) {
        int left = (int)extent(i % columns, cell_width), top = (int)extent(i / columns, cell);
        place(grid, pictures[i], width, height, left + (cell_width - width) / 2, top);
        vkp_picture caption;
        status = vkp_figure_caption(captions[i], cell_width, &caption);
        if (status != VKP_OK) break;
        place(grid, caption.rgba, cell_width, VKP_FIGURE_CAPTION_HEIGHT, left, top + height);
        vkp_picture_free(&caption);
    }
    if (status != VKP_OK) vkp_grid_free(grid);
    return status;
}

void vkp_grid_free(vkp_grid *grid)
{
    free(grid->rgba);
    *grid = (vkp_grid){0};
}
