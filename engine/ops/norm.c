/* norm: batch and instance normalization with an optional affine map and activation (torch.nn.BatchNorm2d,
 * InstanceNorm2d). Large tensors are swept as few times as the formula allows: once for the statistics,
 * once for y; once for the gradient's sums, once for dx. */
#include <math.h>

#include "ops/op.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, Y = 0, STATS };

#define LANES 64
#define PIECE (8 * LANES) /* quadruples of floats; norm_moments.comp takes as many at once */

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t statistics(const vkp_node *node) { return node->attr.per_picture ? node->in[X].shape.n : 1; }

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    char text[48], other[48];
    for (int i = GAMMA; i <= RUNNING_VAR; i++) {
        if (!node->in[i].buffer) continue;
        if (vkp_shape_count(node->in[i].shape) != x.c)
            return vkp_fail(VKP_SHAPE, "norm of %s cannot take %s of %s (one value a channel is needed; check the sizes)",
                            vkp_shape_text(x, text), vkp_op_norm.in[i].name, vkp_shape_text(node->in[i].shape, other));
    }
    if (!node->attr.training && (!node->in[RUNNING_MEAN].buffer || !node->in[RUNNING_VAR].buffer))
        return vkp_fail(VKP_SHAPE, "norm of %s has no running statistics (evaluation needs both; give them or the "
                        "training mode)", vkp_shape_text(x, text));
    if (node->attr.activation > VKP_LEAKY_RELU)
        return vkp_fail(VKP_SHAPE, "norm of %s cannot end in that activation (it has none, ReLU and LeakyReLU; use the "
                        "operation activation after it)", vkp_shape_text(x, text));
    out[Y] = x;
    out[STATS] = (vkp_shape){statistics(node), x.c, 1, 2};
    return VKP_OK;
}

/* How a plane is cut into pieces, one a workgroup: large enough that a group's fixed cost does not count,
 * as long as some thousand groups remain. */
typedef struct pieces {
    uint32_t count, quads, piece, row, tail;
} pieces;

static pieces cut(const vkp_tensor *x)
{
    pieces p = {.quads = (uint32_t)(vkp_plane(x) / 4), .row = x->pitch / 4, .tail = x->shape.w % 4};
    const uint64_t all = (uint64_t)x->shape.n * x->shape.c * p.quads;
    const uint32_t times = all / (1024 * PIECE) > 8 ? 8 : (uint32_t)(all / (1024 * PIECE));
    p.piece = PIECE * (times ? times : 1);
    /* No device allows fewer than 65,535 groups a dimension. */
    while (vkp_groups(p.quads, p.piece) > 65535) p.piece *= 2;
    p.count = vkp_groups(p.quads, p.piece);
    return p;
}

static void push_pieces(vkp_dispatch *d, const pieces *p)
{
    vkp_push(d, p->quads);
    vkp_push(d, p->piece);
    vkp_push(d, p->row);
}

/* Specialization constants 0 to 3 of the passes over pixels: activation.glsl, norm.glsl, the shader's own. */
static void specialize(vkp_dispatch *d, const vkp_node *node, const pieces *p)
{
    union {
        float value;
        uint32_t word;
    } slope = {node->attr.slope};
    const uint32_t spec[] = {node->attr.activation, slope.word, p->tail, node->attr.per_picture};
    for (uint32_t i = 0; i < 4; i++) d->spec[d->spec_count++] = spec[i];
}

/* Pictures that one dispatch may take: by the bindings, and by the groups of its third dimension. */
static uint32_t pictures(const vkp_program *p, const vkp_tensor *a, const vkp_tensor *b, const vkp_tensor *c)
{
    const vkp_device *d = vkp_program_device(p);
    const uint32_t by_binding = vkp_pictures_per_binding(d, (const vkp_tensor *const[]){a, b, c}, 3);
    return least(least(by_binding, d->info.limits.group_count[2]), a->shape.n);
}

