/* norm: batch and instance normalization with an optional affine map and activation (torch.nn.BatchNorm2d,
 * InstanceNorm2d). Large tensors are swept as few times as the formula allows: once for the statistics,
 * once for y; once for the gradient's sums, once for dx.
 *
 * attr.pictures consecutive pictures share a channel's mean and variance: `stats` is (n / pictures, c, 1, 2).
 * Training takes them from x, or as the input `given` from whoever computed them with x, and then makes no
 * `stats`; evaluation takes the running ones.
 *
 * With attr.factor the same sweeps do the average pooling of y that follows (torch.nn.AvgPool2d(factor)): the
 * output `pooled`. Its gradient is spread over the pixels where they are read, never in memory. With
 * attr.pooled_only y itself is not made. */
#include <math.h>
#include <string.h>

#include "ops/moves.h"
#include "ops/norm.h"
#include "ops/op.h"
#include "ops/walk.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, GIVEN, Y = 0, STATS, POOLED };

#define LANES 64

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Pictures of one statistic. */
static uint32_t pictures(const vkp_node *node)
{
    return node->attr.pictures ? node->attr.pictures : node->in[X].shape.n;
}

static uint32_t statistics(const vkp_node *node) { return node->in[X].shape.n / pictures(node); }

/* Where the statistics are that normalize x. */
static const vkp_tensor *statistics_of(const vkp_node *node)
{
    return node->in[GIVEN].buffer ? &node->in[GIVEN] : &node->out[STATS];
}

/* Whether the statistics may be taken from where they are to come from. */
static vkp_status check_statistics(const vkp_node *node)
{
    const vkp_shape x = node->in[X].shape, given = node->in[GIVEN].shape;
    char text[48], other[48];
    if (node->attr.pictures && x.n % node->attr.pictures)
        return vkp_fail(VKP_SHAPE, "norm of %s cannot share statistics among %u pictures each (it needs a "
                        "multiple of that; check the batch)", vkp_shape_text(x, text), node->attr.pictures);
    if (node->attr.training) {
        const vkp_shape stats = {statistics(node), x.c, 1, 2};
        if (!node->in[GIVEN].buffer || vkp_shape_equal(given, stats)) return VKP_OK;
        return vkp_fail(VKP_SHAPE, "norm of %s cannot take given statistics of %s (it needs a mean and a "
                        "variance each; check the sizes)", vkp_shape_text(x, text),
                        vkp_shape_text(given, other));
    }
    if (node->in[GIVEN].buffer)
        return vkp_fail(VKP_SHAPE, "norm of %s cannot take given statistics in evaluation (only running "
                        "ones; set training)", vkp_shape_text(x, text));
    if (!node->in[RUNNING_MEAN].buffer || !node->in[RUNNING_VAR].buffer)
        return vkp_fail(VKP_SHAPE, "norm of %s has no running statistics (evaluation needs both; give "
                        "them or set training)", vkp_shape_text(x, text));
    return VKP_OK;
}

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    char text[48], other[48];
    for (int i = GAMMA; i <= RUNNING_VAR; i++) {
        if (!node->in[i].buffer) continue;
        if (vkp_shape_count(node->in[i].shape) != x.c)
            return vkp_fail(VKP_SHAPE, "norm of %s cannot take %s of %s (it needs one value a channel; "
                            "check the sizes)", vkp_shape_text(x, text), vkp_op_norm.in[i].name,
                            vkp_shape_text(node->in[i].shape, other));
    }
    VKP_TRY(check_statistics(node));
    if (node->attr.activation > VKP_LEAKY_RELU)
        return vkp_fail(VKP_SHAPE, "norm of %s cannot end in that activation (only in ReLU or LeakyReLU; "
                        "use the operation activation after it)", vkp_shape_text(x, text));
    const uint32_t f = node->attr.factor;
    if (node->attr.pooled_only && !f)
        return vkp_fail(VKP_SHAPE, "norm of %s has nothing to make (neither y nor a pooling factor; "
                        "give one)", vkp_shape_text(x, text));
    if (f && (x.h < f || x.w < f))
        return vkp_fail(VKP_SHAPE, "norm of %s cannot pool by %u (no whole window fits; check the sizes)",
                        vkp_shape_text(x, text), f);
    if (!node->attr.pooled_only) out[Y] = x;
    if (f) out[POOLED] = (vkp_shape){x.n, x.c, x.h / f, x.w / f};
    if (!node->in[GIVEN].buffer) out[STATS] = (vkp_shape){statistics(node), x.c, 1, 2};
    return VKP_OK;
}

