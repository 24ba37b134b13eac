#include "nn/colorizer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "image/crop.h"
#include "image/device_picture.h"
#include "image/joiner.h"
#include "image/result_check.h"
#include "nn/step_parts.h"
#include "nn/weights.h"

/* The generator's program for one rectangle, with memory of its own: the folded weights stay in it. */
typedef struct canvas {
    uint32_t w, h; /* pixels; 0: none */
    uint64_t used; /* when it was used last */
    vkp_picture_stage stage;
    vkp_arena arena;
    uint64_t memory; /* bytes that the program needs of it */
    vkp_program *program;
    vkp_graph *graph;
    vkp_tensor rgb, crcb;
    float *chroma; /* batch x 2 x h x w; the first picture's are what was predicted */
} canvas;

/* Rectangles that are kept: pictures of a folder alternate between a few, and most ways have just one. */
enum { CANVASES = 4 };

struct vkp_colorizer {
    vkp_device *device;
    vkp_weights weights;
    vkp_fit fit;
    uint32_t size;  /* the setting */
    bool adaptive;  /* nobody asked for it: less where the picture or the device's memory is small */
    uint32_t used_size; /* of the latest prediction */
    uint32_t batch; /* 2: the second picture is the first one mirrored */
    vkp_params generator;
    canvas canvases[CANVASES];
    canvas *current; /* of the latest prediction */
    uint64_t predictions;
    vkp_joiner *joiner;
};

_Static_assert((int)VKP_CONFIG_FIT_WRAP == VKP_FIT_WRAP && (int)VKP_CONFIG_FIT_ROTATE == VKP_FIT_ROTATE,
               "the settings count the ways to fit as image/fit.h does");

/* Photographs are brought near the network's size by means of areas; two taps would miss most pixels. */
#define REDUCED 1.25

/* Working sizes that adapt are multiples of this, which every generator takes, and not below the least. */
enum { SIZE_STEP = 32, SMALLEST = 64 };

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for colouring (host memory ran out; use a smaller --size)");
}

static vkp_status settle(vkp_colorizer *c, const vkp_colorizer_options *options)
{
    const vkp_config *config = c->weights.configured ? &c->weights.config : NULL;
    const bool natural = config && config->network == VKP_CONFIG_NATURAL;
    const vkp_fit standard = natural ? VKP_FIT_ASPECT : config ? (vkp_fit)config->fit : VKP_FIT_WRAP;
    const uint32_t unit = vkp_generator_granularity(natural ? VKP_CONFIG_NATURAL : VKP_CONFIG_UNET);
    c->fit = options->fit ? *options->fit : standard;
    c->size = options->size ? options->size : config ? vkp_config_work_size(config) : VKP_COLORIZER_SIZE;
    c->adaptive = !options->size;
    c->batch = options->flip_average ? 2 : 1;
    if (c->size < unit || c->size > VKP_COLORIZER_MAX_SIZE || c->size % unit)
        return vkp_fail(VKP_USAGE,
                        "size cannot be %u (a multiple of %u from %u to %d is needed; choose another --size)",
                        c->size, unit, unit, VKP_COLORIZER_MAX_SIZE);
    return VKP_OK;
}

enum { SECTION_FOLD, SECTION_COLORIZE };

static vkp_status write_down(vkp_colorizer *c, canvas *v)
{
    vkp_bound_params bound, folded;
    uint32_t section;
    vkp_pass pass;
    vkp_value rgb, gray, crcb;
    VKP_TRY(vkp_program_create(c->device, &v->program));
    VKP_TRY(vkp_graph_create(v->program, false, &v->graph));
    VKP_TRY(vkp_params_bind(&c->generator, v->graph, VKP_GRADS_NONE, &bound));
    VKP_TRY(vkp_generator_fold(&bound, &folded));
    vkp_program_prepare_here(v->program);
    VKP_TRY(vkp_program_section(v->program, &section));
    VKP_TRY(vkp_graph_activation(v->graph, (vkp_shape){c->batch, 3, v->h, v->w}, "rgb", &rgb));
    v->rgb = vkp_graph_at(v->graph, rgb);
    VKP_TRY(vkp_picture_stage_record(v->program, &v->stage, &v->rgb));
    VKP_TRY(vkp_add_ycc(v->graph, rgb, 1, &gray, &crcb));
    VKP_TRY(vkp_generator_forward(&folded, gray, false, NULL, "G", &pass));
    v->crcb = vkp_graph_at(v->graph, pass.out);
    vkp_program_keep(v->program, v->rgb.buffer);
    vkp_program_keep(v->program, v->crcb.buffer);
    return vkp_program_plan(v->program, &v->memory);
}

