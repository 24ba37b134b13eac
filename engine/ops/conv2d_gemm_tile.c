/* Which tile a product of matrices gets, by its form: conv2d_gemm.h. */
#include "ops/conv2d_gemm.h"

/* A part of the depth is worth its partial results from so many tiles on. */
#define LEAST_TILES_A_PART 16

/* invocations = rows / rows_each * columns / columns_each. For any number of rows, from a picture's two
 * colours on; the first needs more than Vulkan's smallest limits. */
static const vkp_gemm_tile register_tiles[] = {
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

/* A subgroup of 32 lanes keeps 8 to 64 sums a lane. Matrices get those tiles that are made of them; the
 * largest that do are 32 x 32. */
static const vkp_gemm_tile matrix_tiles[] = {
    {.rows = 128, .columns = 64, .rows_each = 64, .columns_each = 32},
    {.rows = 64, .columns = 128, .rows_each = 32, .columns_each = 64},
    {.rows = 64, .columns = 64, .rows_each = 32, .columns_each = 32},
    {.rows = 32, .columns = 128, .rows_each = 32, .columns_each = 32},
    {.rows = 32, .columns = 64, .rows_each = 32, .columns_each = 32},
    {.rows = 32, .columns = 32, .rows_each = 16, .columns_each = 16},
    {.rows = 16, .columns = 128, .rows_each = 16, .columns_each = 32},
    {.rows = 16, .columns = 64, .rows_each = 16, .columns_each = 16},
    {.rows = 16, .columns = 32, .rows_each = 16, .columns_each = 16},
    {.rows = 8, .columns = 64, .rows_each = 8, .columns_each = 16},
};
#define COUNT(list) (sizeof(list) / sizeof *(list))
_Static_assert(COUNT(register_tiles) <= VKP_GEMM_TILES && COUNT(matrix_tiles) <= VKP_GEMM_TILES,
               "VKP_GEMM_TILES is too small");

/* Those who compute a part of the tile each: invocations, or subgroups. */
static uint32_t parties(const vkp_gemm_tile *t)
{
    return t->rows / t->rows_each * (t->columns / t->columns_each);
}

/* Two tiles of each operand, their lines a quad longer than the data. */
static uint32_t register_bytes(const vkp_gemm_tile *t, bool half)
{
    return 2 * t->depth / (half ? 2 : 1) * (t->rows / 4 + 1 + t->columns / 4 + 1) * 16;
}

/* Two tiles of each operand, their rows an odd number of quads of eight values; and a matrix of results of
 * each subgroup, its rows a quad longer than the data. */
static uint32_t matrix_bytes(const vkp_gemm_tile *t, const vkp_matrix *x)
{
    return 2 * (t->rows + t->columns) * (t->depth / 8 | 1) * 16 + parties(t) * x->m * (x->n / 4 + 1) * 16;
}

size_t vkp_gemm_tiles(const vkp_limits *l, vkp_gemm_form form, vkp_gemm_tile list[VKP_GEMM_TILES])
{
    const bool matrix = form == VKP_GEMM_MATRIX, half = form != VKP_GEMM_F32;
    const vkp_matrix *x = &l->matrix;
    size_t count = 0;
    for (size_t i = 0; i < (matrix ? COUNT(matrix_tiles) : COUNT(register_tiles)); i++) {
        vkp_gemm_tile t = matrix ? matrix_tiles[i] : register_tiles[i];
        t.depth = matrix ? 32 : half ? 16 : 8;
        if (matrix) t.invocations = parties(&t) * x->lanes;
        if (matrix && (!x->m || t.rows_each % x->m || t.columns_each % x->n || t.depth % x->k)) continue;
        const uint32_t bytes = matrix ? matrix_bytes(&t, x) : register_bytes(&t, half);
        if (t.invocations <= l->group_invocations && t.invocations <= l->group_size[0] &&
            bytes <= l->shared_bytes)
            list[count++] = t;
    }
    return count;
}

vkp_gemm_shaders vkp_gemm_shaders_of(const vkp_limits *l, vkp_gemm_form form)
{
#define SHADERS(suffix) \
    (vkp_gemm_shaders){VKP_SHADER_conv2d_gemm_pixels##suffix, VKP_SHADER_conv2d_gemm_weight_grad##suffix}
    if (form == VKP_GEMM_F32) return SHADERS();
    if (form == VKP_GEMM_F16) return SHADERS(_half);
    return l->matrix.loops ? SHADERS(_loops) : SHADERS(_coopmat);
}

bool vkp_gemm_form_allowed(const vkp_limits *l, vkp_gemm_form form)
{
    vkp_gemm_tile list[VKP_GEMM_TILES];
    return (form == VKP_GEMM_F32 || l->half) && vkp_shader_is_built(vkp_gemm_shaders_of(l, form).pixels) &&
           vkp_gemm_tiles(l, form, list);
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
 * filled. Then the partial results, each written and read. Matrices multiply some 8 times as fast. */
static double time(const vkp_limits *l, const vkp_gemm_shape *s, double groups, const vkp_gemm_tile *t)
{
    const double share = (double)parties(t) / t->invocations; /* of a party's work, an invocation's */
    const double results = share * t->rows_each * t->columns_each / (s->form == VKP_GEMM_MATRIX ? 8 : 1);
    const double taken = share * (t->rows_each + t->columns_each);
    const double fetched = (0.5 * t->rows + 6.0 * t->columns) / t->invocations;
    const double filled = groups * t->parts * t->invocations / l->at_once;
    const double sums = t->parts > 1 ? 16.0 * t->parts * s->rows * (double)s->columns / l->at_once : 0;
    return (filled > 1 ? filled : 1) * t->depth_a_part * (results + taken + fetched) + sums;
}

vkp_gemm_tile vkp_conv_gemm_tile(const vkp_limits *limits, const vkp_gemm_shape *s)
{
    vkp_gemm_tile list[VKP_GEMM_TILES], best = {0};
    double least = 0;
    const size_t count = vkp_gemm_tiles(limits, s->form, list);
    for (size_t i = 0; i < count; i++) {
        vkp_gemm_tile *t = &list[i];
        const double groups =
            (double)vkp_groups(s->rows, t->rows) * vkp_groups(s->columns, t->columns) * s->classes;
        split(limits, s, groups, t);
        const double taken = time(limits, s, groups, t);
        if (best.invocations && taken >= least) continue;
        least = taken;
        best = *t;
    }
    return best;
}

void vkp_gemm_specialize(vkp_dispatch *d, const vkp_gemm_tile *t)
{
    const uint32_t spec[] = {t->invocations, t->rows, t->columns, t->depth, t->rows_each, t->columns_each};
    for (size_t i = 0; i < COUNT(spec); i++) d->spec[d->spec_count++] = spec[i];
}

void vkp_gemm_specialize_form(vkp_dispatch *d, const vkp_limits *l, vkp_gemm_form form)
{
    if (form != VKP_GEMM_MATRIX) return;
    const uint32_t spec[] = {l->matrix.m, l->matrix.n, l->matrix.k};
    for (size_t i = 0; i < COUNT(spec); i++) d->spec[d->spec_count++] = spec[i];
    if (!l->matrix.loops) d->subgroup_size = l->matrix.lanes;
}
