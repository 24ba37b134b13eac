#include "data/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "image/blur.h"
#include "image/crop.h"
#include "image/degrade.h"
#include "ops/moves.h"

/* Held for pictures that wait or are decoded: enough to hide a slow one, bounded for large photographs. */
#define AHEAD_BYTES ((size_t)512 << 20)

struct vkp_feed {
    vkp_device *device;
    vkp_feed_options options;
    vkp_loader *loader;
    vkp_picture_stage stage;
    vkp_buffer rgb;
    vkp_buffer gray, gray_stage; /* empty where the input is the RGB's own luma */
    vkp_program *program;
    vkp_arena arena; /* empty: the program plans no buffers */
    uint32_t h, w, epoch;
    vkp_rect *valid;
    float *blur;
};

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a batch (host memory ran out; use a smaller --set batch)");
}

static vkp_crop draw_crop(const vkp_feed *f, size_t index, const vkp_picture *picture)
{
    const vkp_feed_options *o = &f->options;
    return vkp_crop_draw(picture->width, picture->height, o->size, o->view_min, o->view_max, o->seed,
                         vkp_random_stream(VKP_RANDOM_VIEW, f->epoch), index);
}

/* The taps of a picture in this epoch. */
static vkp_status make_plan(const vkp_feed *f, size_t index, const vkp_picture *picture, vkp_fit_plan *plan)
{
    const vkp_feed_options *o = &f->options;
    const int w = picture->width, h = picture->height;
    const bool flip =
        vkp_random_float(o->seed, vkp_random_stream(VKP_RANDOM_FLIP, f->epoch), index) < o->flip;
    if (!o->view_max) return vkp_fit_make(o->fit, o->size, w, h, flip, plan);
    const vkp_crop crop = draw_crop(f, index, picture);
    return vkp_fit_window(o->size, crop.x, crop.y, crop.step, w, h, flip, plan);
}

/* Drops the pixels that no view needs: what the loader keeps. */
static vkp_status reduce(void *user, vkp_picture *picture)
{
    const vkp_feed_options *o = &((const vkp_feed *)user)->options;
    vkp_picture reduced;
    const double length = vkp_crop_length(picture->width, picture->height, o->size, o->view_max);
    VKP_TRY(vkp_crop_reduce(picture, length, &reduced));
    if (!reduced.rgba) return VKP_OK;
    vkp_picture_free(picture);
    *picture = reduced;
    return VKP_OK;
}

/* The network's input. Of a whole picture the rectangle's longer side stands for the photograph's. */
static vkp_status make_gray(const vkp_feed *f, size_t index, const vkp_picture *picture, float *gray)
{
    const vkp_feed_options *o = &f->options;
    const int w = (int)f->w, h = (int)f->h;
    const double length = o->view_max ? draw_crop(f, index, picture).length : w > h ? w : h;
    vkp_fit_plan plan;
    VKP_TRY(make_plan(f, index, picture, &plan));
    vkp_status status = vkp_fit_luma(&plan, picture->rgba, gray);
    vkp_fit_free(&plan);
    VKP_TRY(status);
    vkp_jitter_luma(gray, w, h, o->jitter, o->seed, vkp_random_stream(VKP_RANDOM_JITTER, f->epoch), index);
    VKP_TRY(vkp_degrade_luma(gray, w, h, length / VKP_DEGRADE_LENGTH, o->degrade, o->seed,
                             vkp_random_stream(VKP_RANDOM_DEGRADE, f->epoch), index));
    for (size_t i = 0; i < (size_t)f->w * f->h; i++) gray[i] = 2 * gray[i] - 1;
    return VKP_OK;
}

static vkp_status prepare(void *user, size_t index, const vkp_picture *picture, vkp_picture *own,
                          float *values)
{
    const vkp_feed *f = user;
    if (f->options.view_max) {
        const vkp_crop crop = draw_crop(f, index, picture);
        if (crop.step > 2) VKP_TRY(vkp_crop_reduce(picture, crop.length, own));
    }
    const vkp_status status = values ? make_gray(f, index, own->rgba ? own : picture, values) : VKP_OK;
    if (status != VKP_OK) vkp_picture_free(own);
    return status;
}

