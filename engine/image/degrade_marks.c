/* What is drawn over a picture: scratches, spots, frames. */
#include <math.h>

#include "image/degrade_parts.h"

/* Where pixels lie: `along` the direction in which a mark is long, `across` it. */
typedef struct axes {
    float *luma;
    int along, across;
    size_t along_stride, across_stride;
} axes;

static axes upright(const vkp_damage *d) { return (axes){d->luma, d->h, d->w, (size_t)d->w, 1}; }
static axes lying(const vkp_damage *d) { return (axes){d->luma, d->w, d->h, 1, (size_t)d->w}; }

/* Paint: light or dark, and how much of it covers. */
typedef struct paint {
    float value, opacity;
} paint;

static paint draw_paint(vkp_draws *draws, float light)
{
    const float value = vkp_draw_chance(draws, light) ? vkp_draw(draws, .8f, 1) : vkp_draw(draws, 0, .2f);
    return (paint){value, vkp_draw(draws, .35f, 1)};
}

static void put(const axes *a, int along, int across, paint p, float cover)
{
    if (along < 0 || along >= a->along || across < 0 || across >= a->across) return;
    const float part = p.opacity * fminf(fmaxf(cover, 0), 1);
    float *to = a->luma + (size_t)along * a->along_stride + (size_t)across * a->across_stride;
    *to += part * (p.value - *to);
}

/* Covers what lies within `half` of `middle`, with an edge one pixel soft. */
static void put_span(const axes *a, int along, float middle, float half, paint p)
{
    const int first = (int)floorf(middle - half - 1), last = (int)ceilf(middle + half + 1);
    for (int k = first; k <= last; k++)
        put(a, along, k, p, fminf(half + .5f - fabsf((float)k + .5f - middle), 2 * half));
}

static void draw_scratch(vkp_damage *d)
{
    vkp_draws *draws = &d->draws;
    const int vertical = vkp_draw_chance(draws, .8f);
    const axes a = vertical ? upright(d) : lying(d);
    const float slope = vkp_draw_chance(draws, .8f) ? vkp_draw(draws, -.06f, .06f) : vkp_draw(draws, -1, 1);
    const float length = (float)a.along * exp2f(vkp_draw(draws, -4, .5f));
    const float start = vkp_draw(draws, -.5f * length, (float)a.along - .5f * length);
    const float across = vkp_draw(draws, 0, (float)a.across);
    const float half = .5f * vkp_draw(draws, .35f, 1.3f) * (float)fmax(.7, d->scale);
    const float bend = vkp_draw(draws, 0, 1.5f) * (float)d->scale, turns = vkp_draw(draws, 2, 12);
    const float phase = vkp_draw(draws, 0, 6.2832f);
    const paint p = draw_paint(draws, .65f);
    for (int k = (int)fmaxf(start, 0); k < a.along && (float)k < start + length; k++) {
        const float t = ((float)k - start) / length;
        put_span(&a, k, across + slope * ((float)k - start) + bend * sinf(turns * t + phase), half, p);
    }
}

static void draw_spot(vkp_damage *d)
{
    vkp_draws *draws = &d->draws;
    const axes a = upright(d);
    const float r = exp2f(vkp_draw(draws, -1, 1.6f)) * (float)fmax(.7, d->scale);
    const float x = vkp_draw(draws, 0, (float)d->w), y = vkp_draw(draws, 0, (float)d->h);
    const float flat = vkp_draw(draws, .6f, 1.6f);
    const paint p = draw_paint(draws, .6f);
    const int reach = (int)ceilf(r * fmaxf(flat, 1)) + 1;
    for (int i = (int)y - reach; i <= (int)y + reach; i++)
        for (int j = (int)x - reach; j <= (int)x + reach; j++) {
            const float dy = ((float)i + .5f - y) / flat, dx = (float)j + .5f - x;
            put(&a, i, j, p, r + .5f - sqrtf(dx * dx + dy * dy));
        }
}

void vkp_draw_scratches(vkp_damage *d)
{
    const int scratches = (int)(d->strength + .5);
    const int spots = (int)(d->strength * (double)vkp_draw(&d->draws, 0, 3));
    for (int i = 0; i < scratches; i++) draw_scratch(d);
    for (int i = 0; i < spots; i++) draw_spot(d);
}

/* One side of a frame: the near one, or the far one of the axes' `across`. Its width tilts and waves. */
static void draw_side(vkp_damage *d, const axes *a, int far, float width, paint p)
{
    vkp_draws *draws = &d->draws;
    const float own = width * vkp_draw(draws, .5f, 1.4f), tilt = vkp_draw(draws, -.4f, .4f);
    const float wave = vkp_draw_chance(draws, .5f) ? vkp_draw(draws, 0, .2f) : 0;
    const float turns = vkp_draw(draws, 5, 25), phase = vkp_draw(draws, 0, 6.2832f);
    for (int k = 0; k < a->along; k++) {
        const float t = (float)k / (float)a->along;
        const float edge = own * (1 + tilt * (2 * t - 1) + wave * sinf(turns * t + phase));
        for (int j = 0; j < a->across && (float)j < edge + 1; j++)
            put(a, k, far ? a->across - 1 - j : j, p, edge - (float)j);
    }
}

void vkp_draw_border(vkp_damage *d)
{
    const float width = (float)d->strength * (float)(d->w > d->h ? d->w : d->h);
    paint p = draw_paint(&d->draws, .6f);
    p.opacity = vkp_draw(&d->draws, .85f, 1);
    const axes both[2] = {upright(d), lying(d)};
    /* Four sides, or any of them but none. */
    unsigned sides = vkp_draw_chance(&d->draws, .5f) ? 15 : 1 + (unsigned)vkp_draw(&d->draws, 0, 14.9f);
    for (int side = 0; side < 4; side++)
        if (sides >> side & 1) draw_side(d, &both[side / 2], side % 2, width, p);
}
