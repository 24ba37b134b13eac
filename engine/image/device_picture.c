#include "image/device_picture.h"

#include "ops/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_PLACE UINT32_MAX /* a tap's place for black, as in shaders/taps.glsl */

enum { TAP_WORDS = 3, STAGE_HEAD = 1, JOIN_HEAD = 4, MAX_TILE = 4096 };

/* Taps as shaders/taps.glsl has them: index i becomes place[i] * stride, or i * stride without `place`. */
static void write_taps(uint32_t *words, const vkp_tap *taps, int count, const uint32_t *place,
                       uint32_t stride)
{
    for (int k = 0; k < count; k++, words += TAP_WORDS) {
        const int32_t index[2] = {taps[k].i0, taps[k].i1};
        for (int i = 0; i < 2; i++)
            words[i] = index[i] < 0 ? NO_PLACE : (place ? place[index[i]] : (uint32_t)index[i]) * stride;
        memcpy(&words[2], &taps[k].w, sizeof *words);
    }
}

/* A whole buffer as a tensor of n rows of words, for vkp_bind. */
static vkp_status bind_words(vkp_program *p, const vkp_buffer *buffer, uint32_t n, uint32_t words,
                             const char *name, vkp_tensor *out)
{
    *out = vkp_tensor_packed(0, (vkp_shape){n, 1, 1, words});
    return vkp_program_external(p, buffer, 0, (uint64_t)n * words * 4, name, &out->buffer);
}

/* -- stage -- */

static uint32_t slot_pixels(const vkp_picture_stage *s) { return 4 * s->out_w * s->out_h; }
static uint32_t slot_table(const vkp_picture_stage *s)
{
    return STAGE_HEAD + TAP_WORDS * (s->out_w + s->out_h);
}

static uint32_t *table_of(const vkp_picture_stage *s, uint32_t slot)
{
    return (uint32_t *)s->tables.mapped + (size_t)slot * slot_table(s);
}

vkp_status vkp_picture_stage_create(vkp_device *device, uint32_t batch, uint32_t out_w, uint32_t out_h,
                                    vkp_picture_stage *stage)
{
    *stage = (vkp_picture_stage){.device = device, .batch = batch, .out_w = out_w, .out_h = out_h};
    /* A binding may start up to one alignment, 256 bytes at most, before a slot. */
    const uint64_t room = (device->info.limits.storage_range - 256) / (4 * sizeof(uint32_t));
    if (!batch || !out_w || !out_h || out_w > room / out_h)
        return vkp_fail(VKP_SHAPE, "no stage for %u pictures of %ux%u (the device's bindings hold %llu "
                        "pixels; try a smaller --set size)", batch, out_w, out_h, (unsigned long long)room);
    const uint64_t pixels = (uint64_t)batch * slot_pixels(stage);
    const uint64_t words = (uint64_t)batch * slot_table(stage);
    vkp_status status = vkp_buffer_create(device, pixels * 4, VKP_MEMORY_HOST, "pictures", &stage->pixels);
    if (status == VKP_OK)
        status = vkp_buffer_create(device, words * 4, VKP_MEMORY_HOST, "picture tables", &stage->tables);
    if (status != VKP_OK) vkp_picture_stage_destroy(stage);
    else vkp_picture_stage_clear(stage);
    return status;
}

void vkp_picture_stage_destroy(vkp_picture_stage *stage)
{
    if (stage->device) {
        vkp_buffer_destroy(stage->device, &stage->pixels);
        vkp_buffer_destroy(stage->device, &stage->tables);
    }
    *stage = (vkp_picture_stage){.device = NULL};
}

void vkp_picture_stage_clear(const vkp_picture_stage *stage)
{
    for (uint32_t slot = 0; slot < stage->batch; slot++) table_of(stage, slot)[0] = 0;
}

/* The rows (or columns) of a picture that a table reads: source[k] is the k-th of them, place[i] the number
 * of row i among them. */
typedef struct axis_use {
    uint32_t *place, *source;
    uint32_t count;
} axis_use;

static vkp_status find_used(const vkp_tap *taps, int tap_count, int side, axis_use *use)
{
    const size_t n = (size_t)side;
    *use = (axis_use){.place = calloc(2 * n, sizeof *use->place)};
    if (!use->place)
        return vkp_fail(VKP_MEMORY, "no memory to stage a picture (host memory ran out; close other "
                        "programs)");
    use->source = use->place + n;
    for (int k = 0; k < tap_count; k++) {
        if (taps[k].i0 >= 0) use->place[taps[k].i0] = 1;
        if (taps[k].i1 >= 0) use->place[taps[k].i1] = 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (!use->place[i]) continue;
        use->source[use->count] = (uint32_t)i;
        use->place[i] = use->count++;
    }
    return VKP_OK;
}