/* How the groups of a pass over pixels share the planes, tiles of side x side quads at a time: much for each,
 * so that its fixed cost does not count, as long as some thousand groups remain. */
static vkp_walk walk_of(const vkp_tensor *x, uint32_t side)
{
    const uint64_t quads = (uint64_t)x->shape.n * x->shape.c * vkp_plane(x) / 4;
    uint32_t each = 8; /* norm_moments.glsl takes as many quads at once */
    while (each < 64 && quads / (LANES * each) > 2048) each *= 2;
    each /= side * side;
    return vkp_walk_of_tiles(x, side, each ? each : 1);
}

/* A tree of sums and its barriers cost more than these few quads (or pieces) one after the other. */
#define MOST_QUADS_ALONE 64
#define MOST_PIECES_ALONE 16

/* Whether an invocation takes a plane of x alone, and LANES channels make a group. */
static bool planes_alone(const vkp_tensor *x) { return vkp_plane(x) / 4 <= MOST_QUADS_ALONE; }

/* A pass over the pixels of x: what it writes first, then x, then what else it reads or writes. */
typedef struct pass {
    vkp_shader shader, texel_shader;
    const vkp_tensor *result;     /* y, parts or dx; without a buffer: only pooled */
    const vkp_tensor *dy, *table; /* NULL: not read; dy without a buffer: only the pooled tensor's gradient */
    const vkp_tensor *pooled;     /* written, or where there is dy its gradient; NULL or no buffer: neither */
    bool add;
} pass;

static bool is_there(const vkp_tensor *t) { return t && t->buffer; }

/* Whether every run of pictures of what a pass reads fits a texel buffer. */
static bool reads_texels(const vkp_device *device, const vkp_tensor *x, const vkp_tensor *dy,
                         const vkp_tensor *d_pooled)
{
    const vkp_tensor *const tensors[] = {x, dy, d_pooled};
    const uint32_t chunk = vkp_walk_pictures(device, tensors, 3);
    for (uint32_t i = 0; i < 3; i++) {
        if (!is_there(tensors[i])) continue;
        const vkp_tensor part = vkp_tensor_pictures(tensors[i], 0, chunk);
        if (!vkp_texels_fit(device, &part, tensors[i] == d_pooled ? 1 : 4)) return false;
    }
    return true;
}

/* Binds pictures of `t` or, where it is not there but must be bound since the shader names it, of `other`. */
static void bind_part(const vkp_device *device, vkp_dispatch *d, const vkp_tensor *t, const vkp_tensor *other,
                      uint32_t n, uint32_t count, vkp_access access, bool texels)
{
    const vkp_tensor part = vkp_tensor_pictures(is_there(t) ? t : other, n, count);
    vkp_bind_quads(device, d, &part, access, texels);
}

