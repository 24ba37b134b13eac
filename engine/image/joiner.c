#include "image/joiner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/chroma_lines.h"
#include "image/device_words.h"

/* HALO: pixels around a tile that the mean of the luma reaches; a workgroup's tile. All as in
 * shaders/picture_join.comp. */
enum { HEAD = 9, HALO = 2, GROUP_WIDE = 32, GROUP_HIGH = 64, MAX_TILE = 4096 };

struct vkp_joiner {
    vkp_device *device;
    uint32_t tile;
    vkp_buffer pixels, joined, points, tables;
    uint64_t points_room;
    vkp_arena arena;
    vkp_program *program;   /* NULL before the first picture, and when the points became more */
    bool built;             /* the program is */
};

static uint32_t table_words(const vkp_joiner *j) { return HEAD + 2 * VKP_TAP_WORDS * j->tile; }
static uint32_t pixels_pitch(const vkp_joiner *j) { return j->tile + 2 * HALO; }

static vkp_status create_buffers(vkp_joiner *j)
{
    const uint64_t in = (uint64_t)pixels_pitch(j) * pixels_pitch(j), out = (uint64_t)j->tile * j->tile;
    const vkp_memory_kind kind = VKP_MEMORY_HOST;
    VKP_TRY(vkp_buffer_create(j->device, in * 4, kind, "picture tile", &j->pixels));
    VKP_TRY(vkp_buffer_create(j->device, out * 4, kind, "coloured tile", &j->joined));
    return vkp_buffer_create(j->device, (uint64_t)table_words(j) * 4, kind, "chroma tables", &j->tables);
}

vkp_status vkp_joiner_create(vkp_device *device, uint32_t tile, vkp_joiner **out)
{
    *out = NULL;
    if (tile > MAX_TILE)
        return vkp_fail(VKP_INTERNAL, "tiles of %u pixels are too large (%d at most; a mistake in vkpix)",
                        tile, MAX_TILE);
    vkp_joiner *j = calloc(1, sizeof *j);
    if (!j)
        return vkp_fail(VKP_MEMORY, "no memory to join chroma (host memory ran out; close other programs)");
    j->device = device;
    /* Rows start on whole quadruples of pixels. */
    j->tile = tile ? vkp_pitch(tile) : VKP_JOIN_TILE;
    const vkp_status status = create_buffers(j);
    if (status != VKP_OK) vkp_joiner_destroy(j);
    else *out = j;
    return status;
}

void vkp_joiner_destroy(vkp_joiner *j)
{
    if (!j) return;
    vkp_program_destroy(j->program);
    vkp_arena_destroy(j->device, &j->arena);
    vkp_buffer_destroy(j->device, &j->pixels);
    vkp_buffer_destroy(j->device, &j->joined);
    vkp_buffer_destroy(j->device, &j->points);
    vkp_buffer_destroy(j->device, &j->tables);
    free(j);
}

static vkp_status record(const vkp_joiner *j, vkp_program *p)
{
    vkp_dispatch d = {.shader = VKP_SHADER_picture_join,
                      .groups = {vkp_groups(j->tile, GROUP_WIDE), vkp_groups(j->tile, GROUP_HIGH), 1},
                      .flop = 120.0 * j->tile * j->tile};
    vkp_tensor joined, points, tables, pixels;
    VKP_TRY(vkp_words_bind(p, &j->joined, 1, j->tile * j->tile, "coloured tile", &joined));
    const uint32_t floats = (uint32_t)j->points_room * VKP_LINE_VALUES;
    VKP_TRY(vkp_words_bind(p, &j->points, 1, floats, "chroma lines", &points));
    VKP_TRY(vkp_words_bind(p, &j->tables, 1, table_words(j), "chroma tables", &tables));
    VKP_TRY(vkp_words_bind(p, &j->pixels, 1, pixels_pitch(j) * pixels_pitch(j), "picture tile", &pixels));
    vkp_bind(j->device, &d, &joined, VKP_WRITE);
    vkp_bind(j->device, &d, &points, VKP_READ);
    vkp_bind(j->device, &d, &tables, VKP_READ);
    vkp_bind(j->device, &d, &pixels, VKP_READ);
    vkp_push(&d, j->tile);
    vkp_program_label(p, "joining chroma and luma");
    return vkp_program_dispatch(p, &d);
}

/* Writes the program down where there is none that has room for these points. */
static vkp_status prepare(vkp_joiner *j, uint64_t points)
{
    const uint64_t room = j->device->info.limits.storage_range / sizeof(float) / VKP_LINE_VALUES;
    if (j->program && j->points_room >= points) return VKP_OK;
    vkp_program_destroy(j->program);
    j->program = NULL;
    j->built = false;
    vkp_buffer_destroy(j->device, &j->points);
    if (points > room)
        return vkp_fail(VKP_SHAPE, "chroma of %llu points is too large for the device (its bindings hold "
                        "%llu; use a smaller --size)", (unsigned long long)points, (unsigned long long)room);
    VKP_TRY(vkp_buffer_create(j->device, points * VKP_LINE_VALUES * sizeof(float), VKP_MEMORY_HOST,
                              "chroma lines", &j->points));
    j->points_room = points;
    vkp_program *p;
    VKP_TRY(vkp_program_create(j->device, &p));
    const vkp_status status = record(j, p);
    if (status == VKP_OK) j->program = p;
    else vkp_program_destroy(p);
    return status;
}

