#include "nn/validation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct vkp_validation {
    vkp_device *device;
    const vkp_config *config;
    const vkp_params *generator;
    const size_t *indices;
    size_t count;
    vkp_arena *arena;
    vkp_feed *feed;
    vkp_evaluation *full, *rest; /* for whole batches, and for the smaller last one */
    uint32_t batch, rest_count, h, w;
    double *psnr;
    float *fake, *real;
};

static vkp_status build(vkp_validation *v, const vkp_feed_options *options)
{
    VKP_TRY(vkp_feed_create(v->device, options, &v->feed));
    vkp_feed_output(v->feed, &v->h, &v->w);
    const size_t floats = (size_t)v->batch * 3 * v->h * vkp_pitch(v->w);
    v->psnr = calloc(v->batch, sizeof *v->psnr);
    v->fake = malloc(floats * sizeof *v->fake);
    v->real = malloc(floats * sizeof *v->real);
    if (v->psnr && v->fake && v->real) return VKP_OK;
    return vkp_fail(VKP_MEMORY, "no memory for validation (host memory ran out; use a smaller --set batch)");
}

vkp_status vkp_validation_create(vkp_device *device, const vkp_config *config, const vkp_params *generator,
                                 const vkp_folder *folder, const size_t *indices, size_t count, int threads,
                                 uint64_t max_pixels, vkp_arena *arena, void (*warn)(void *, const char *),
                                 void *user, vkp_validation **out)
{
    vkp_validation *v = calloc(1, sizeof *v);
    if (!v)
        return vkp_fail(VKP_MEMORY, "no memory for validation (host memory ran out; close other programs)");
    *v = (vkp_validation){.device = device,
                          .config = config,
                          .generator = generator,
                          .indices = indices,
                          .count = count,
                          .arena = arena,
                          .batch = count < config->batch ? (uint32_t)count : config->batch};
    const vkp_feed_options options = {.paths = (const char *const *)folder->paths,
                                      .count = folder->count,
                                      .batch = v->batch,
                                      .fit = (vkp_fit)config->fit,
                                      .size = (int)vkp_config_work_size(config),
                                      .seed = config->seed,
                                      .threads = threads,
                                      .max_pixels = max_pixels,
                                      .warn = warn,
                                      .user = user};
    const vkp_status status = build(v, &options);
    if (status != VKP_OK) {
        vkp_validation_destroy(v);
        return status;
    }
    *out = v;
    return VKP_OK;
}

void vkp_validation_destroy(vkp_validation *v)
{
    if (!v) return;
    vkp_evaluation_destroy(v->full);
    vkp_evaluation_destroy(v->rest);
    vkp_feed_destroy(v->feed);
    free(v->psnr);
    free(v->fake);
    free(v->real);
    free(v);
}

static vkp_status evaluation_for(vkp_validation *v, uint32_t count, vkp_evaluation **out)
{
    vkp_evaluation **place = count == v->batch ? &v->full : &v->rest;
    if (place == &v->rest && v->rest_count != count) {
        vkp_evaluation_destroy(v->rest);
        v->rest = NULL;
        v->rest_count = count;
    }
    if (!*place)
        VKP_TRY(vkp_evaluation_create(v->device, v->config, v->generator, count, v->h, v->w,
                                      vkp_feed_rgb(v->feed), v->arena, place));
    *out = *place;
    return VKP_OK;
}

/* The batch as the network saw it, without the padding of its rows. */
static vkp_status read_real(vkp_validation *v, uint32_t count)
{
    const uint32_t pitch = vkp_pitch(v->w);
    const size_t rows = (size_t)count * 3 * v->h;
    VKP_TRY(vkp_buffer_read(v->device, vkp_feed_rgb(v->feed), 0, v->real, rows * pitch * sizeof *v->real));
    for (size_t row = 0; row < rows; row++)
        memmove(v->real + row * v->w, v->real + row * pitch, v->w * sizeof *v->real);
    return VKP_OK;
}

static vkp_status add_previews(vkp_validation *v, uint32_t count, vkp_preview *preview)
{
    const size_t picture = (size_t)3 * v->h * v->w;
    VKP_TRY(read_real(v, count));
    for (uint32_t i = 0; i < count; i++)
        VKP_TRY(vkp_preview_add(preview, v->fake + i * picture, v->real + i * picture, (int)v->w, (int)v->h));
    return VKP_OK;
}

vkp_status vkp_validation_run(vkp_validation *v, double *l1, double *psnr, vkp_preview *preview)
{
    double l1_sum = 0, psnr_sum = 0, pictures = 0;
    VKP_TRY(vkp_feed_queue(v->feed, v->indices, v->count, 0));
    for (;;) {
        vkp_feed_batch batch;
        vkp_evaluation *evaluation;
        vkp_losses losses;
        VKP_TRY(vkp_feed_next(v->feed, &batch));
        if (!batch.count) break;
        VKP_TRY(evaluation_for(v, batch.count, &evaluation));
        const bool show = preview && preview->count < 16;
        VKP_TRY(vkp_evaluation_run(evaluation, batch.valid, &losses, v->psnr, NULL, show ? v->fake : NULL));
        if (show) VKP_TRY(add_previews(v, batch.count, preview));
        l1_sum += losses.g_l1 * batch.count;
        for (uint32_t i = 0; i < batch.count; i++) psnr_sum += v->psnr[i];
        pictures += batch.count;
    }
    *l1 = pictures > 0 ? l1_sum / pictures : NAN;
    *psnr = pictures > 0 ? psnr_sum / pictures : NAN;
    return VKP_OK;
}
