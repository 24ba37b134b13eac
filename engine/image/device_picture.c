#include "image/device_picture.h"

#include "image/device_words.h"
#include "ops/planes.h"

#include <stdlib.h>
#include <string.h>

enum { STAGE_HEAD = 1 };

static uint32_t slot_pixels(const vkp_picture_stage *s) { return 4 * s->out_w * s->out_h; }
static uint32_t slot_table(const vkp_picture_stage *s)
{
    return STAGE_HEAD + VKP_TAP_WORDS * (s->out_w + s->out_h);
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
        vkp_taps_write(taps, plan->rows, plan->out_h, down.place, plan->turned ? 1 : cols->count);
        taps += VKP_TAP_WORDS * plan->out_h;
        vkp_taps_write(taps, plan->cols, plan->out_w, right.place, plan->turned ? cols->count : 1);
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
    VKP_TRY(vkp_words_bind(p, &stage->pixels, s.n, slot_pixels(stage), "pictures", &pixels));
    VKP_TRY(vkp_words_bind(p, &stage->tables, s.n, slot_table(stage), "picture tables", &tables));
    vkp_program_label(p, "fitting pictures");
    const vkp_planes planes = {.shader = VKP_SHADER_picture_fit, .tall = 32, .whole = true, .tensor_count = 3,
                               .tensors = {rgb, &pixels, &tables}, .words = {s.h, s.w}, .word_count = 2};
    return vkp_planes_record(p, &planes);
}