vkp_status vkp_joiner_expect(vkp_joiner *j, uint32_t w, uint32_t h)
{
    VKP_TRY(prepare(j, (uint64_t)w * h));
    return j->built ? VKP_OK : vkp_program_want(j->program);
}

/* What is done to one picture. */
typedef struct joining {
    const vkp_picture *original;
    const vkp_fit_plan *plan;
    vkp_picture *colored;
} joining;

/* The part of a picture that is in the works. */
typedef struct tile_rect {
    int x, y, w, h;
} tile_rect;

static int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

/* The tile's pixels and HALO more on all sides; beyond the picture its border repeats. */
static void copy_in(const vkp_joiner *j, const vkp_picture *picture, const tile_rect *t)
{
    const int right = picture->width - 1, bottom = picture->height - 1;
    const int from = clamp(t->x - HALO, 0, right), to = clamp(t->x + t->w - 1 + HALO, 0, right);
    uint32_t *place = j->pixels.mapped;
    for (int y = t->y - HALO; y < t->y + t->h + HALO; y++, place += pixels_pitch(j)) {
        const uint8_t *row = picture->rgba + (size_t)clamp(y, 0, bottom) * (size_t)picture->width * 4;
        memcpy(place + (from - (t->x - HALO)), row + (size_t)from * 4, (size_t)(to - from + 1) * 4);
        for (int k = 0; k < HALO; k++) {
            if (t->x - HALO + k < 0) memcpy(place + k, row, 4);
            const int x = t->x + t->w + k;
            if (x > right) memcpy(place + (x - (t->x - HALO)), row + (size_t)right * 4, 4);
        }
    }
}

static void copy_out(const vkp_joiner *j, const vkp_picture *picture, const tile_rect *t)
{
    const uint32_t *place = j->joined.mapped;
    for (int y = t->y; y < t->y + t->h; y++, place += j->tile)
        memcpy(picture->rgba + ((size_t)y * (size_t)picture->width + (size_t)t->x) * 4, place,
               (size_t)t->w * 4);
}

static vkp_status join_tile(vkp_joiner *j, const joining *all, const tile_rect *t)
{
    const vkp_fit_plan *plan = all->plan;
    uint32_t *table = j->tables.mapped, *taps = table + HEAD;
    table[0] = (uint32_t)t->w;
    table[1] = (uint32_t)t->h;
    vkp_taps_write(taps, plan->rows + t->y, t->h, NULL, (uint32_t)plan->row_stride);
    taps += VKP_TAP_WORDS * j->tile;
    vkp_taps_write(taps, plan->cols + t->x, t->w, NULL, (uint32_t)plan->col_stride);
    copy_in(j, all->original, t);
    VKP_TRY(vkp_program_run(j->program, 0, 1));
    copy_out(j, all->colored, t);
    return VKP_OK;
}

static vkp_status join_all(vkp_joiner *j, const joining *all)
{
    const int side = (int)j->tile, width = all->original->width, height = all->original->height;
    for (int y = 0; y < height; y += side)
        for (int x = 0; x < width; x += side) {
            const tile_rect t = {x, y, clamp(width - x, 0, side), clamp(height - y, 0, side)};
            VKP_TRY(join_tile(j, all, &t));
        }
    return VKP_OK;
}

static bool all_finite(const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* The chroma lines to the device, and the head of the tables. */
static vkp_status load_lines(vkp_joiner *j, const joining *all, const float *crcb, float saturation)
{
    const uint64_t points = (uint64_t)all->plan->src_w * (uint64_t)all->plan->src_h;
    VKP_TRY(prepare(j, points));
    if (!j->built) VKP_TRY(vkp_program_build(j->program, &j->arena));
    j->built = true;
    vkp_chroma_lines lines;
    VKP_TRY(vkp_chroma_lines_make(all->plan, all->original, crcb, &lines));
    memcpy(j->points.mapped, lines.points, points * VKP_LINE_VALUES * sizeof(float));
    float head[HEAD - 2] = {saturation / 2};
    vkp_box_weights(lines.wide_x, head + 1);
    vkp_box_weights(lines.wide_y, head + 4);
    memcpy((uint32_t *)j->tables.mapped + 2, head, sizeof head);
    vkp_chroma_lines_free(&lines);
    return VKP_OK;
}

vkp_status vkp_joiner_run(vkp_joiner *j, const vkp_picture *original, const float *crcb,
                          const vkp_fit_plan *plan, float saturation, vkp_picture *colored)
{
    *colored = (vkp_picture){.rgba = NULL};
    if (plan->out_w != original->width || plan->out_h != original->height)
        return vkp_fail(VKP_INTERNAL, "plan to %dx%d for a picture of %dx%d (a mistake in vkpix; report it)",
                        plan->out_w, plan->out_h, original->width, original->height);
    if (!isfinite(saturation) || !all_finite(crcb, 2 * (uint64_t)plan->src_w * (uint64_t)plan->src_h))
        return vkp_fail(VKP_NOT_FINITE, "predicted colours are not finite (the checkpoint's training went "
                        "wrong; take an earlier one)");
    const joining all = {original, plan, colored};
    VKP_TRY(load_lines(j, &all, crcb, saturation));
    VKP_TRY(vkp_picture_make(original->width, original->height, colored));
    colored->alpha = original->alpha;
    const vkp_status status = join_all(j, &all);
    if (status != VKP_OK) vkp_picture_free(colored);
    return status;
}