/* Everything that a pass binds for pictures [n, n + count), in the order of its shader. */
static void bind_all(const vkp_device *device, vkp_dispatch *d, const vkp_node *node, const pass *s,
                     uint32_t n, uint32_t count, bool texels)
{
    const uint32_t group = pictures(node);
    bind_part(device, d, s->result, s->pooled, n, count, s->add ? VKP_READ_WRITE : VKP_WRITE, false);
    bind_part(device, d, &node->in[X], NULL, n, count, VKP_READ, texels);
    if (s->dy) bind_part(device, d, s->dy, s->pooled, n, count, VKP_READ, texels);
    if (s->table)
        bind_part(device, d, s->table, NULL, n / group, vkp_groups(count, group), VKP_READ, false);
    if (!s->dy) {
        if (s->table) bind_part(device, d, s->pooled, s->result, n, count, VKP_WRITE, false);
    } else if (texels && is_there(s->pooled)) {
        /* As much at once as the windows that a quad of pixels lies in. */
        const vkp_tensor d_pooled = vkp_tensor_pictures(s->pooled, n, count);
        const bool pairs = node->attr.factor == 2;
        vkp_bind_texels(device, d, &d_pooled, pairs ? VK_FORMAT_R32G32_SFLOAT : VK_FORMAT_R32_SFLOAT,
                        pairs ? 2 : 1);
    } else if (texels) {
        bind_part(device, d, s->dy, NULL, n, count, VKP_READ, true);
    }
}

static vkp_status record(vkp_program *p, const vkp_node *node, const pass *s)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_attr *a = &node->attr;
    const vkp_tensor *x = &node->in[X];
    const bool pool = is_there(s->pooled), texels = reads_texels(device, x, s->dy, s->dy ? s->pooled : NULL);
    const uint32_t factor = pool ? a->factor : 1, group = pictures(node);
    /* Whether some pixels are in no window, or some tiles not whole. */
    const bool cut = (s->dy ? x->shape.w : x->pitch / 4) % factor || x->shape.h % factor;
    const vkp_walk walk = walk_of(x, s->dy ? 1 : factor);
    const bool alone = planes_alone(x);
    const uint32_t chunk =
        vkp_walk_pictures(device, (const vkp_tensor *const[]){x, s->result, s->dy, s->pooled}, 4);
    uint32_t slope;
    memcpy(&slope, &a->slope, sizeof slope);
    for (uint32_t n = 0, count; n < x->shape.n; n += count) {
        /* Whole groups, or as much as fits of one. */
        count = chunk < group ? least(chunk, group - n % group)
                              : least(chunk / group * group, x->shape.n - n);
        vkp_dispatch d = {
            .shader = texels ? s->texel_shader : s->shader,
            .groups = {alone ? 1 : walk.groups, alone ? vkp_groups(x->shape.c, LANES) : x->shape.c, count},
            .spec = {a->activation, slope, vkp_has_padding(x), group, factor, pool,
                     is_there(s->dy ? s->dy : s->result), cut, s->add, alone},
            .spec_count = 10};
        bind_all(device, &d, node, s, n, count, texels);
        vkp_push_walk(&d, x, walk);
        vkp_push(&d, x->shape.h);
        vkp_push(&d, x->shape.c);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

/* Four numbers for each group of a pass. */
static vkp_status new_parts(vkp_program *p, const vkp_tensor *x, vkp_tensor *parts)
{
    const vkp_shape shape_of_parts = {x->shape.n, x->shape.c, walk_of(x, 1).groups, 4};
    return vkp_tensor_new_packed(p, shape_of_parts, "norm parts", parts);
}

vkp_status vkp_norm_merge(vkp_program *p, const vkp_tensor *parts, uint32_t pictures_of_one,
                          const vkp_tensor *stats)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t channels = stats->shape.c;
    const bool alone = pictures_of_one * parts->shape.h <= MOST_PIECES_ALONE;
    vkp_dispatch d = {.shader = VKP_SHADER_norm_merge,
                      .groups = {alone ? vkp_groups(channels, LANES) : channels, stats->shape.n, 1},
                      .spec = {alone}, .spec_count = 1};
    vkp_bind(device, &d, stats, VKP_WRITE);
    vkp_bind_quads(device, &d, parts, VKP_READ, false);
    vkp_push(&d, pictures_of_one);
    vkp_push(&d, parts->shape.h);
    vkp_push(&d, channels);
    return vkp_program_dispatch(p, &d);
}

