#include "data/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "image/blur.h"

/* Decoded pictures that wait: enough to hide a slow one, bounded for large photographs. */
#define AHEAD_BYTES ((size_t)512 << 20)

struct vkp_feed {
    vkp_device *device;
    vkp_feed_options options;
    vkp_loader *loader;
    vkp_picture_stage stage;
    vkp_buffer rgb;
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

static vkp_status build(vkp_feed *f)
{
    const vkp_feed_options *o = &f->options;
    int w, h;
    vkp_fit_output(o->fit, o->size, &w, &h);
    f->w = (uint32_t)w;
    f->h = (uint32_t)h;
    f->valid = calloc(o->batch, sizeof *f->valid);
    f->blur = calloc((size_t)o->batch * 9, sizeof *f->blur);
    if (!f->valid || !f->blur) return no_memory();
    vkp_tensor rgb = vkp_tensor_activation(0, (vkp_shape){o->batch, 3, f->h, f->w});
    const uint64_t bytes = vkp_extent(&rgb) * sizeof(float);
    VKP_TRY(vkp_buffer_create(f->device, bytes, VKP_MEMORY_DEVICE, "batch of pictures", &f->rgb));
    VKP_TRY(vkp_buffer_clear(f->device, &f->rgb));
    VKP_TRY(vkp_picture_stage_create(f->device, o->batch, f->w, f->h, &f->stage));
    VKP_TRY(vkp_program_create(f->device, &f->program));
    VKP_TRY(vkp_program_external(f->program, &f->rgb, 0, bytes, "batch of pictures", &rgb.buffer));
    vkp_program_label(f->program, "squaring pictures");
    VKP_TRY(vkp_picture_stage_record(f->program, &f->stage, &rgb));
    VKP_TRY(vkp_program_build(f->program, &f->arena));
    const vkp_loader_options loader = {
        .threads = o->threads, .ahead = 2 * (size_t)o->batch + 2, .max_bytes = AHEAD_BYTES};
    return vkp_loader_make(o->paths, o->count, &loader, &f->loader);
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
    free(f->valid);
    free(f->blur);
    free(f);
}

const vkp_buffer *vkp_feed_rgb(const vkp_feed *f) { return &f->rgb; }

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
        vkp_picture_free(&item.picture);
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

static vkp_status stage_picture(vkp_feed *f, uint32_t slot, const vkp_loader_item *item)
{
    const vkp_feed_options *o = &f->options;
    const bool flip =
        vkp_random_float(o->seed, vkp_random_stream(VKP_RANDOM_FLIP, f->epoch), item->index) < o->flip;
    vkp_fit_plan plan;
    VKP_TRY(vkp_fit_make(o->fit, o->size, item->picture.width, item->picture.height, flip, &plan));
    const vkp_status status = vkp_picture_stage_add(&f->stage, slot, &item->picture, &plan);
    f->valid[slot] = plan.valid;
    vkp_fit_free(&plan);
    vkp_blur_kernel(draw_blur(f, item->index), f->blur + 9 * (size_t)slot);
    return status;
}

vkp_status vkp_feed_next(vkp_feed *f, vkp_feed_batch *batch)
{
    *batch = (vkp_feed_batch){.valid = f->valid, .blur = f->blur};
    VKP_TRY(vkp_program_wait(f->program)); /* it reads the stage */
    vkp_picture_stage_clear(&f->stage);
    while (batch->count < f->options.batch) {
        vkp_loader_item item;
        VKP_TRY(next_readable(f, &item));
        if (item.end) break;
        const vkp_status status = stage_picture(f, batch->count, &item);
        vkp_picture_free(&item.picture);
        VKP_TRY(status);
        batch->count++;
    }
    return batch->count ? vkp_program_submit(f->program, 0, 1) : VKP_OK;
}

vkp_loader_totals vkp_feed_count(const vkp_feed *f) { return vkp_loader_count(f->loader); }
