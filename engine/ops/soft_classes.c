/* soft_classes: the cross-entropy of chroma classes (chroma_classes.h) with soft targets, the classes
 * rebalanced by weights (Zhang, Isola and Efros 2016). A target CrCb, brought into -attr.scale..attr.scale,
 * belongs to the four nodes around it by its bilinear weights t. The loss is the mean over all pixels of
 *   v * (logsumexp(logits) - the sum of t_j logits_j),   v = the sum of t_j weights_j
 * which is v times torch.nn.CrossEntropyLoss(reduction="none") with probabilities as target. It is a plain
 * mean: who wants v to be 1 on average scales the weights so. Without weights v is 1. Out loss (1,1,1,1). */
#include <math.h>

#include "ops/chroma_classes.h"
#include "ops/reduce.h"

enum { LOGITS, TARGET, WEIGHTS };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[LOGITS].shape, target = node->in[TARGET].shape;
    char xt[48], tt[48];
    VKP_TRY(vkp_chroma_classes_check(node));
    if (!vkp_shape_equal(target, (vkp_shape){x.n, 2, x.h, x.w}) ||
        (node->in[WEIGHTS].buffer && !vkp_shape_equal(node->in[WEIGHTS].shape, (vkp_shape){1, x.c, 1, 1})))
        return vkp_fail(VKP_SHAPE, "soft_classes of %s with target %s is not possible (wanted two channels "
                        "of the same pixels, and a weight a class or none; check the sizes)",
                        vkp_shape_text(x, xt), vkp_shape_text(target, tt));
    out[0] = (vkp_shape){1, 1, 1, 1};
    return VKP_OK;
}

static float mean_scale(const vkp_node *node)
{
    const vkp_shape x = node->in[LOGITS].shape;
    return (float)(1 / ((double)x.n * x.h * x.w));
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_tensor *logits = &node->in[LOGITS], *target = &node->in[TARGET];
    const bool weighted = node->in[WEIGHTS].buffer;
    const uint32_t groups = vkp_class_pass_groups(logits), n = logits->shape.n;
    vkp_tensor partials;
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){n, 1, 1, groups}, "partial sums", &partials));
    const vkp_class_pass pass = {.shader = VKP_SHADER_soft_classes_sum,
                                 .texel_shader = VKP_SHADER_soft_classes_sum_texel,
                                 .result = &partials,
                                 .target = target,
                                 .weights = weighted ? &node->in[WEIGHTS] : target, /* which is not read */
                                 .weighted = weighted};
    VKP_TRY(vkp_class_pass_record(p, node, &pass));
    /* The sums of all pictures as those of one. */
    partials = vkp_tensor_packed(partials.buffer, (vkp_shape){1, n, 1, groups});
    return vkp_sum_partials(p, &partials, mean_scale(node), &node->out[0]);
}

/* scaled = weights * d_loss, in a pass of its own: with d_loss the gradient's shader would bind five storage
 * buffers, and some devices have four. */
static vkp_status scale_weights(vkp_program *p, const vkp_node *node, vkp_tensor *scaled)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t count = node->in[WEIGHTS].shape.c;
    VKP_TRY(vkp_tensor_new_packed(p, node->in[WEIGHTS].shape, "scaled weights", scaled));
    vkp_dispatch d = {.shader = VKP_SHADER_scale_by, .groups = {vkp_groups(count, 64), 1, 1}};
    vkp_bind(device, &d, scaled, VKP_WRITE);
    vkp_bind(device, &d, &node->in[WEIGHTS], VKP_READ);
    vkp_bind(device, &d, &node->d_out[0], VKP_READ);
    vkp_push(&d, count);
    return vkp_program_dispatch(p, &d);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[LOGITS].buffer) return VKP_OK;
    const bool weighted = node->in[WEIGHTS].buffer;
    vkp_tensor scaled = node->d_out[0];
    if (weighted) VKP_TRY(scale_weights(p, node, &scaled));
    const vkp_class_pass pass = {.shader = VKP_SHADER_soft_classes_grad,
                                 .texel_shader = VKP_SHADER_soft_classes_grad_texel,
                                 .result = &node->d_in[LOGITS],
                                 .target = &node->in[TARGET],
                                 .weights = &scaled,
                                 .weighted = weighted,
                                 .add = node->add[LOGITS],
                                 .factor = mean_scale(node)};
    return vkp_class_pass_record(p, node, &pass);
}

