/* Which tile a product of matrices gets: conv2d_gemm.h. */
#include "ops/conv2d_gemm.h"

/* A part of the depth is worth its partial results from so many tiles on. */
#define LEAST_TILES_A_PART 16

/* invocations = rows / rows_each * columns / columns_each. For any number of rows, from a picture's two
 * colours on; the first needs more than Vulkan's smallest limits. */
const vkp_gemm_tile vkp_gemm_tiles[] = {
    {.invocations = 256, .rows = 128, .columns = 128, .rows_each = 8, .columns_each = 8},
    {.invocations = 128, .rows = 128, .columns = 64, .rows_each = 8, .columns_each = 8},
    {.invocations = 128, .rows = 64, .columns = 128, .rows_each = 8, .columns_each = 8},
    {.invocations = 128, .rows = 64, .columns = 64, .rows_each = 8, .columns_each = 4},
    {.invocations = 128, .rows = 32, .columns = 128, .rows_each = 8, .columns_each = 4},
    {.invocations = 64, .rows = 32, .columns = 64, .rows_each = 8, .columns_each = 4},
    {.invocations = 64, .rows = 32, .columns = 32, .rows_each = 4, .columns_each = 4},
    {.invocations = 128, .rows = 16, .columns = 128, .rows_each = 4, .columns_each = 4},
    {.invocations = 64, .rows = 16, .columns = 64, .rows_each = 4, .columns_each = 4},
    {.invocations = 64, .rows = 8, .columns = 128, .rows_each = 4, .columns_each = 4},
    {.invocations = 64, .rows = 4, .columns = 256, .rows_each = 4, .columns_each = 4},
};
const size_t vkp_gemm_tile_count = sizeof vkp_gemm_tiles / sizeof *vkp_gemm_tiles;

static uint32_t depth_of(bool half) { return half ? 16 : 8; }

static uint32_t shared_bytes(const vkp_gemm_tile *t, bool half)
{
    /* Two tiles of each operand, their lines a quad longer than the data. */
    return 2 * depth_of(half) / (half ? 2 : 1) * (t->rows / 4 + 1 + t->columns / 4 + 1) * 16;
}

bool vkp_gemm_tile_allowed(const vkp_limits *l, const vkp_gemm_tile *t, bool half)
{
    return t->invocations <= l->group_invocations && t->invocations <= l->group_size[0] &&
           shared_bytes(t, half) <= l->shared_bytes;
}

/* Divides the depth so that the device is full, if there are parts to be had. */
static void split(const vkp_limits *l, const vkp_gemm_shape *s, double groups, vkp_gemm_tile *t)
{
    const uint32_t whole = vkp_groups(s->depth, t->depth), most = whole / LEAST_TILES_A_PART;
    double parts = l->at_once / (groups * t->invocations);
    if (parts > s->most_parts) parts = s->most_parts;
    if (parts > most) parts = most;
    const uint32_t wanted = parts > 1 ? (uint32_t)parts : 1;
    t->depth_a_part = vkp_groups(whole, wanted) * t->depth;
    t->parts = whole ? vkp_groups(s->depth, t->depth_a_part) : 1;
}

/* Time in multiply-adds of one invocation: for its results, the values it takes from the tiles for them, and
 * what it fetches, where a gathered value takes some index arithmetic; once for every time the device is
 * filled. Then the partial results, each written and read. */
static double time(const vkp_limits *l, const vkp_gemm_shape *s, double groups, const vkp_gemm_tile *t)
{
    const double results = t->rows_each * t->columns_each, taken = t->rows_each + t->columns_each;
    const double fetched = (0.5 * t->rows + 6.0 * t->columns) / t->invocations;
    const double filled = groups * t->parts * t->invocations / l->at_once;
    const double sums = t->parts > 1 ? 16.0 * t->parts * s->rows * (double)s->columns / l->at_once : 0;
    return (filled > 1 ? filled : 1) * t->depth_a_part * (results + taken + fetched) + sums;
}

vkp_gemm_tile vkp_conv_gemm_tile(const vkp_limits *limits, const vkp_gemm_shape *s)
{
    vkp_gemm_tile best = {0};
    double least = 0;
    for (size_t i = 0; i < vkp_gemm_tile_count; i++) {
        vkp_gemm_tile t = vkp_gemm_tiles[i];
        t.depth = depth_of(s->half);
        if (!vkp_gemm_tile_allowed(limits, &t, s->half)) continue;
        const double groups =
            (double)vkp_groups(s->rows, t.rows) * vkp_groups(s->columns, t.columns) * s->classes;
        split(limits, s, groups, &t);
        const double taken = time(limits, s, groups, &t);
        if (best.invocations && taken >= least) continue;
        least = taken;
        best = t;
    }
    return best;
}

void vkp_gemm_specialize(vkp_dispatch *d, const vkp_gemm_tile *t)
{
    const uint32_t spec[] = {t->invocations, t->rows, t->columns, t->depth, t->rows_each, t->columns_each};
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d->spec[d->spec_count++] = spec[i];
}
