#include "nn/colorizer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "image/device_picture.h"
#include "image/joiner.h"
#include "image/result_check.h"
#include "nn/step_parts.h"
#include "nn/weights.h"

struct vkp_colorizer {
    vkp_device *device;
    vkp_weights weights;
    vkp_fit fit;
    uint32_t size, w, h;  /* the setting, and the network's rectangle in pixels */
    uint32_t batch;       /* 2: the second picture is the first one mirrored */
    vkp_params generator;
    vkp_picture_stage stage;
    vkp_arena arena;
    uint64_t memory; /* bytes that the program needs of it */
    vkp_program *program;
    vkp_graph *graph;
    vkp_tensor rgb, crcb;
    vkp_joiner *joiner;
    float *chroma; /* batch x 2 x h x w; the first picture's are what was predicted */
};

_Static_assert((int)VKP_CONFIG_FIT_WRAP == VKP_FIT_WRAP && (int)VKP_CONFIG_FIT_ROTATE == VKP_FIT_ROTATE,
               "the settings count the ways to fit as image/fit.h does");

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for colouring (host memory ran out; use a smaller --size)");
}

static vkp_status settle(vkp_colorizer *c, const vkp_colorizer_options *options)
{
    const vkp_config *config = c->weights.configured ? &c->weights.config : NULL;
    c->fit = options->fit ? *options->fit : config ? (vkp_fit)config->fit : VKP_FIT_WRAP;
    c->size = options->size ? options->size : config ? config->size : VKP_COLORIZER_SIZE;
    c->batch = options->flip_average ? 2 : 1;
    if (c->size < 16 || c->size > VKP_COLORIZER_MAX_SIZE || c->size % 16)
        return vkp_fail(VKP_USAGE,
                        "size cannot be %u (a multiple of 16 from 16 to %d is needed; choose another --size)",
                        c->size, VKP_COLORIZER_MAX_SIZE);
    int w, h;
    vkp_fit_output(c->fit, (int)c->size, &w, &h);
    c->w = (uint32_t)w;
    c->h = (uint32_t)h;
    return VKP_OK;
}

enum { SECTION_FOLD, SECTION_COLORIZE };

static vkp_status write_down(vkp_colorizer *c)
{
    vkp_bound_params bound, folded;
    uint32_t section;
    vkp_pass pass;
    vkp_value rgb, gray, crcb;
    VKP_TRY(vkp_program_create(c->device, &c->program));
    VKP_TRY(vkp_graph_create(c->program, false, &c->graph));
    VKP_TRY(vkp_params_bind(&c->generator, c->graph, VKP_GRADS_NONE, &bound));
    VKP_TRY(vkp_generator_fold(&bound, &folded));
    VKP_TRY(vkp_program_section(c->program, &section));
    VKP_TRY(vkp_graph_activation(c->graph, (vkp_shape){c->batch, 3, c->h, c->w}, "rgb", &rgb));
    c->rgb = vkp_graph_at(c->graph, rgb);
    VKP_TRY(vkp_picture_stage_record(c->program, &c->stage, &c->rgb));
    VKP_TRY(vkp_add_ycc(c->graph, rgb, &gray, &crcb));
    VKP_TRY(vkp_generator_forward(&folded, gray, false, "G", &pass));
    c->crcb = vkp_graph_at(c->graph, pass.out);
    vkp_program_keep(c->program, c->rgb.buffer);
    vkp_program_keep(c->program, c->crcb.buffer);
    return vkp_program_plan(c->program, &c->memory);
}

static vkp_status try_build(vkp_colorizer *c)
{
    VKP_TRY(vkp_picture_stage_create(c->device, c->batch, c->w, c->h, &c->stage));
    VKP_TRY(write_down(c));
    VKP_TRY(vkp_program_build(c->program, &c->arena));
    return vkp_program_run(c->program, SECTION_FOLD, 1);
}