/* The rows of the channels' table (or statistics) that belong to some of the pictures. */
static vkp_tensor table_of(const vkp_node *node, const vkp_tensor *table, uint32_t n, uint32_t count)
{
    return node->attr.per_picture ? vkp_tensor_pictures(table, n, count) : *table;
}

static vkp_status batch_statistics(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[X];
    const pieces cuts = cut(x);
    const uint32_t chunk = pictures(p, x, NULL, NULL), groups = statistics(node);
    vkp_tensor parts;
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){x->shape.n, x->shape.c, cuts.count, 4}, "norm moments", &parts));
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = least(chunk, x->shape.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count), ps = vkp_tensor_pictures(&parts, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_norm_moments, .groups = {cuts.count, x->shape.c, count},
                          .spec = {0, 0, cuts.tail}, .spec_count = 3};
        vkp_bind(device, &d, &ps, VKP_WRITE);
        vkp_bind(device, &d, &xs, VKP_READ);
        push_pieces(&d, &cuts);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    vkp_dispatch d = {.shader = VKP_SHADER_norm_merge, .groups = {x->shape.c, groups, 1}};
    vkp_bind(device, &d, &node->out[STATS], VKP_WRITE);
    vkp_bind(device, &d, &parts, VKP_READ);
    vkp_push(&d, x->shape.n / groups);
    vkp_push(&d, cuts.count);
    return vkp_program_dispatch(p, &d);
}

static vkp_status running_statistics(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t channels = node->in[X].shape.c;
    vkp_dispatch d = {.shader = VKP_SHADER_norm_running, .groups = {vkp_groups(channels, LANES), statistics(node), 1}};
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
    vkp_bind(device, &d, table, VKP_WRITE);
    vkp_bind(device, &d, &node->out[STATS], VKP_READ);
    /* Where one is absent the shader reads none; the statistics keep its binding valid. */
    vkp_bind(device, &d, gamma ? &node->in[GAMMA] : &node->out[STATS], VKP_READ);
    vkp_bind(device, &d, beta ? &node->in[BETA] : &node->out[STATS], VKP_READ);
    vkp_push(&d, channels);
    vkp_push_float(&d, node->attr.eps);
    return vkp_program_dispatch(p, &d);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[X], *y = &node->out[Y];
    vkp_tensor table;
    VKP_TRY(node->attr.training ? batch_statistics(p, node) : running_statistics(p, node));
    VKP_TRY(affine_table(p, node, &table));
    const pieces cuts = cut(x);
    const uint32_t chunk = pictures(p, x, y, NULL);
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = least(chunk, x->shape.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count), ys = vkp_tensor_pictures(y, n, count);
        const vkp_tensor ks = table_of(node, &table, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_norm_forward, .groups = {cuts.count, x->shape.c, count}};
        specialize(&d, node, &cuts);
        vkp_bind(device, &d, &ys, VKP_WRITE);
        vkp_bind(device, &d, &xs, VKP_READ);
        vkp_bind(device, &d, &ks, VKP_READ);
        push_pieces(&d, &cuts);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

/* The gradients of gamma and beta, and into the table the means that the gradient of x needs. */
static vkp_status reduce_gradient(vkp_program *p, const vkp_node *node, const vkp_tensor *table)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[X], *dy = &node->d_out[Y];
    const vkp_tensor *dgamma = &node->d_in[GAMMA], *dbeta = &node->d_in[BETA];
    const pieces cuts = cut(x);
    const uint32_t chunk = pictures(p, x, dy, NULL), groups = statistics(node), each = x->shape.n / groups;
    vkp_tensor parts;
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){x->shape.n, x->shape.c, cuts.count, 2}, "norm sums", &parts));
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = least(chunk, x->shape.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count), dys = vkp_tensor_pictures(dy, n, count);
        const vkp_tensor ps = vkp_tensor_pictures(&parts, n, count), ks = table_of(node, table, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_norm_grad_sums, .groups = {cuts.count, x->shape.c, count}};
        specialize(&d, node, &cuts);
        vkp_bind(device, &d, &ps, VKP_WRITE);
        vkp_bind(device, &d, &xs, VKP_READ);
        vkp_bind(device, &d, &dys, VKP_READ);
        vkp_bind(device, &d, &ks, VKP_READ);
        push_pieces(&d, &cuts);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    vkp_dispatch d = {.shader = VKP_SHADER_norm_grad_merge, .groups = {x->shape.c, 1, 1}, .spec_count = 5,
                      .spec = {node->attr.training, dgamma->buffer != 0, node->add[GAMMA], dbeta->buffer != 0, node->add[BETA]}};
    vkp_bind(device, &d, table, VKP_READ_WRITE);
    vkp_bind(device, &d, &parts, VKP_READ);
    /* What is not wanted is not written; the table keeps its binding valid. */
    vkp_bind(device, &d, dgamma->buffer ? dgamma : table, VKP_READ_WRITE);
    vkp_bind(device, &d, dbeta->buffer ? dbeta : table, VKP_READ_WRITE);
    vkp_push(&d, groups);
    vkp_push(&d, each);
    vkp_push(&d, cuts.count);
    vkp_push_float(&d, (float)each * (float)x->shape.h * (float)x->shape.w);
    return vkp_program_dispatch(p, &d);
}