vkp_status vkp_norm_statistics(vkp_program *p, const vkp_tensor *x, uint32_t pictures_of_one,
                               const vkp_tensor *stats)
{
    const vkp_node node = {.op = &vkp_op_norm, .attr = {.pictures = pictures_of_one}, .in = {[X] = *x}};
    vkp_tensor parts;
    VKP_TRY(new_parts(p, x, &parts));
    VKP_TRY(record(p, &node, &(pass){.shader = VKP_SHADER_norm_moments,
                                     .texel_shader = VKP_SHADER_norm_moments_texel, .result = &parts}));
    return vkp_norm_merge(p, &parts, pictures_of_one, stats);
}

static vkp_status running_statistics(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t channels = node->in[X].shape.c;
    vkp_dispatch d = {.shader = VKP_SHADER_norm_running,
                      .groups = {vkp_groups(channels, LANES), statistics(node), 1}};
    vkp_bind(device, &d, &node->out[STATS], VKP_WRITE);
    vkp_bind(device, &d, &node->in[RUNNING_MEAN], VKP_READ);
    vkp_bind(device, &d, &node->in[RUNNING_VAR], VKP_READ);
    vkp_push(&d, channels);
    return vkp_program_dispatch(p, &d);
}

/* Makes the table of channels that the passes over pixels read: norm_affine.comp. */
static vkp_status affine_table(vkp_program *p, const vkp_node *node, vkp_tensor *table)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t channels = node->in[X].shape.c, groups = statistics(node);
    const bool gamma = node->in[GAMMA].buffer != 0, beta = node->in[BETA].buffer != 0;
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){groups, channels, 2, 4}, "norm table", table));
    vkp_dispatch d = {.shader = VKP_SHADER_norm_affine, .groups = {vkp_groups(channels, LANES), groups, 1},
                      .spec = {gamma, beta}, .spec_count = 2};
    vkp_bind_quads(device, &d, table, VKP_WRITE, false);
    const vkp_tensor *stats = statistics_of(node);
    vkp_bind(device, &d, stats, VKP_READ);
    /* Where one is absent the shader reads none; the statistics keep its binding valid. */
    vkp_bind(device, &d, gamma ? &node->in[GAMMA] : stats, VKP_READ);
    vkp_bind(device, &d, beta ? &node->in[BETA] : stats, VKP_READ);
    vkp_push(&d, channels);
    vkp_push_float(&d, node->attr.eps);
    return vkp_program_dispatch(p, &d);
}

vkp_status vkp_norm_running_table(vkp_program *p, const vkp_tensor *gamma, const vkp_tensor *beta,
                                  const vkp_tensor *running_mean, const vkp_tensor *running_var, float eps,
                                  vkp_tensor *table)
{
    const vkp_shape x = {1, (uint32_t)vkp_shape_count(running_mean->shape), 1, 1};
    vkp_node node = {.op = &vkp_op_norm, .attr = {.eps = eps},
                     .in = {[X] = {.shape = x}, [GAMMA] = *gamma, [BETA] = *beta,
                            [RUNNING_MEAN] = *running_mean, [RUNNING_VAR] = *running_var}};
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){1, x.c, 1, 2}, "running statistics", &node.out[STATS]));
    VKP_TRY(running_statistics(p, &node));
    return affine_table(p, &node, table);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    vkp_tensor table;
    if (!node->attr.training)
        VKP_TRY(running_statistics(p, node));
    else if (!node->in[GIVEN].buffer)
        VKP_TRY(vkp_norm_statistics(p, &node->in[X], pictures(node), &node->out[STATS]));
    VKP_TRY(affine_table(p, node, &table));
    return record(p, node, &(pass){.shader = VKP_SHADER_norm_forward,
                                   .texel_shader = VKP_SHADER_norm_forward_texel, .result = &node->out[Y],
                                   .pooled = &node->out[POOLED], .table = &table});
}

