/* The painter: colours the queue's pictures with the models there are. */
#ifndef VKP_SERVE_PAINTER_H
#define VKP_SERVE_PAINTER_H

#include <cjson/cJSON.h>

#include "serve/queue.h"
#include "serve/runs.h"
#include "vk/device.h"

enum {
    VKP_PAINTER_SMALLEST = 64, /* working sizes */
    VKP_PAINTER_LARGEST = 1024,
    VKP_PAINTER_SIDE = 1600,
    VKP_PAINTER_MODELS = 16
};

/* What it is given; must outlive it. */
typedef struct vkp_painter_options {
    const char *models[VKP_PAINTER_MODELS]; /* further ones, as vkp_weights_find takes them, then NULL */
    vkp_runs *runs;                         /* whose weights are models too, as "run:NAME"; or NULL */
    uint64_t max_pixels;                    /* of a picture */
    /* Opens and closes the device: at the start, and again after it was lost. */
    vkp_status (*open)(void *user, vkp_device **device);
    void (*close)(void *user, vkp_device *device);
    void *user;
} vkp_painter_options;

typedef struct vkp_painter vkp_painter;

/* Opens the device and the first model: one given, else the default that is built in. Errors as `open` and
 * vkp_colorizer_create. vkp_painter_destroy afterwards, when the queue is gone; NULL is fine there. */
VKP_MUST_USE vkp_status vkp_painter_create(const vkp_painter_options *options, vkp_painter **out);
void vkp_painter_destroy(vkp_painter *painter);

/* The device's name. */
const char *vkp_painter_device(const vkp_painter *painter);
/* The names of all models, that of "" first, as an array; NULL when memory ran out.
 * cJSON_Delete afterwards. */
cJSON *vkp_painter_models(void *painter);

/* Whether a wish can be fulfilled: VKP_USAGE for a model that is not in the list, a strength outside 0..3, or
 * a size that is not 0 or a multiple of 32 within 64..1024. */
VKP_MUST_USE vkp_status vkp_painter_check(void *painter, const vkp_wish *wish);

/* vkp_queue_options' `work`, for the painter as `user`: results are JPEG for JPEG, else PNG, at the picture's
 * own size and with all that vkpix colorize keeps; VKP_PART_BEFORE and VKP_PART_AFTER are JPEG with a longer
 * side of at most VKP_PAINTER_SIDE. */
VKP_MUST_USE vkp_status vkp_painter_work(void *painter, const vkp_task *task, vkp_coloured *coloured);

#endif