static vkp_status record(vkp_feed *f)
{
    vkp_tensor rgb = vkp_tensor_activation(0, (vkp_shape){f->options.batch, 3, f->h, f->w});
    VKP_TRY(vkp_program_create(f->device, &f->program));
    VKP_TRY(vkp_program_external(f->program, &f->rgb, 0, f->rgb.bytes, "batch of pictures", &rgb.buffer));
    vkp_program_label(f->program, "squaring pictures");
    VKP_TRY(vkp_picture_stage_record(f->program, &f->stage, &rgb));
    if (f->gray.bytes) {
        vkp_tensor to = vkp_tensor_activation(0, (vkp_shape){f->options.batch, 1, f->h, f->w}), from = to;
        VKP_TRY(vkp_program_external(f->program, &f->gray, 0, f->gray.bytes, "batch of gray", &to.buffer));
        VKP_TRY(vkp_program_external(f->program, &f->gray_stage, 0, f->gray.bytes, "gray pictures",
                                     &from.buffer));
        vkp_program_label(f->program, "copying gray pictures");
        VKP_TRY(vkp_copy(f->program, &from, &to, false));
    }
    return vkp_program_build(f->program, &f->arena);
}

static vkp_status create_buffers(vkp_feed *f)
{
    const vkp_feed_options *o = &f->options;
    const uint64_t plane = (uint64_t)o->batch * f->h * vkp_pitch(f->w) * sizeof(float);
    VKP_TRY(vkp_buffer_create(f->device, 3 * plane, VKP_MEMORY_DEVICE, "batch of pictures", &f->rgb));
    VKP_TRY(vkp_buffer_clear(f->device, &f->rgb));
    VKP_TRY(vkp_picture_stage_create(f->device, o->batch, f->w, f->h, &f->stage));
    if (!(o->jitter > 0) && !(o->degrade > 0)) return VKP_OK;
    VKP_TRY(vkp_buffer_create(f->device, plane, VKP_MEMORY_DEVICE, "batch of gray", &f->gray));
    VKP_TRY(vkp_buffer_create(f->device, plane, VKP_MEMORY_HOST, "gray pictures", &f->gray_stage));
    memset(f->gray_stage.mapped, 0, plane);
    return vkp_buffer_clear(f->device, &f->gray);
}

static vkp_status make_loader(vkp_feed *f)
{
    const vkp_feed_options *o = &f->options;
    vkp_loader_options loader = {.threads = o->threads, .ahead = 2 * (size_t)o->batch + 2,
                                 .max_bytes = AHEAD_BYTES, .cache_bytes = o->cache_bytes,
                                 .max_pixels = o->max_pixels,
                                 .hooks = {.user = f}};
    if (f->gray.bytes) loader.hooks.floats = (size_t)f->w * f->h;
    if (o->view_max) loader.hooks.reduce = reduce;
    if (o->view_max || f->gray.bytes) loader.hooks.prepare = prepare;
    return vkp_loader_make(o->paths, o->count, &loader, &f->loader);
}

static vkp_status build(vkp_feed *f)
{
    const vkp_feed_options *o = &f->options;
    if (o->view_min > o->view_max || (o->view_max && !o->view_min))
        return vkp_fail(VKP_USAGE, "views of %u to %u pixels (the least is 1 or more and not above the most; "
                        "choose others)", o->view_min, o->view_max);
    int w = o->size, h = o->size;
    if (!o->view_max) vkp_fit_output(o->fit, o->size, 1, 1, &w, &h);
    f->w = (uint32_t)w;
    f->h = (uint32_t)h;
    f->valid = calloc(o->batch, sizeof *f->valid);
    f->blur = calloc((size_t)o->batch * 9, sizeof *f->blur);
    if (!f->valid || !f->blur) return no_memory();
    VKP_TRY(create_buffers(f));
    VKP_TRY(record(f));
    return make_loader(f);
}

vkp_status vkp_feed_create(vkp_device *device, const vkp_feed_options *options, vkp_feed **out)
{
    vkp_feed *f = calloc(1, sizeof *f);
    if (!f) return no_memory();
    f->device = device;
    f->options = *options;
    const vkp_status status = build(f);
    if (status != VKP_OK) {
        vkp_feed_destroy(f);
        return status;
    }
    *out = f;
    return VKP_OK;
}