/* The gradients of gamma and beta, and into the table the means that the gradient of x needs. */
static vkp_status reduce_gradient(vkp_program *p, const vkp_node *node, const vkp_tensor *table)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[X], *dgamma = &node->d_in[GAMMA], *dbeta = &node->d_in[BETA];
    const uint32_t groups = statistics(node), each = x->shape.n / groups;
    vkp_tensor parts;
    VKP_TRY(new_parts(p, x, &parts));
    VKP_TRY(record(p, node, &(pass){.shader = VKP_SHADER_norm_grad_sums,
                                    .texel_shader = VKP_SHADER_norm_grad_sums_texel,
                                    .result = &parts, .dy = &node->d_out[Y],
                                    .pooled = &node->d_out[POOLED], .table = table}));
    const bool whole = dgamma->buffer || dbeta->buffer; /* a channel's sums over all statistics are wanted */
    const bool alone = (whole ? x->shape.n : each) * parts.shape.h <= MOST_PIECES_ALONE;
    vkp_dispatch d = {.shader = VKP_SHADER_norm_grad_merge,
                      .groups = {alone ? vkp_groups(x->shape.c, LANES) : x->shape.c,
                                 alone && !whole ? groups : 1, 1},
                      .spec = {node->attr.training, dgamma->buffer != 0, node->add[GAMMA], dbeta->buffer != 0,
                               node->add[BETA], alone},
                      .spec_count = 6};
    vkp_bind_quads(device, &d, table, VKP_READ_WRITE, false);
    vkp_bind_quads(device, &d, &parts, VKP_READ, false);
    /* What is not wanted is not written; the table keeps its binding valid. */
    vkp_bind(device, &d, dgamma->buffer ? dgamma : table, VKP_READ_WRITE);
    vkp_bind(device, &d, dbeta->buffer ? dbeta : table, VKP_READ_WRITE);
    vkp_push(&d, groups);
    vkp_push(&d, each);
    vkp_push(&d, parts.shape.h);
    vkp_push_float(&d, (float)each * (float)x->shape.h * (float)x->shape.w);
    vkp_push(&d, x->shape.c);
    return vkp_program_dispatch(p, &d);
}

/* The whole gradient of y in memory. Shaders that read no texels are near the number of storage buffers that
 * every device has, and take no second gradient. */
static vkp_status join_gradients(vkp_program *p, const vkp_node *node, vkp_tensor *sum)
{
    const vkp_tensor *dy = &node->d_out[Y];
    const float factor = (float)node->attr.factor;
    VKP_TRY(vkp_tensor_new(p, node->in[X].shape, "norm dy", sum));
    if (dy->buffer) VKP_TRY(vkp_copy(p, dy, sum, false));
    return vkp_block_spread(p, &node->d_out[POOLED], sum, node->attr.factor, 1 / (factor * factor),
                            dy->buffer != 0);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_tensor *dy = &node->d_out[Y], *d_pooled = &node->d_out[POOLED];
    if (d_pooled->buffer && !reads_texels(vkp_program_device(p), &node->in[X], dy, d_pooled)) {
        vkp_node joined = *node;
        VKP_TRY(join_gradients(p, node, &joined.d_out[Y]));
        joined.d_out[POOLED] = (vkp_tensor){0};
        return backward(p, &joined);
    }
    const bool dx = node->d_in[X].buffer != 0, affine = node->d_in[GAMMA].buffer || node->d_in[BETA].buffer;
    if (!dx && !affine) return VKP_OK;
    vkp_tensor table;
    VKP_TRY(affine_table(p, node, &table));
    if (affine || node->attr.training) VKP_TRY(reduce_gradient(p, node, &table));
    if (!dx) return VKP_OK;
    return record(p, node, &(pass){.shader = VKP_SHADER_norm_input_grad,
                                   .texel_shader = VKP_SHADER_norm_input_grad_texel,
                                   .result = &node->d_in[X], .dy = dy,
                                   .pooled = d_pooled, .table = &table, .add = node->add[X]});
}

