#include "serve/painter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "image/format.h"
#include "image/thumbnail.h"
#include "nn/built_in.h"
#include "nn/colorizer.h"

enum { KEPT = 3, QUALITY = 95, VIEW_QUALITY = 88, SIZE_STEP = 32 };

#define LARGEST_STRENGTH 3.0

/* The weights of a run change while it goes on: they are loaded again after this many seconds. */
#define RUN_SECONDS 30.0

static const char run_prefix[] = "run:";

/* A model at a working size, ready to colour. */
typedef struct ready {
    vkp_colorizer *colorizer;
    char model[VKP_MODEL_ROOM];
    uint32_t size;
    double made, used; /* when */
} ready;

struct vkp_painter {
    vkp_painter_options options;
    vkp_device *device; /* NULL after it was lost, until it is opened again */
    char device_name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    ready kept[KEPT];
};

static void discard(ready *r)
{
    vkp_colorizer_destroy(r->colorizer);
    *r = (ready){0};
}

static void close_device(vkp_painter *p)
{
    for (int i = 0; i < KEPT; i++) discard(&p->kept[i]);
    if (p->device) p->options.close(p->options.user, p->device);
    p->device = NULL;
}

static vkp_status open_device(vkp_painter *p)
{
    if (p->device) return VKP_OK;
    VKP_TRY(p->options.open(p->options.user, &p->device));
    snprintf(p->device_name, sizeof p->device_name, "%s", p->device->info.name);
    return VKP_OK;
}

static bool is_run(const char *model) { return strncmp(model, run_prefix, sizeof run_prefix - 1) == 0; }

/* What vkp_weights_find takes for a model of the list; *path is freed by the caller. */
static vkp_status source_of(vkp_painter *p, const char *model, const char **source, char **path)
{
    *path = NULL;
    *source = *model ? model : p->options.models[0];
    if (!p->options.runs || !is_run(model)) return VKP_OK;
    VKP_TRY(vkp_runs_path(p->options.runs, model + sizeof run_prefix - 1, path));
    *source = *path;
    return VKP_OK;
}

static vkp_status make_ready(vkp_painter *p, const vkp_wish *wish, ready *r)
{
    const char *source;
    char *path;
    VKP_TRY(source_of(p, wish->model, &source, &path));
    const vkp_colorizer_options options = {.model = source, .size = wish->size};
    discard(r);
    const vkp_status status = vkp_colorizer_create(p->device, &options, &r->colorizer);
    free(path);
    VKP_TRY(status);
    memcpy(r->model, wish->model, sizeof r->model);
    r->size = wish->size;
    r->made = vkp_clock();
    return VKP_OK;
}

/* The colorizer for a wish, in place of the one used longest ago if it is not there yet. */
static vkp_status choose(vkp_painter *p, const vkp_wish *wish, vkp_colorizer **colorizer)
{
    const double now = vkp_clock();
    ready *chosen = &p->kept[0];
    bool found = false;
    for (int i = 0; i < KEPT; i++) {
        ready *r = &p->kept[i];
        if (is_run(r->model) && now - r->made > RUN_SECONDS) discard(r);
        const bool fits = r->colorizer && r->size == wish->size && strcmp(r->model, wish->model) == 0;
        if (fits || (!found && r->used < chosen->used)) chosen = r;
        found |= fits;
    }
    if (!found) VKP_TRY(make_ready(p, wish, chosen));
    chosen->used = now;
    *colorizer = chosen->colorizer;
    return VKP_OK;
}

vkp_status vkp_painter_create(const vkp_painter_options *options, vkp_painter **out)
{
    vkp_colorizer *first;
    *out = NULL;
    vkp_painter *p = calloc(1, sizeof *p);
    if (!p) return vkp_fail(VKP_MEMORY, "no memory for the models (host memory ran out; close programs)");
    p->options = *options;
    vkp_status status = open_device(p);
    if (status == VKP_OK) status = choose(p, &(vkp_wish){.strength = 1}, &first);
    if (status == VKP_OK)
        *out = p;
    else
        vkp_painter_destroy(p);
    return status;
}

void vkp_painter_destroy(vkp_painter *p)
{
    if (!p) return;
    close_device(p);
    free(p);
}

const char *vkp_painter_device(const vkp_painter *p) { return p->device_name; }

