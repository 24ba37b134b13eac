/* running_stats: a step of batch normalization's running mean and variance towards the batch's, as
 * torch.nn.BatchNorm2d takes it in training: r = (1 - momentum) * r + momentum * s, with the variance of the
 * sample, var * count / (count - 1). Attributes: momentum; scale, the number of values a channel had.
 * The outputs may be the inputs themselves: then the step is taken in place. */
#include "ops/op.h"

enum { STATS, RUNNING_MEAN, RUNNING_VAR, NEXT_MEAN = 0, NEXT_VAR };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape stats = node->in[STATS].shape, pair = {1, stats.c, 1, 2}, one = {1, stats.c, 1, 1};
    char text[48];
    if (!vkp_shape_equal(stats, pair) || !vkp_shape_equal(node->in[RUNNING_MEAN].shape, one) ||
        !vkp_shape_equal(node->in[RUNNING_VAR].shape, one))
        return vkp_fail(VKP_SHAPE, "running_stats cannot take statistics of %s (it needs a mean and a "
                        "variance for each of its channels; check the sizes)", vkp_shape_text(stats, text));
    if (!(node->attr.scale >= 2))
        return vkp_fail(VKP_SHAPE, "running_stats of %g values a channel is not possible (a variance needs "
                        "two; use a larger batch or size)", (double)node->attr.scale);
    out[NEXT_MEAN] = out[NEXT_VAR] = one;
    return VKP_OK;
}

static double unbiased(const vkp_attr *attr) { return (double)attr->scale / ((double)attr->scale - 1); }

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t channels = node->in[STATS].shape.c;
    const double momentum = (double)node->attr.momentum;
    /* One statistic a dispatch: both would need more storage buffers than every device has. */
    for (uint32_t which = 0; which < 2; which++) {
        vkp_dispatch d = {.shader = VKP_SHADER_running_stats, .groups = {vkp_groups(channels, 64), 1, 1}};
        vkp_bind(device, &d, &node->out[NEXT_MEAN + which], VKP_WRITE);
        vkp_bind(device, &d, &node->in[RUNNING_MEAN + which], VKP_READ);
        vkp_bind(device, &d, &node->in[STATS], VKP_READ);
        vkp_push(&d, channels);
        vkp_push(&d, which);
        vkp_push_float(&d, (float)(1 - momentum));
        vkp_push_float(&d, (float)(which ? momentum * unbiased(&node->attr) : momentum));
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const double momentum = (double)node->attr.momentum, factor = momentum * unbiased(&node->attr);
    for (uint32_t c = 0; c < node->in[STATS].shape.c; c++) {
        out[NEXT_MEAN][c] = (1 - momentum) * in[RUNNING_MEAN][c] + momentum * in[STATS][2 * c];
        out[NEXT_VAR][c] = (1 - momentum) * in[RUNNING_VAR][c] + factor * in[STATS][2 * c + 1];
    }
}

#define CHANNELS(c) {{1, c, 1, 2}, {1, c, 1, 1}, {1, c, 1, 1}}
static const vkp_case cases[] = {
    {.in = CHANNELS(1), .attr = {.momentum = 0.1f, .scale = 2}},
    {.in = CHANNELS(67), .attr = {.momentum = 0.1f, .scale = 100}},
    {.in = CHANNELS(128), .attr = {.momentum = 0.3f, .scale = 409600}},
};

const vkp_op vkp_op_running_stats = {
    .name = "running_stats",
    .summary = "a step of batch normalization's running mean and variance, in place if wanted",
    .in = {{"stats", VKP_STATE}, {"running_mean", VKP_STATE}, {"running_var", VKP_STATE}},
    .out = {{"next_mean", VKP_STATE}, {"next_var", VKP_STATE}},
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