static double activate(const vkp_attr *attr, double v)
{
    if (attr->activation == VKP_LINEAR || v >= 0) return v;
    return attr->activation == VKP_RELU ? 0 : (double)attr->slope * v;
}

/* Adds pixel i of plane `plane` to the mean of its block, if that is whole. */
static void add_to_block(const vkp_node *node, size_t plane, size_t i, double value, double *pooled)
{
    const vkp_shape s = node->in[X].shape;
    const uint32_t f = node->attr.factor, h = s.h / f, w = s.w / f;
    const size_t y = i / s.w / f, x = i % s.w / f;
    if (y < h && x < w) pooled[(plane * h + y) * w + x] += value / (f * f);
}

/* One channel of pictures [first, first + count): statistics into stats, results into y and pooled. Given
 * statistics are x's own, which the gradient flows through: they are computed as if they had not been given.
 */
static void reference_channel(const vkp_node *node, const double *const in[VKP_MAX_IN], uint32_t first,
                              uint32_t count, uint32_t c, double *stats, double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[X].shape;
    const size_t plane = (size_t)s.h * s.w;
    const double elements = (double)count * (double)plane;
    double mean = 0, var = 0;
    for (uint32_t n = first; n < first + count; n++)
        for (size_t i = 0; i < plane; i++) mean += in[X][(n * (size_t)s.c + c) * plane + i] / elements;
    for (uint32_t n = first; n < first + count; n++)
        for (size_t i = 0; i < plane; i++) {
            const double d = in[X][(n * (size_t)s.c + c) * plane + i] - mean;
            var += d * d / elements;
        }
    stats[0] = node->attr.training ? mean : in[RUNNING_MEAN][c];
    stats[1] = node->attr.training ? var : in[RUNNING_VAR][c];
    const double gamma = in[GAMMA] ? in[GAMMA][c] : 1, beta = in[BETA] ? in[BETA][c] : 0;
    const double deviation = sqrt(stats[1] + (double)node->attr.eps);
    for (uint32_t n = first; n < first + count; n++)
        for (size_t i = 0; i < plane; i++) {
            const size_t k = (n * (size_t)s.c + c) * plane + i;
            const double y = activate(&node->attr, gamma * (in[X][k] - stats[0]) / deviation + beta);
            if (out[Y]) out[Y][k] = y;
            if (out[POOLED]) add_to_block(node, n * (size_t)s.c + c, i, y, out[POOLED]);
        }
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[X].shape;
    const uint32_t groups = statistics(node), each = s.n / groups, f = node->attr.factor;
    if (out[POOLED])
        memset(out[POOLED], 0, (size_t)s.n * s.c * (s.h / f) * (s.w / f) * sizeof **out);
    for (uint32_t g = 0; g < groups; g++)
        for (uint32_t c = 0; c < s.c; c++) {
            double stats[2];
            reference_channel(node, in, g * each, each, c, stats, out);
            if (out[STATS]) memcpy(&out[STATS][(g * (size_t)s.c + c) * 2], stats, sizeof stats);
        }
}

/* What the tests fill x with. FAR_FROM_ZERO: values close together, in pairs around 100 so that a float holds
 * their mean exactly: the rounding of the mean would drown what is looked for, digits lost to its size.
 * KNOWN: values whose statistics can be given. */
enum { RANDOM, FAR_FROM_ZERO, KNOWN };

static float value_of_x(uint32_t mode, uint64_t k)
{
    if (mode == KNOWN) return (float)(k * 397 % 1471) / 700.0f - 0.3f;
    const float distance = (float)(1 + k / 2 * 397 % 1471) / 8192.0f;
    return k % 2 ? 100.0f - distance : 100.0f + distance;
}