/* The library's words for what is too large name training's settings; here --size is what helps. */
static vkp_status build(vkp_colorizer *c)
{
    const vkp_device_info *info = &c->device->info;
    const vkp_status status = try_build(c);
    const uint64_t needed = c->device->allocated + c->memory;
    if (status != VKP_DEVICE_MEMORY && status != VKP_SHAPE) return status;
    if (needed > info->limits.memory_budget)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "no room to colour at size %u (needs %" PRIu64 " MiB, %s has %" PRIu64
                        " MiB; use a smaller --size)",
                        c->size, needed >> 20, info->name, info->limits.memory_budget >> 20);
    return vkp_fail(VKP_DEVICE_MEMORY,
                    "cannot colour at size %u (a part needs more than the %" PRIu64
                    " MiB that %s binds at once; use a smaller --size)",
                    c->size, info->limits.storage_range >> 20, info->name);
}

static vkp_status prepare(vkp_colorizer *c, const vkp_colorizer_options *options)
{
    VKP_TRY(vkp_weights_find(options->model, &c->weights));
    VKP_TRY(settle(c, options));
    VKP_TRY(vkp_generator_declare(&c->generator));
    VKP_TRY(vkp_params_allocate(&c->generator, c->device, false));
    VKP_TRY(vkp_params_load(&c->generator, c->weights.path));
    c->chroma = calloc((size_t)c->batch * 2 * c->h * c->w, sizeof *c->chroma);
    if (!c->chroma) return no_memory();
    VKP_TRY(build(c));
    return vkp_joiner_create(c->device, 0, &c->joiner);
}

vkp_status vkp_colorizer_create(vkp_device *device, const vkp_colorizer_options *options, vkp_colorizer **out)
{
    *out = NULL;
    vkp_colorizer *c = calloc(1, sizeof *c);
    if (!c) return no_memory();
    c->device = device;
    const vkp_status status = prepare(c, options);
    if (status == VKP_OK) *out = c;
    else vkp_colorizer_destroy(c);
    return status;
}

void vkp_colorizer_destroy(vkp_colorizer *c)
{
    if (!c) return;
    vkp_joiner_destroy(c->joiner);
    vkp_graph_destroy(c->graph);
    vkp_program_destroy(c->program);
    vkp_arena_destroy(c->device, &c->arena);
    vkp_picture_stage_destroy(&c->stage);
    vkp_params_free(&c->generator);
    vkp_weights_free(&c->weights);
    free(c->chroma);
    free(c);
}

const char *vkp_colorizer_model(const vkp_colorizer *c) { return c->weights.path; }
uint32_t vkp_colorizer_size(const vkp_colorizer *c) { return c->size; }
vkp_fit vkp_colorizer_fit(const vkp_colorizer *c) { return c->fit; }

/* Puts the picture into a slot of the stage. */
static vkp_status stage(vkp_colorizer *c, uint32_t slot, const vkp_picture *picture, bool flip)
{
    vkp_fit_plan plan;
    VKP_TRY(vkp_fit_make(c->fit, (int)c->size, picture->width, picture->height, flip, &plan));
    const vkp_status status = vkp_picture_stage_add(&c->stage, slot, picture, &plan);
    vkp_fit_free(&plan);
    return status;
}

/* Makes the first picture's chroma the mean of its own and of the second's, mirrored back. */
static void average_with_mirrored(vkp_colorizer *c)
{
    const size_t rows = (size_t)2 * c->h;
    float *own = c->chroma;
    const float *mirrored = c->chroma + rows * c->w;
    for (size_t row = 0; row < rows; row++, own += c->w, mirrored += c->w)
        for (uint32_t x = 0; x < c->w; x++) own[x] = 0.5f * (own[x] + mirrored[c->w - 1 - x]);
}

vkp_status vkp_colorizer_predict(vkp_colorizer *c, const vkp_picture *picture)
{
    for (uint32_t slot = 0; slot < c->batch; slot++) VKP_TRY(stage(c, slot, picture, slot == 1));
    VKP_TRY(vkp_program_run(c->program, SECTION_COLORIZE, 1));
    VKP_TRY(vkp_read_dense(c->program, &c->crcb, c->chroma));
    if (c->batch == 2) average_with_mirrored(c);
    return vkp_chroma_check(c->chroma, (size_t)c->h * c->w, c->weights.path);
}