static void append(cJSON *list, const char *prefix, const char *name)
{
    char text[VKP_MODEL_ROOM];
    const int length = snprintf(text, sizeof text, "%s%s", prefix, name);
    if (length > 0 && length < (int)sizeof text) cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

cJSON *vkp_painter_models(void *painter)
{
    const vkp_painter *p = painter;
    cJSON *list = cJSON_CreateArray(), *runs = NULL;
    const char *const *given = p->options.models;
    for (size_t i = 0; list && given[i]; i++) append(list, "", given[i]);
    /* The default is the first where none was given. */
    if (list && !given[0] && vkp_built_in_find(VKP_BUILT_IN_DEFAULT)) append(list, "", VKP_BUILT_IN_DEFAULT);
    for (const vkp_built_in *b = vkp_built_in_table; list && b->name; b++)
        if (given[0] || strcmp(b->name, VKP_BUILT_IN_DEFAULT) != 0) append(list, "", b->name);
    if (!list || !p->options.runs || vkp_runs_list(p->options.runs, &runs) != VKP_OK) return list;
    const cJSON *run;
    cJSON_ArrayForEach(run, runs) if (cJSON_IsTrue(cJSON_GetObjectItem(run, "has_weights")))
        append(list, run_prefix, cJSON_GetStringValue(cJSON_GetObjectItem(run, "name")));
    cJSON_Delete(runs);
    return list;
}

static bool is_listed(void *p, const char *model)
{
    bool listed = !*model;
    const cJSON *name;
    cJSON *all = vkp_painter_models(p);
    cJSON_ArrayForEach(name, all) listed |= strcmp(cJSON_GetStringValue(name), model) == 0;
    cJSON_Delete(all);
    return listed;
}

vkp_status vkp_painter_check(void *painter, const vkp_wish *wish)
{
    if (!is_listed(painter, wish->model))
        return vkp_fail(VKP_USAGE, "there is no model %s (it is not in the list; choose one of /api/info)",
                        wish->model);
    if (!(wish->strength >= 0 && wish->strength <= LARGEST_STRENGTH))
        return vkp_fail(VKP_USAGE, "strength cannot be %g (a number from 0 to %g is needed; choose another)",
                        wish->strength, LARGEST_STRENGTH);
    if (wish->size &&
        (wish->size < VKP_PAINTER_SMALLEST || wish->size > VKP_PAINTER_LARGEST || wish->size % SIZE_STEP))
        return vkp_fail(VKP_USAGE,
                        "size cannot be %u (0 or a multiple of %d from %d to %d is needed; choose another)",
                        wish->size, SIZE_STEP, VKP_PAINTER_SMALLEST, VKP_PAINTER_LARGEST);
    return VKP_OK;
}

static vkp_status encode(const vkp_task *task, const char *name, const vkp_picture *picture, int quality,
                         vkp_blob **blob)
{
    uint8_t *bytes;
    size_t size;
    VKP_TRY(vkp_picture_encode(name, picture, quality, &bytes, &size));
    return vkp_blob_adopt(vkp_queue_bank(task->queue), bytes, size, blob);
}

static vkp_status encode_view(const vkp_task *task, const vkp_picture *picture, vkp_blob **blob)
{
    vkp_picture small;
    VKP_TRY(vkp_thumbnail(picture, VKP_PAINTER_SIDE, &small));
    const vkp_status status = encode(task, "view.jpg", &small, VIEW_QUALITY, blob);
    vkp_picture_free(&small);
    return status;
}

static vkp_status given_up(const vkp_task *task)
{
    return vkp_fail(VKP_INTERRUPTED, "%s was not coloured (nobody waits for it; ask again)", task->name);
}

static vkp_status write_parts(const vkp_task *task, vkp_picture *original, vkp_picture *result,
                              vkp_coloured *coloured)
{
    const vkp_blob *file = task->original;
    const bool jpeg = vkp_format_of(file->bytes, file->size) == VKP_PICTURE_JPEG;
    VKP_TRY(encode_view(task, original, &coloured->parts[VKP_PART_BEFORE]));
    VKP_TRY(encode_view(task, result, &coloured->parts[VKP_PART_AFTER]));
    vkp_picture_pass_on(original, result);
    coloured->width = result->width;
    coloured->height = result->height;
    return encode(task, jpeg ? "result.jpg" : "result.png", result, QUALITY,
                  &coloured->parts[VKP_PART_RESULT]);
}

static vkp_status colour(vkp_painter *p, const vkp_task *task, vkp_picture *original, vkp_coloured *coloured)
{
    vkp_colorizer *colorizer;
    vkp_picture result;
    if (!vkp_queue_stage(task->queue, VKP_STAGE_PREDICT)) return given_up(task);
    VKP_TRY(open_device(p));
    VKP_TRY(choose(p, &task->wish, &colorizer));
    VKP_TRY(vkp_colorizer_predict(colorizer, original));
    if (!vkp_queue_stage(task->queue, VKP_STAGE_JOIN)) return given_up(task);
    const double saturation = task->wish.strength * vkp_colorizer_saturation(colorizer);
    VKP_TRY(vkp_colorizer_join(colorizer, original, (float)saturation, &result));
    const vkp_status status = vkp_queue_stage(task->queue, VKP_STAGE_WRITE)
                                  ? write_parts(task, original, &result, coloured)
                                  : given_up(task);
    vkp_picture_free(&result);
    return status;
}

vkp_status vkp_painter_work(void *painter, const vkp_task *task, vkp_coloured *coloured)
{
    vkp_painter *p = painter;
    vkp_picture original;
    VKP_TRY(vkp_picture_decode(task->original->bytes, task->original->size, task->name, p->options.max_pixels,
                               &original));
    const vkp_status status = colour(p, task, &original, coloured);
    vkp_picture_free(&original);
    if (status != VKP_DEVICE_LOST) return status;
    char error[1024];
    snprintf(error, sizeof error, "%s", vkp_error());
    close_device(p);
    return vkp_fail(status, "%s", error);
}
