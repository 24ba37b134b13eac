/* The table, chance and order; and the degradations that change every pixel. */
#include "image/degrade.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "image/degrade_parts.h"

/* -- chance -- */

float vkp_draw(vkp_draws *d, float low, float high)
{
    return low + (high - low) * vkp_random_float(d->seed, d->stream, d->next++);
}

int vkp_draw_chance(vkp_draws *d, float probability) { return vkp_draw(d, 0, 1) < probability; }

void vkp_draw_normals(vkp_draws *d, float *out, size_t count)
{
    const float sigma = 147.8005f; /* of the sum of four bytes: sqrt(4 * (256^2 - 1) / 12) */
    uint64_t block = (d->next + 3) >> 2;
    for (size_t i = 0; i < count; block++) {
        const vkp_philox counter = {
            {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)d->stream, (uint32_t)(d->stream >> 32)}};
        const vkp_philox words = vkp_philox4x32(counter, (uint32_t)d->seed, (uint32_t)(d->seed >> 32));
        for (int k = 0; k < 4 && i < count; k++, i++) {
            const uint32_t v = words.v[k];
            const uint32_t sum = (v & 255) + (v >> 8 & 255) + (v >> 16 & 255) + (v >> 24);
            out[i] = ((float)sum - 510) / sigma;
        }
    }
    d->next = block << 2;
}

/* Numbers 2^28 * part on of a picture's; part 0 is for what is common to the kinds. */
static vkp_draws draws_of(uint64_t seed, uint64_t stream, uint64_t index, unsigned part)
{
    return (vkp_draws){seed, stream, index << 36 | (uint64_t)part << 28};
}

/* -- the kinds -- */