static void copy_used(const vkp_picture *picture, const axis_use *rows, const axis_use *cols, uint8_t *to)
{
    for (uint32_t r = 0; r < rows->count; r++) {
        const uint8_t *from = picture->rgba + (size_t)rows->source[r] * (size_t)picture->width * 4;
        /* Neighbours, as in pictures that are not shrunk, go in one piece. */
        for (uint32_t c = 0, end; c < cols->count; c = end) {
            end = c + 1;
            while (end < cols->count && cols->source[end] == cols->source[end - 1] + 1) end++;
            memcpy(to, from + (size_t)cols->source[c] * 4, (size_t)(end - c) * 4);
            to += (size_t)(end - c) * 4;
        }
    }
}

vkp_status vkp_picture_stage_add(const vkp_picture_stage *stage, uint32_t slot, const vkp_picture *picture,
                                 const vkp_fit_plan *plan)
{
    if (slot >= stage->batch || plan->src_w != picture->width || plan->src_h != picture->height ||
        (uint32_t)plan->out_w != stage->out_w || (uint32_t)plan->out_h != stage->out_h)
        return vkp_fail(VKP_INTERNAL, "picture of %dx%d and plan %dx%d to %dx%d do not fit slot %u of %u (a "
                        "mistake in vkpix; report it)", picture->width, picture->height, plan->src_w,
                        plan->src_h, plan->out_w, plan->out_h, slot, stage->batch);
    /* The plan's rows are the rectangle's; in a turned picture those are the source's columns. */
    axis_use down, right;
    VKP_TRY(find_used(plan->rows, plan->out_h, plan->turned ? plan->src_w : plan->src_h, &down));
    const vkp_status status =
        find_used(plan->cols, plan->out_w, plan->turned ? plan->src_h : plan->src_w, &right);
    if (status == VKP_OK) {
        const axis_use *rows = plan->turned ? &right : &down, *cols = plan->turned ? &down : &right;
        uint8_t *pixels = stage->pixels.mapped;
        copy_used(picture, rows, cols, pixels + 4 * (size_t)slot * slot_pixels(stage));
        uint32_t *table = table_of(stage, slot), *taps = table + STAGE_HEAD;
        write_taps(taps, plan->rows, plan->out_h, down.place, plan->turned ? 1 : cols->count);
        taps += TAP_WORDS * plan->out_h;
        write_taps(taps, plan->cols, plan->out_w, right.place, plan->turned ? cols->count : 1);
        table[0] = 1;
    }
    free(down.place);
    free(right.place);
    return status;
}

vkp_status vkp_picture_stage_record(vkp_program *p, const vkp_picture_stage *stage, const vkp_tensor *rgb)
{
    const vkp_shape s = rgb->shape;
    char text[48];
    if (!vkp_shape_equal(s, (vkp_shape){stage->batch, 3, stage->out_h, stage->out_w}))
        return vkp_fail(VKP_SHAPE, "a stage of %u pictures of %ux%u cannot fill a tensor %s (it needs three "
                        "channels of that size; check the sizes)", stage->batch, stage->out_w, stage->out_h,
                        vkp_shape_text(s, text));
    vkp_tensor pixels, tables;
    VKP_TRY(bind_words(p, &stage->pixels, s.n, slot_pixels(stage), "pictures", &pixels));
    VKP_TRY(bind_words(p, &stage->tables, s.n, slot_table(stage), "picture tables", &tables));
    vkp_program_label(p, "fitting pictures");
    const vkp_planes planes = {.shader = VKP_SHADER_picture_fit, .tall = 32, .whole = true, .tensor_count = 3,
                               .tensors = {rgb, &pixels, &tables}, .words = {s.h, s.w}, .word_count = 2};
    return vkp_planes_record(p, &planes);
}

/* -- joiner -- */

struct vkp_joiner {
    vkp_device *device;
    uint32_t tile;
    vkp_buffer pixels, chroma, tables;
    uint64_t chroma_floats; /* room for them */
    vkp_arena arena;
    vkp_program *program;   /* NULL before the first picture, and when the chroma got larger */
};

static uint32_t join_table(const vkp_joiner *j) { return JOIN_HEAD + 2 * TAP_WORDS * j->tile; }

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
    const uint64_t pixels = (uint64_t)j->tile * j->tile, words = join_table(j);
    vkp_status status = vkp_buffer_create(device, pixels * 4, VKP_MEMORY_HOST, "picture tile", &j->pixels);
    if (status == VKP_OK)
        status = vkp_buffer_create(device, words * 4, VKP_MEMORY_HOST, "chroma tables", &j->tables);
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
    vkp_buffer_destroy(j->device, &j->chroma);
    vkp_buffer_destroy(j->device, &j->tables);
    free(j);
}

static vkp_status record_join(const vkp_joiner *j, vkp_program *p)
{
    vkp_dispatch d = {.shader = VKP_SHADER_picture_join,
                      .groups = {vkp_groups(j->tile, 32), vkp_groups(j->tile, 32), 1},
                      .flop = 60.0 * j->tile * j->tile};
    vkp_tensor pixels, chroma, tables;
    VKP_TRY(bind_words(p, &j->pixels, 1, j->tile * j->tile, "picture tile", &pixels));
    VKP_TRY(bind_words(p, &j->chroma, 1, (uint32_t)j->chroma_floats, "chroma", &chroma));
    VKP_TRY(bind_words(p, &j->tables, 1, join_table(j), "chroma tables", &tables));
    vkp_bind(j->device, &d, &pixels, VKP_READ_WRITE);
    vkp_bind(j->device, &d, &chroma, VKP_READ);
    vkp_bind(j->device, &d, &tables, VKP_READ);
    vkp_push(&d, j->tile);
    vkp_program_label(p, "joining chroma and luma");
    return vkp_program_dispatch(p, &d);
}