void vkp_feed_destroy(vkp_feed *f)
{
    if (!f) return;
    vkp_loader_free(f->loader);
    vkp_program_destroy(f->program);
    vkp_picture_stage_destroy(&f->stage);
    vkp_buffer_destroy(f->device, &f->rgb);
    vkp_buffer_destroy(f->device, &f->gray);
    vkp_buffer_destroy(f->device, &f->gray_stage);
    free(f->valid);
    free(f->blur);
    free(f);
}

const vkp_buffer *vkp_feed_rgb(const vkp_feed *f) { return &f->rgb; }
const vkp_buffer *vkp_feed_gray(const vkp_feed *f) { return f->gray.bytes ? &f->gray : NULL; }

void vkp_feed_output(const vkp_feed *f, uint32_t *h, uint32_t *w)
{
    *h = f->h;
    *w = f->w;
}

vkp_status vkp_feed_queue(vkp_feed *f, const size_t *order, size_t length, uint32_t epoch)
{
    f->epoch = epoch;
    return vkp_loader_queue(f->loader, order, length);
}

/* The next picture that can be read; those that cannot are told of. */
static vkp_status next_readable(vkp_feed *f, vkp_loader_item *item)
{
    for (;;) {
        VKP_TRY(vkp_loader_next(f->loader, item));
        if (item->end || item->status == VKP_OK) return VKP_OK;
        if (f->options.warn) f->options.warn(f->options.user, item->error);
    }
}

vkp_status vkp_feed_skip(vkp_feed *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vkp_loader_item item;
        VKP_TRY(next_readable(f, &item));
        if (item.end) return VKP_OK;
        vkp_loader_item_free(&item);
    }
    return VKP_OK;
}

/* With the blur's probability a Gaussian or a motion, each as often; the motions' four directions alike. */
static vkp_blur draw_blur(const vkp_feed *f, size_t index)
{
    const uint64_t seed = f->options.seed, stream = vkp_random_stream(VKP_RANDOM_BLUR, f->epoch);
    if (!(vkp_random_float(seed, stream, 3 * index) < f->options.blur)) return VKP_BLUR_NONE;
    if (vkp_random_below(seed, stream, 3 * index + 1, 2) == 0) return VKP_BLUR_GAUSSIAN;
    return (vkp_blur)(VKP_BLUR_MOTION_RIGHT + vkp_random_below(seed, stream, 3 * index + 2, 4));
}

/* The stage has the tensor's padded rows, whose padding stays zero; the item's rows follow each other. */
static void stage_gray(vkp_feed *f, uint32_t slot, const float *values)
{
    const size_t pitch = vkp_pitch(f->w);
    float *to = (float *)f->gray_stage.mapped + slot * f->h * pitch;
    for (size_t y = 0; y < f->h; y++) memcpy(to + y * pitch, values + y * f->w, f->w * sizeof *to);
}

static vkp_status stage_picture(vkp_feed *f, uint32_t slot, const vkp_loader_item *item)
{
    vkp_fit_plan plan;
    VKP_TRY(make_plan(f, item->index, &item->picture, &plan));
    const vkp_status status = vkp_picture_stage_add(&f->stage, slot, &item->picture, &plan);
    f->valid[slot] = plan.valid;
    vkp_fit_free(&plan);
    if (item->values) stage_gray(f, slot, item->values);
    vkp_blur_kernel(draw_blur(f, item->index), f->blur + 9 * (size_t)slot);
    return status;
}

vkp_status vkp_feed_next(vkp_feed *f, vkp_feed_batch *batch)
{
    *batch = (vkp_feed_batch){.valid = f->valid, .blur = f->blur};
    VKP_TRY(vkp_program_wait(f->program)); /* it reads the stages */
    vkp_picture_stage_clear(&f->stage);
    while (batch->count < f->options.batch) {
        vkp_loader_item item;
        VKP_TRY(next_readable(f, &item));
        if (item.end) break;
        const vkp_status status = stage_picture(f, batch->count, &item);
        vkp_loader_item_free(&item);
        VKP_TRY(status);
        batch->count++;
    }
    return batch->count ? vkp_program_submit(f->program, 0, 1) : VKP_OK;
}

vkp_loader_totals vkp_feed_count(const vkp_feed *f) { return vkp_loader_count(f->loader); }