/* How much of a target at `chroma` belongs to node j of an axis. */
static double belonging(const vkp_attr *attr, double chroma, uint32_t j)
{
    const double range = attr->scale, step = 2 * range / (attr->kernel - 1);
    const double inside = fmin(fmax(chroma, -range), range);
    return fmax(0, 1 - fabs(inside - vkp_chroma_node(attr, j)) / step);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[LOGITS].shape;
    const size_t plane = (size_t)x.h * x.w;
    const uint32_t k = node->attr.kernel;
    double sum = 0;
    for (size_t i = 0; i < x.n * plane; i++) {
        const double *logits = in[LOGITS] + i / plane * x.c * plane + i % plane;
        const double *target = in[TARGET] + i / plane * 2 * plane + i % plane;
        double top = -INFINITY, all = 0, v = 0, own = 0;
        for (uint32_t j = 0; j < x.c; j++)
            if (logits[j * plane] > top) top = logits[j * plane];
        for (uint32_t j = 0; j < x.c; j++) {
            const double row = belonging(&node->attr, target[0], j / k);
            const double t = row > 0 ? row * belonging(&node->attr, target[plane], j % k) : 0;
            all += exp(logits[j * plane] - top);
            own += t * logits[j * plane];
            v += t * (in[WEIGHTS] ? in[WEIGHTS][j] : 1);
        }
        sum += v * (top + log(all) - own);
    }
    out[0][0] = sum / ((double)x.n * (double)plane);
}

/* Where the grid reaches to 1, many targets lie exactly on nodes, its last among them. Where it does not,
 * some of the random ones lie beyond it. */
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    const uint64_t count = vkp_shape_count(node->in[TARGET].shape);
    if (i != TARGET || node->attr.scale != 1) return false;
    for (uint64_t k = 0; k < count; k++) values[k] = (float)(k * 7 % 17) / 8 - 1;
    return true;
}

#define GRID(k, range) .attr = {.kernel = (k), .scale = (range)}
#define EVEN(n, k, h, w, range) .in = {{n, (k) * (k), h, w}, {n, 2, h, w}}, GRID(k, range)
#define CLASSES(n, k, h, w, range)                                                                     \
    .in = {{n, (k) * (k), h, w}, {n, 2, h, w}, {1, (k) * (k), 1, 1}}, GRID(k, range)
static const vkp_case cases[] = {
    {CLASSES(1, 3, 1, 1, 0.7f)},
    {EVEN(1, 2, 1, 1, 0.5f)},
    {CLASSES(2, 5, 3, 7, 0.7f)},
    {EVEN(3, 3, 5, 6, 1)},
    {CLASSES(2, 9, 7, 9, 1), .low = -4, .high = 4},
    {CLASSES(2, 11, 5, 13, 0.7f)},
    {CLASSES(1, 11, 9, 8, 0.9f), .low = -60, .high = 60},
    {EVEN(1, 11, 17, 11, 0.6f), .low = -8, .high = 8},
    {CLASSES(3, 3, 37, 41, 0.7f)}, /* several groups a picture */
    {CLASSES(1, 11, 46, 50, 0.7f)}, /* more than a texel buffer must hold */
    {CLASSES(16, 11, 32, 32, 0.7f), .large = true},
};

const vkp_op vkp_op_soft_classes = {
    .name = "soft_classes",
    .summary = "cross-entropy of chroma classes with soft targets, rebalanced by weights, mean over pixels",
    .in = {{"logits", VKP_ACTIVATION}, {"target", VKP_CONSTANT, -1, 1}, {"weights", VKP_STATE, 0.2f, 3}},
    .out = {{"loss", VKP_PARAMETER}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