static vkp_status try_build(vkp_colorizer *c, canvas *v)
{
    v->chroma = calloc((size_t)c->batch * 2 * v->h * v->w, sizeof *v->chroma);
    if (!v->chroma) return no_memory();
    VKP_TRY(vkp_picture_stage_create(c->device, c->batch, v->w, v->h, &v->stage));
    VKP_TRY(write_down(c, v));
    VKP_TRY(vkp_joiner_expect(c->joiner, v->w, v->h));
    VKP_TRY(vkp_program_build(v->program, &v->arena));
    /* Whatever is run next waits for it; until then the picture is made ready. */
    return vkp_program_submit(v->program, SECTION_FOLD, 1);
}

static void destroy_canvas(vkp_colorizer *c, canvas *v)
{
    vkp_graph_destroy(v->graph);
    vkp_program_destroy(v->program);
    vkp_arena_destroy(c->device, &v->arena);
    vkp_picture_stage_destroy(&v->stage);
    free(v->chroma);
    *v = (canvas){0};
}

/* The library's words for what is too large name training's settings; here --size is what helps. */
static vkp_status build(vkp_colorizer *c, canvas *v)
{
    const vkp_device_info *info = &c->device->info;
    const vkp_status status = try_build(c, v);
    const uint64_t needed = c->device->allocated + v->memory;
    if (status != VKP_DEVICE_MEMORY && status != VKP_SHAPE) return status;
    if (needed > info->limits.memory_budget)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "no room to colour at size %u (needs %" PRIu64 " MiB, %s has %" PRIu64
                        " MiB; use a smaller --size)",
                        c->used_size, needed >> 20, info->name, info->limits.memory_budget >> 20);
    char why[256];
    vkp_error_what(why, sizeof why);
    return vkp_fail(VKP_DEVICE_MEMORY, "cannot colour at size %u on %s (%s; use a smaller --size)",
                    c->used_size, info->name, why);
}

/* Makes the current canvas one of w x h pixels, in place of the one used longest ago if need be. */
static vkp_status choose_canvas(vkp_colorizer *c, uint32_t w, uint32_t h)
{
    canvas *chosen = c->canvases;
    c->predictions++;
    c->current = NULL;
    for (int i = 0; i < CANVASES; i++) {
        canvas *v = &c->canvases[i];
        if (v->used < chosen->used) chosen = v;
    }
    for (int i = 0; i < CANVASES; i++)
        if (c->canvases[i].w == w && c->canvases[i].h == h) chosen = &c->canvases[i];
    if (chosen->w != w || chosen->h != h) {
        destroy_canvas(c, chosen);
        chosen->w = w;
        chosen->h = h;
        const vkp_status status = build(c, chosen);
        if (status != VKP_OK) {
            destroy_canvas(c, chosen);
            return status;
        }
    }
    chosen->used = c->predictions;
    c->current = chosen;
    return VKP_OK;
}

/* The size for a picture: the setting, but where nobody asked for it no more than the picture has, so that
 * nothing is enlarged. */
static uint32_t size_for(const vkp_colorizer *c, int width, int height)
{
    const uint32_t longer = (uint32_t)(width > height ? width : height);
    const uint32_t own = longer > SMALLEST ? (longer + SIZE_STEP - 1) / SIZE_STEP * SIZE_STEP : SMALLEST;
    return c->adaptive && c->fit == VKP_FIT_ASPECT && own < c->size ? own : c->size;
}

/* Makes the current canvas the one for pictures of width x height. */
static vkp_status prepare_canvas(vkp_colorizer *c, int width, int height)
{
    c->used_size = size_for(c, width, height);
    for (;;) {
        int w, h;
        vkp_fit_output(c->fit, (int)c->used_size, width, height, &w, &h);
        const vkp_status status = choose_canvas(c, (uint32_t)w, (uint32_t)h);
        if (status != VKP_DEVICE_MEMORY || !c->adaptive || c->used_size <= SMALLEST) return status;
        c->used_size = c->used_size * 3 / 4 / SIZE_STEP * SIZE_STEP;
        if (c->used_size < SMALLEST) c->used_size = SMALLEST;
    }
}

static vkp_status prepare(vkp_colorizer *c, const vkp_colorizer_options *options)
{
    VKP_TRY(vkp_weights_find(options->model, &c->weights));
    VKP_TRY(settle(c, options));
    VKP_TRY(vkp_generator_declare(&c->generator,
                                  c->weights.configured ? c->weights.config.network : VKP_CONFIG_UNET));
    VKP_TRY(vkp_params_allocate(&c->generator, c->device, false));
    VKP_TRY(vkp_params_load_file(&c->generator, c->weights.file, c->weights.name));
    VKP_TRY(vkp_joiner_create(c->device, 0, &c->joiner));
    /* Now, where all pictures share it: what cannot work is told before any of them is read. */
    return c->fit != VKP_FIT_ASPECT ? prepare_canvas(c, 1, 1) : VKP_OK;
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
    for (int i = 0; i < CANVASES; i++) destroy_canvas(c, &c->canvases[i]);
    vkp_params_free(&c->generator);
    vkp_weights_free(&c->weights);
    free(c);
}