static vkp_status input_gradient(vkp_program *p, const vkp_node *node, const vkp_tensor *table)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[X], *dy = &node->d_out[Y], *dx = &node->d_in[X];
    const pieces cuts = cut(x);
    const uint32_t chunk = pictures(p, x, dy, dx);
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = least(chunk, x->shape.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count), dys = vkp_tensor_pictures(dy, n, count);
        const vkp_tensor dxs = vkp_tensor_pictures(dx, n, count), ks = table_of(node, table, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_norm_input_grad, .groups = {cuts.count, x->shape.c, count}};
        specialize(&d, node, &cuts);
        d.spec[d.spec_count++] = node->add[X];
        vkp_bind(device, &d, &dxs, VKP_READ_WRITE);
        vkp_bind(device, &d, &xs, VKP_READ);
        vkp_bind(device, &d, &dys, VKP_READ);
        vkp_bind(device, &d, &ks, VKP_READ);
        push_pieces(&d, &cuts);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const bool dx = node->d_in[X].buffer != 0, affine = node->d_in[GAMMA].buffer || node->d_in[BETA].buffer;
    if (!dx && !affine) return VKP_OK;
    vkp_tensor table;
    VKP_TRY(affine_table(p, node, &table));
    if (affine || node->attr.training) VKP_TRY(reduce_gradient(p, node, &table));
    return dx ? input_gradient(p, node, &table) : VKP_OK;
}

static double activate(const vkp_attr *attr, double v)
{
    if (attr->activation == VKP_LINEAR || v >= 0) return v;
    return attr->activation == VKP_RELU ? 0 : (double)attr->slope * v;
}

/* One channel of pictures [first, first + count): statistics into stats, results into y. */
static void reference_channel(const vkp_node *node, const double *const in[VKP_MAX_IN], uint32_t first, uint32_t count,
                              uint32_t c, double *stats, double *y)
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
    for (uint32_t n = first; n < first + count; n++)
        for (size_t i = 0; i < plane; i++) {
            const size_t k = (n * (size_t)s.c + c) * plane + i;
            y[k] = activate(&node->attr, gamma * (in[X][k] - stats[0]) / sqrt(stats[1] + (double)node->attr.eps) + beta);
        }
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN], double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[X].shape;
    const uint32_t groups = statistics(node), each = s.n / groups;
    for (uint32_t g = 0; g < groups; g++)
        for (uint32_t c = 0; c < s.c; c++)
            reference_channel(node, in, g * each, each, c, &out[STATS][(g * (size_t)s.c + c) * 2], out[Y]);
}

/* Values far from zero and close together, in pairs around 100 so that a float holds their mean exactly:
 * the rounding of the mean would drown what is looked for, digits lost to its size. */