/* Makes the program where there is none that has room for this chroma. */
static vkp_status prepare(vkp_joiner *j, uint64_t chroma_floats)
{
    if (j->program && j->chroma_floats >= chroma_floats) return VKP_OK;
    vkp_program_destroy(j->program);
    j->program = NULL;
    vkp_buffer_destroy(j->device, &j->chroma);
    const uint64_t room = j->device->info.limits.storage_range / sizeof(float);
    if (chroma_floats > room)
        return vkp_fail(VKP_SHAPE, "chroma of %llu values is too large for the device (its bindings hold "
                        "%llu; try a smaller --set size)", (unsigned long long)chroma_floats,
                        (unsigned long long)room);
    VKP_TRY(vkp_buffer_create(j->device, chroma_floats * 4, VKP_MEMORY_HOST, "chroma", &j->chroma));
    j->chroma_floats = chroma_floats;
    vkp_program *p;
    VKP_TRY(vkp_program_create(j->device, &p));
    vkp_status status = record_join(j, p);
    if (status == VKP_OK) status = vkp_program_build(p, &j->arena);
    if (status == VKP_OK) j->program = p;
    else vkp_program_destroy(p);
    return status;
}

/* The part of a picture that is in the works. */
typedef struct tile_rect {
    int x, y, w, h;
} tile_rect;

static void copy_tile(const vkp_joiner *j, const vkp_picture *picture, const tile_rect *t, bool back)
{
    for (int r = 0; r < t->h; r++) {
        uint8_t *row = picture->rgba + ((size_t)(t->y + r) * (size_t)picture->width + (size_t)t->x) * 4;
        uint8_t *place = (uint8_t *)j->pixels.mapped + (size_t)r * j->tile * 4;
        if (back) memcpy(row, place, (size_t)t->w * 4);
        else memcpy(place, row, (size_t)t->w * 4);
    }
}

static vkp_status join_tile(vkp_joiner *j, const vkp_picture *picture, const vkp_fit_plan *plan, float scale,
                            const tile_rect *t)
{
    uint32_t *table = j->tables.mapped, *taps = table + JOIN_HEAD;
    table[0] = (uint32_t)t->w;
    table[1] = (uint32_t)t->h;
    table[2] = (uint32_t)plan->src_w * (uint32_t)plan->src_h;
    memcpy(&table[3], &scale, sizeof scale);
    write_taps(taps, plan->rows + t->y, t->h, NULL, (uint32_t)plan->row_stride);
    taps += TAP_WORDS * j->tile;
    write_taps(taps, plan->cols + t->x, t->w, NULL, (uint32_t)plan->col_stride);
    copy_tile(j, picture, t, false);
    VKP_TRY(vkp_program_run(j->program, 0, 1));
    copy_tile(j, picture, t, true);
    return VKP_OK;
}

static int least(int a, int b) { return a < b ? a : b; }

static vkp_status join_all(vkp_joiner *j, const vkp_picture *picture, const vkp_fit_plan *plan, float scale)
{
    const int side = (int)j->tile;
    for (int y = 0; y < picture->height; y += side)
        for (int x = 0; x < picture->width; x += side) {
            const tile_rect t = {x, y, least(side, picture->width - x), least(side, picture->height - y)};
            VKP_TRY(join_tile(j, picture, plan, scale, &t));
        }
    return VKP_OK;
}

vkp_status vkp_joiner_run(vkp_joiner *j, const vkp_picture *original, const float *crcb,
                          const vkp_fit_plan *plan, float saturation, vkp_picture *colored)
{
    *colored = (vkp_picture){.rgba = NULL};
    if (plan->out_w != original->width || plan->out_h != original->height)
        return vkp_fail(VKP_INTERNAL, "plan to %dx%d for a picture of %dx%d (a mistake in vkpix; report it)",
                        plan->out_w, plan->out_h, original->width, original->height);
    const uint64_t count = 2 * (uint64_t)plan->src_w * (uint64_t)plan->src_h;
    bool finite = isfinite(saturation);
    for (uint64_t i = 0; i < count && finite; i++) finite = isfinite(crcb[i]);
    if (!finite)
        return vkp_fail(VKP_NOT_FINITE, "predicted colours are not finite (the checkpoint's training went "
                        "wrong; take an earlier one)");
    VKP_TRY(prepare(j, count));
    memcpy(j->chroma.mapped, crcb, count * sizeof *crcb);
    VKP_TRY(vkp_picture_make(original->width, original->height, colored));
    memcpy(colored->rgba, original->rgba, (size_t)original->width * (size_t)original->height * 4);
    colored->alpha = original->alpha;
    const vkp_status status = join_all(j, colored, plan, saturation / 2);
    if (status != VKP_OK) vkp_picture_free(colored);
    return status;
}