/* Written so that it compiles to vectors, as fminf and fmaxf do not. */
static float clamp(float value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

static size_t pixels(const vkp_damage *d) { return (size_t)d->w * (size_t)d->h; }

static void blur(vkp_damage *d)
{
    (void)vkp_blur_plane(d->luma, d->w, d->h, d->strength * d->scale, d->work);
}

/* Means of factor x factor pixels, fewer at the far edges. */
static void reduce(const vkp_damage *d, int factor, int w, int h, float *to)
{
    for (int y = 0; y < h; y++) {
        const int y1 = (y + 1) * factor < d->h ? (y + 1) * factor : d->h;
        for (int x = 0; x < w; x++) {
            const int x1 = (x + 1) * factor < d->w ? (x + 1) * factor : d->w;
            float sum = 0;
            for (int i = y * factor; i < y1; i++)
                for (int j = x * factor; j < x1; j++) sum += d->luma[(size_t)i * (size_t)d->w + (size_t)j];
            *to++ = sum / (float)((y1 - y * factor) * (x1 - x * factor));
        }
    }
}

/* The place of pixel k among n larger ones: the first of two neighbours and the weight of the second. */
static int neighbour(int k, int factor, int n, float *weight)
{
    const float at = fminf(fmaxf(((float)k + 0.5f) / (float)factor - 0.5f, 0), (float)(n - 1));
    *weight = at - floorf(at);
    return (int)at;
}

static void halve(vkp_damage *d)
{
    const int factor = (int)fmax(2, round(d->strength * d->scale));
    const int w = (d->w - 1) / factor + 1, h = (d->h - 1) / factor + 1;
    reduce(d, factor, w, h, d->work);
    float *out = d->luma;
    for (int y = 0; y < d->h; y++) {
        float wy, wx;
        const int y0 = neighbour(y, factor, h, &wy);
        const float *top = d->work + (size_t)y0 * (size_t)w, *bottom = y0 + 1 < h ? top + w : top;
        for (int x = 0; x < d->w; x++) {
            const int x0 = neighbour(x, factor, w, &wx), x1 = x0 + 1 < w ? x0 + 1 : x0;
            *out++ = (1 - wy) * ((1 - wx) * top[x0] + wx * top[x1]) +
                     wy * ((1 - wx) * bottom[x0] + wx * bottom[x1]);
        }
    }
}

static void noise(vkp_damage *d)
{
    const float sigma = (float)d->strength;
    vkp_draw_normals(&d->draws, d->work, pixels(d));
    for (size_t i = 0; i < pixels(d); i++) d->luma[i] += sigma * d->work[i];
}

static void speckle(vkp_damage *d)
{
    const float sigma = (float)d->strength;
    vkp_draw_normals(&d->draws, d->work, pixels(d));
    for (size_t i = 0; i < pixels(d); i++) d->luma[i] *= 1 + sigma * d->work[i];
}

static void grain(vkp_damage *d)
{
    const double size = (double)vkp_draw(&d->draws, .5f, .9f) * fmax(1, d->scale);
    vkp_draw_normals(&d->draws, d->work, pixels(d));
    const float left = vkp_blur_plane(d->work, d->w, d->h, size, d->work + pixels(d));
    const float sigma = (float)d->strength / left;
    for (size_t i = 0; i < pixels(d); i++) {
        const float y = d->luma[i];
        d->luma[i] += sigma * d->work[i] * (.3f + 2.8f * y * (1 - y));
    }
}

static void jpeg(vkp_damage *d) { vkp_jpeg_quantize(d->luma, d->w, d->h, d->strength); }

static void fade(vkp_damage *d)
{
    const float loss = (float)d->strength, black = loss * vkp_draw(&d->draws, 0, 1);
    const float gamma = exp2f(vkp_draw(&d->draws, -.4f, .4f));
    for (size_t i = 0; i < pixels(d); i++) d->luma[i] = black + (1 - loss) * powf(d->luma[i], gamma);
}

/* By the square of the distance from a middle near the plane's, 1 in its corners. */
static void vignette(vkp_damage *d)
{
    const float cx = vkp_draw(&d->draws, .35f, .65f) * (float)d->w;
    const float cy = vkp_draw(&d->draws, .35f, .65f) * (float)d->h;
    const float corner = .25f * (float)(d->w * (double)d->w + d->h * (double)d->h);
    const int lighter = vkp_draw_chance(&d->draws, 1 / 3.0f);
    float *p = d->luma;
    for (int y = 0; y < d->h; y++) {
        const float dy = (float)y + .5f - cy;
        for (int x = 0; x < d->w; x++, p++) {
            const float dx = (float)x + .5f - cx;
            const float lost = clamp((float)d->strength * (dx * dx + dy * dy) / corner);
            *p += lost * ((float)lighter - *p);
        }
    }
}

/* -- all together -- */

const vkp_degradation_about *vkp_degradation_row(vkp_degradation kind)
{
    static const vkp_degradation_about rows[] = {
#define X(name, text, probability, low, high, meaning) {text, meaning, probability, low, high},
        VKP_DEGRADATION_MAP(X)
#undef X
    };
    return &rows[kind];
}

static void apply(vkp_degradation kind, vkp_damage *d)
{
    static void (*const kinds[])(vkp_damage *) = {
        [VKP_DEGRADATION_BLUR] = blur,         [VKP_DEGRADATION_HALVE] = halve,
        [VKP_DEGRADATION_NOISE] = noise,       [VKP_DEGRADATION_SPECKLE] = speckle,
        [VKP_DEGRADATION_GRAIN] = grain,       [VKP_DEGRADATION_JPEG] = jpeg,
        [VKP_DEGRADATION_FADE] = fade,         [VKP_DEGRADATION_VIGNETTE] = vignette,
        [VKP_DEGRADATION_SCRATCHES] = vkp_draw_scratches, [VKP_DEGRADATION_BORDER] = vkp_draw_border,
    };
    kinds[kind](d);
    for (size_t i = 0; i < pixels(d); i++) d->luma[i] = clamp(d->luma[i]);
}

static vkp_status no_memory(int w, int h)
{
    return vkp_fail(VKP_MEMORY, "no memory to degrade a picture of %dx%d (host memory ran out; close other "
                    "programs)", w, h);
}

static vkp_status begin(float *luma, int w, int h, double scale, vkp_damage *d)
{
    *d = (vkp_damage){.luma = luma, .w = w, .h = h, .scale = fmin(fmax(scale, .25), 16)};
    d->work = malloc((2 * pixels(d) + (size_t)w + 2 * VKP_BLUR_MAX_RADIUS) * sizeof *d->work);
    if (d->work) return VKP_OK;
    return no_memory(w, h);
}

vkp_status vkp_degrade_by(vkp_degradation kind, double strength, float *luma, int w, int h, double scale,
                          uint64_t seed, uint64_t stream, uint64_t index)
{
    vkp_damage d;
    VKP_TRY(begin(luma, w, h, scale, &d));
    d.strength = strength;
    d.draws = draws_of(seed, stream, index, (unsigned)kind + 1);
    apply(kind, &d);
    free(d.work);
    return VKP_OK;
}

vkp_status vkp_degrade_luma(float *luma, int w, int h, double scale, double probability, uint64_t seed,
                            uint64_t stream, uint64_t index)
{
    vkp_draws common = draws_of(seed, stream, index, 0);
    if (!vkp_draw_chance(&common, (float)probability)) return VKP_OK;
    vkp_damage d;
    VKP_TRY(begin(luma, w, h, scale, &d));
    size_t order[VKP_DEGRADATION_COUNT];
    for (size_t i = 0; i < VKP_DEGRADATION_COUNT; i++) order[i] = i;
    for (size_t i = VKP_DEGRADATION_COUNT; i-- > 1;) {
        const size_t j = vkp_random_below(seed, stream, common.next++, (uint32_t)i + 1), kind = order[i];
        order[i] = order[j];
        order[j] = kind;
    }
    for (size_t i = 0; i < VKP_DEGRADATION_COUNT; i++) {
        const vkp_degradation kind = (vkp_degradation)order[i];
        const vkp_degradation_about *row = vkp_degradation_row(kind);
        d.draws = draws_of(seed, stream, index, (unsigned)kind + 1);
        if (!vkp_draw_chance(&d.draws, (float)row->probability)) continue;
        d.strength = row->low * pow(row->high / row->low, (double)vkp_draw(&d.draws, 0, 1));
        apply(kind, &d);
    }
    free(d.work);
    return VKP_OK;
}

void vkp_jitter_luma(float *luma, int w, int h, double probability, uint64_t seed, uint64_t stream,
                     uint64_t index)
{
    vkp_draws draws = draws_of(seed, stream, index, 0);
    if (!vkp_draw_chance(&draws, (float)probability)) return;
    const float gamma = exp2f(vkp_draw(&draws, -.4f, .4f)), contrast = vkp_draw(&draws, .75f, 1.25f);
    const size_t count = (size_t)w * (size_t)h;
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += luma[i] = powf(luma[i], gamma);
    const float mean = (float)(sum / (double)count);
    for (size_t i = 0; i < count; i++) luma[i] = clamp(mean + contrast * (luma[i] - mean));
}

vkp_status vkp_degrade_picture(vkp_picture *picture, uint64_t seed, uint64_t index)
{
    const int w = picture->width, h = picture->height;
    const size_t count = (size_t)w * (size_t)h;
    float *luma = malloc(count * sizeof *luma);
    if (!luma) return no_memory(w, h);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = picture->rgba + 4 * i;
        luma[i] = (.299f * p[0] + .587f * p[1] + .114f * p[2]) / 255;
    }
    const double scale = (double)(w > h ? w : h) / VKP_DEGRADE_LENGTH;
    const uint64_t stream = vkp_random_stream(VKP_RANDOM_DEGRADE, 0);
    const vkp_status status = vkp_degrade_luma(luma, w, h, scale, 1, seed, stream, index);
    for (size_t i = 0; status == VKP_OK && i < count; i++)
        for (size_t c = 0; c < 3; c++) picture->rgba[4 * i + c] = (uint8_t)(luma[i] * 255 + .5f);
    free(luma);
    return status;
}