/* The statistics of what fill() makes. */
static void fill_given(const vkp_node *node, float *values)
{
    const vkp_shape s = node->in[X].shape;
    const uint64_t plane = (uint64_t)s.h * s.w, count = pictures(node) * plane;
    for (uint32_t g = 0; g < statistics(node); g++)
        for (uint32_t c = 0; c < s.c; c++) {
            double sum = 0, squares = 0;
            for (uint64_t k = 0; k < count; k++) {
                const uint64_t n = g * (uint64_t)pictures(node) + k / plane;
                const double value = (double)value_of_x(node->attr.mode, (n * s.c + c) * plane + k % plane);
                sum += value;
                squares += value * value;
            }
            const double mean = sum / (double)count;
            *values++ = (float)mean;
            *values++ = (float)(squares / (double)count - mean * mean);
        }
}

static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    if (node->attr.mode == RANDOM || (i != X && i != GIVEN)) return false;
    const uint64_t count = vkp_shape_count(node->in[X].shape);
    if (i == GIVEN)
        fill_given(node, values);
    else
        for (uint64_t k = 0; k < count; k++) values[k] = value_of_x(node->attr.mode, k);
    return true;
}

#define CHANNELS(c) {1, c, 1, 1}
#define AFFINE(n, c, h, w) {{n, c, h, w}, CHANNELS(c), CHANNELS(c)}
#define RUNNING(n, c, h, w) {{n, c, h, w}, CHANNELS(c), CHANNELS(c), CHANNELS(c), CHANNELS(c)}
#define TRAIN .eps = 1e-5f, .training = true
#define LEAKY .activation = VKP_LEAKY_RELU, .slope = 0.2f
static const vkp_case cases[] = {
    {.in = AFFINE(1, 1, 1, 1), .attr = {TRAIN}},
    {.in = AFFINE(1, 3, 5, 1), .attr = {TRAIN}},
    {.in = AFFINE(5, 2, 1, 1), .attr = {TRAIN}},
    {.in = AFFINE(2, 3, 7, 5), .attr = {TRAIN, .activation = VKP_RELU}},
    {.in = AFFINE(3, 4, 8, 8), .attr = {TRAIN, LEAKY}},
    {.in = AFFINE(2, 67, 3, 11), .attr = {TRAIN, LEAKY}},
    {.in = AFFINE(2, 2, 61, 76), .attr = {TRAIN, .activation = VKP_RELU}}, /* several pieces a plane */
    {.in = AFFINE(1, 1, 97, 103), .attr = {TRAIN}},                        /* the same with padded rows */
    /* More than a texel buffer must hold; finite differences would step over a kink of so many pixels. */
    {.in = AFFINE(2, 2, 256, 260), .attr = {TRAIN}},
    {.in = {{2, 3, 6, 7}, CHANNELS(3)}, .attr = {TRAIN}},
    {.in = {{2, 3, 6, 7}, {0}, CHANNELS(3)}, .attr = {TRAIN}},
    {.in = AFFINE(2, 3, 64, 64), .attr = {TRAIN, .mode = FAR_FROM_ZERO}},
    {.in = {{1, 1, 1, 7}}, .attr = {TRAIN, .pictures = 1}},
    {.in = {{3, 5, 9, 10}}, .attr = {TRAIN, .pictures = 1, LEAKY}},
    {.in = {{2, 3, 67, 64}}, .attr = {TRAIN, .pictures = 1, LEAKY}},
    {.in = {{2, 3, 30, 30}}, .attr = {TRAIN, .pictures = 1, .mode = FAR_FROM_ZERO}},
    {.in = AFFINE(3, 4, 5, 6), .attr = {TRAIN, .pictures = 1, .activation = VKP_RELU}},
    {.in = AFFINE(4, 3, 5, 7), .attr = {TRAIN, .pictures = 2, LEAKY}},
    {.in = AFFINE(6, 2, 8, 9), .attr = {TRAIN, .pictures = 3, .activation = VKP_RELU}},
    {.in = AFFINE(6, 1, 61, 76), .attr = {TRAIN, .pictures = 2}},
    {.in = {{3, 4, 5, 6}, CHANNELS(4), CHANNELS(4), {0}, {0}, {1, 4, 1, 2}}, .attr = {TRAIN, .mode = KNOWN}},
    {.in = {{4, 3, 7, 9}, {0}, {0}, {0}, {0}, {2, 3, 1, 2}},
     .attr = {TRAIN, .pictures = 2, LEAKY, .mode = KNOWN}},
    {.in = AFFINE(2, 3, 8, 12), .attr = {TRAIN, .factor = 2, .activation = VKP_RELU}},
    {.in = AFFINE(2, 3, 7, 5), .attr = {TRAIN, .factor = 2, LEAKY}},
    {.in = AFFINE(1, 5, 9, 14), .attr = {TRAIN, .factor = 2, .pooled_only = true, LEAKY}},
    {.in = AFFINE(2, 2, 16, 32), .attr = {TRAIN, .factor = 4, .activation = VKP_RELU}},
    {.in = AFFINE(2, 1, 61, 75), .attr = {TRAIN, .factor = 4, LEAKY}},
    {.in = AFFINE(3, 2, 22, 37), .attr = {TRAIN, .factor = 4, .pooled_only = true}},
    {.in = {{3, 2, 13, 17}}, .attr = {TRAIN, .pictures = 1, .factor = 4, .pooled_only = true, LEAKY}},
    {.in = {{4, 2, 10, 18}}, .attr = {TRAIN, .pictures = 2, .factor = 2, LEAKY}},
    {.in = AFFINE(2, 2, 11, 13), .attr = {TRAIN, .factor = 1}},
    {.in = AFFINE(1, 2, 11, 31), .attr = {TRAIN, .factor = 3, .activation = VKP_RELU}},
    {.in = AFFINE(1, 2, 23, 40), .attr = {TRAIN, .factor = 5, .pooled_only = true}},
    {.in = AFFINE(1, 1, 40, 70), .attr = {TRAIN, .factor = 16}},
    {.in = AFFINE(2, 2, 256, 260), .attr = {TRAIN, .factor = 4}},
    {.in = AFFINE(2, 2, 260, 256), .attr = {TRAIN, .factor = 2, .pooled_only = true}},
    {.in = RUNNING(2, 5, 7, 9), .attr = {.eps = 1e-5f, .factor = 2, .activation = VKP_RELU}},
    {.in = RUNNING(1, 1, 1, 1), .attr = {.eps = 1e-5f}},
    {.in = RUNNING(2, 5, 7, 9), .attr = {.eps = 1e-5f, .activation = VKP_RELU}},
    {.in = RUNNING(3, 66, 4, 4), .attr = {.eps = 1e-3f, .activation = VKP_LEAKY_RELU, .slope = 0.1f}},
    {.in = {{2, 3, 5, 5}, {0}, {0}, CHANNELS(3), CHANNELS(3)}, .attr = {.eps = 1e-5f, .pictures = 1}},
    {.in = AFFINE(4, 32, 320, 320), .attr = {TRAIN, .activation = VKP_RELU}, .large = true},
};

const vkp_op vkp_op_norm = {
    .name = "norm",
    .summary = "batch or instance normalization, training or evaluation, with affine map and (Leaky)ReLU",
    .in = {{"x", VKP_ACTIVATION}, {"gamma", VKP_PARAMETER}, {"beta", VKP_PARAMETER},
           {"running_mean", VKP_STATE}, {"running_var", VKP_STATE, 0.2f, 2}, {"given", VKP_STATE}},
    .out = {{"y", VKP_ACTIVATION}, {"stats", VKP_STATE}, {"pooled", VKP_ACTIVATION}},
    .pictures = VKP_PICTURES_GROUPED,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