vkp_status vkp_colorizer_join(vkp_colorizer *c, const vkp_picture *picture, float saturation,
                              vkp_picture *colored)
{
    *colored = (vkp_picture){0};
    vkp_fit_plan plan;
    VKP_TRY(vkp_unfit_make(c->fit, (int)c->size, picture->width, picture->height, false, &plan));
    vkp_status status = vkp_joiner_run(c->joiner, picture, c->chroma, &plan, saturation, colored);
    if (status == VKP_OK) status = vkp_result_check(picture, colored);
    if (status != VKP_OK) vkp_picture_free(colored);
    vkp_fit_free(&plan);
    return status;
}

static uint8_t to_byte(float value) { return (uint8_t)(fminf(fmaxf(value, 0), 1) * 255 + 0.5f); }

/* One pixel of the network's rectangle in both pictures; BT.601, full range, chroma in -1..1. */
static void join_pixel(const vkp_colorizer *c, const float *rgb, size_t at, float saturation,
                       uint8_t *colored, uint8_t *seen)
{
    const size_t plane = (size_t)c->h * c->w;
    const float r = rgb[at], g = rgb[plane + at], b = rgb[2 * plane + at];
    const float luma = 0.299f * r + 0.587f * g + 0.114f * b;
    const float cr = 0.5f * saturation * c->chroma[at], cb = 0.5f * saturation * c->chroma[plane + at];
    colored[0] = to_byte(luma + 1.402f * cr);
    colored[1] = to_byte(luma - 0.714136f * cr - 0.344136f * cb);
    colored[2] = to_byte(luma + 1.772f * cb);
    seen[0] = to_byte(r);
    seen[1] = to_byte(g);
    seen[2] = to_byte(b);
}

/* Fills both pictures from the rectangle's part `from`; `turned`: they stand upright, it lies. */
static void join_small(const vkp_colorizer *c, const float *rgb, vkp_rect from, bool turned, float saturation,
                       vkp_picture *colored, vkp_picture *seen)
{
    for (int y = 0; y < colored->height; y++)
        for (int x = 0; x < colored->width; x++) {
            const int row = from.y0 + (turned ? x : y);
            const int column = turned ? from.x1 - 1 - y : from.x0 + x;
            const size_t to = ((size_t)y * (size_t)colored->width + (size_t)x) * 4;
            join_pixel(c, rgb, (size_t)row * c->w + (size_t)column, saturation, colored->rgba + to,
                       seen->rgba + to);
        }
}

vkp_status vkp_colorizer_join_small(vkp_colorizer *c, const vkp_picture *picture, float saturation,
                                    vkp_picture *colored, vkp_picture *seen)
{
    *colored = *seen = (vkp_picture){0};
    const bool turned = c->fit == VKP_FIT_ROTATE && picture->height > picture->width;
    const vkp_rect r = vkp_fit_aspect_crop(c->fit, (int)c->size, picture->width, picture->height);
    const int w = turned ? r.y1 - r.y0 : r.x1 - r.x0, h = turned ? r.x1 - r.x0 : r.y1 - r.y0;
    const vkp_tensor first = vkp_tensor_pictures(&c->rgb, 0, 1);
    float *rgb = malloc((size_t)3 * c->h * c->w * sizeof *rgb);
    vkp_status status = rgb ? vkp_read_dense(c->program, &first, rgb) : no_memory();
    if (status == VKP_OK) status = vkp_picture_make(w, h, colored);
    if (status == VKP_OK) status = vkp_picture_make(w, h, seen);
    if (status == VKP_OK) join_small(c, rgb, r, turned, saturation, colored, seen);
    else vkp_picture_free(colored);
    free(rgb);
    return status;
}