const char *vkp_colorizer_model(const vkp_colorizer *c) { return c->weights.name; }
uint32_t vkp_colorizer_size(const vkp_colorizer *c) { return c->size; }
vkp_fit vkp_colorizer_fit(const vkp_colorizer *c) { return c->fit; }
double vkp_colorizer_saturation(const vkp_colorizer *c)
{
    return c->weights.configured ? c->weights.config.boost : 1;
}

/* Puts the picture into a slot of the stage. */
static vkp_status stage(vkp_colorizer *c, uint32_t slot, const vkp_picture *picture, bool flip)
{
    vkp_fit_plan plan;
    VKP_TRY(vkp_fit_make(c->fit, (int)c->used_size, picture->width, picture->height, flip, &plan));
    const vkp_status status = vkp_picture_stage_add(&c->current->stage, slot, picture, &plan);
    vkp_fit_free(&plan);
    return status;
}

/* Makes the first picture's chroma the mean of its own and of the second's, mirrored back. */
static void average_with_mirrored(const canvas *v)
{
    const size_t rows = (size_t)2 * v->h;
    float *own = v->chroma;
    const float *mirrored = v->chroma + rows * v->w;
    for (size_t row = 0; row < rows; row++, own += v->w, mirrored += v->w)
        for (uint32_t x = 0; x < v->w; x++) own[x] = 0.5f * (own[x] + mirrored[v->w - 1 - x]);
}

vkp_status vkp_colorizer_predict(vkp_colorizer *c, const vkp_picture *picture)
{
    vkp_picture reduced = {0};
    VKP_TRY(prepare_canvas(c, picture->width, picture->height));
    canvas *v = c->current;
    /* The published ways read two taps of the whole picture, and stay what they are. */
    if (c->fit == VKP_FIT_ASPECT) VKP_TRY(vkp_crop_reduce(picture, REDUCED * c->used_size, &reduced));
    vkp_status status = VKP_OK;
    for (uint32_t slot = 0; slot < c->batch && status == VKP_OK; slot++)
        status = stage(c, slot, reduced.rgba ? &reduced : picture, slot == 1);
    vkp_picture_free(&reduced);
    VKP_TRY(status);
    VKP_TRY(vkp_program_run(v->program, SECTION_COLORIZE, 1));
    VKP_TRY(vkp_read_dense(v->program, &v->crcb, v->chroma));
    if (c->batch == 2) average_with_mirrored(v);
    return vkp_chroma_check(v->chroma, (size_t)v->h * v->w, c->weights.name);
}

vkp_status vkp_colorizer_join(vkp_colorizer *c, const vkp_picture *picture, float saturation,
                              vkp_picture *colored)
{
    *colored = (vkp_picture){0};
    vkp_fit_plan plan;
    VKP_TRY(vkp_unfit_make(c->fit, (int)c->used_size, picture->width, picture->height, false, &plan));
    vkp_status status = vkp_joiner_run(c->joiner, picture, c->current->chroma, &plan, saturation, colored);
    if (status == VKP_OK) status = vkp_result_check(picture, colored);
    if (status != VKP_OK) vkp_picture_free(colored);
    vkp_fit_free(&plan);
    return status;
}

static uint8_t to_byte(float value) { return (uint8_t)(fminf(fmaxf(value, 0), 1) * 255 + 0.5f); }

/* One pixel of the network's rectangle in both pictures; BT.601, full range, chroma in -1..1. */
static void join_pixel(const canvas *c, const float *rgb, size_t at, float saturation,
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
static void join_small(const canvas *c, const float *rgb, vkp_rect from, bool turned, float saturation,
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
    const vkp_rect r = vkp_fit_aspect_crop(c->fit, (int)c->used_size, picture->width, picture->height);
    const int w = turned ? r.y1 - r.y0 : r.x1 - r.x0, h = turned ? r.x1 - r.x0 : r.y1 - r.y0;
    const vkp_tensor first = vkp_tensor_pictures(&c->current->rgb, 0, 1);
    float *rgb = malloc((size_t)3 * c->current->h * c->current->w * sizeof *rgb);
    vkp_status status = rgb ? vkp_read_dense(c->current->program, &first, rgb) : no_memory();
    if (status == VKP_OK) status = vkp_picture_make(w, h, colored);
    if (status == VKP_OK) status = vkp_picture_make(w, h, seen);
    if (status == VKP_OK) join_small(c->current, rgb, r, turned, saturation, colored, seen);
    else vkp_picture_free(colored);
    free(rgb);
    return status;
}