enum { FAR_FROM_ZERO = 1 };
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    if (i != X || node->attr.mode != FAR_FROM_ZERO) return false;
    const uint64_t count = vkp_shape_count(node->in[X].shape);
    for (uint64_t k = 0; k < count; k++) {
        const float distance = (float)(1 + k / 2 * 397 % 1471) / 8192.0f;
        values[k] = k % 2 ? 100.0f - distance : 100.0f + distance;
    }
    return true;
}

#define CHANNELS(c) {1, c, 1, 1}
#define AFFINE(n, c, h, w) {{n, c, h, w}, CHANNELS(c), CHANNELS(c)}
#define RUNNING(n, c, h, w) {{n, c, h, w}, CHANNELS(c), CHANNELS(c), CHANNELS(c), CHANNELS(c)}
#define TRAIN .eps = 1e-5f, .training = true
static const vkp_case cases[] = {
    {.in = AFFINE(1, 1, 1, 1), .attr = {TRAIN}},
    {.in = AFFINE(1, 3, 5, 1), .attr = {TRAIN}},
    {.in = AFFINE(5, 2, 1, 1), .attr = {TRAIN}},
    {.in = AFFINE(2, 3, 7, 5), .attr = {TRAIN, .activation = VKP_RELU}},
    {.in = AFFINE(3, 4, 8, 8), .attr = {TRAIN, .activation = VKP_LEAKY_RELU, .slope = 0.2f}},
    {.in = AFFINE(2, 67, 3, 11), .attr = {TRAIN, .activation = VKP_LEAKY_RELU, .slope = 0.2f}},
    {.in = AFFINE(2, 2, 61, 76), .attr = {TRAIN, .activation = VKP_RELU}}, /* several pieces a plane */
    {.in = AFFINE(1, 1, 97, 103), .attr = {TRAIN}},                        /* the same with padded rows */
    {.in = {{2, 3, 6, 7}, CHANNELS(3)}, .attr = {TRAIN}},
    {.in = {{2, 3, 6, 7}, {0}, CHANNELS(3)}, .attr = {TRAIN}},
    {.in = AFFINE(2, 3, 64, 64), .attr = {TRAIN, .mode = FAR_FROM_ZERO}},
    {.in = {{1, 1, 1, 7}}, .attr = {TRAIN, .per_picture = true}},
    {.in = {{3, 5, 9, 10}}, .attr = {TRAIN, .per_picture = true, .activation = VKP_LEAKY_RELU, .slope = 0.2f}},
    {.in = {{2, 3, 67, 64}}, .attr = {TRAIN, .per_picture = true, .activation = VKP_LEAKY_RELU, .slope = 0.2f}},
    {.in = {{2, 3, 30, 30}}, .attr = {TRAIN, .per_picture = true, .mode = FAR_FROM_ZERO}},
    {.in = AFFINE(3, 4, 5, 6), .attr = {TRAIN, .per_picture = true, .activation = VKP_RELU}},
    {.in = RUNNING(1, 1, 1, 1), .attr = {.eps = 1e-5f}},
    {.in = RUNNING(2, 5, 7, 9), .attr = {.eps = 1e-5f, .activation = VKP_RELU}},
    {.in = RUNNING(3, 66, 4, 4), .attr = {.eps = 1e-3f, .activation = VKP_LEAKY_RELU, .slope = 0.1f}},
    {.in = {{2, 3, 5, 5}, {0}, {0}, CHANNELS(3), CHANNELS(3)}, .attr = {.eps = 1e-5f, .per_picture = true}},
    {.in = AFFINE(4, 32, 320, 320), .attr = {TRAIN, .activation = VKP_RELU}, .large = true},
};

const vkp_op vkp_op_norm = {
    .name = "norm",
    .summary = "batch or instance normalization, training or evaluation, with affine map and (Leaky)ReLU",
    .in = {{"x", VKP_ACTIVATION}, {"gamma", VKP_PARAMETER}, {"beta", VKP_PARAMETER}, {"running_mean", VKP_STATE},
           {"running_var", VKP_STATE, 0.2f, 2}},
    .out = {{"y", VKP_ACTIVATION}, {"stats", VKP_STATE}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
