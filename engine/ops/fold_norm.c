/* fold_norm: weight and bias of a convolution that also does the norm behind it, as long as the norm takes
 * its running statistics: norm(w * x + b) = w' * x + b' with w' = w * gamma / sqrt(var + eps) and
 * b' = (b - mean) * gamma / sqrt(var + eps) + beta. Attributes: eps. */
#include <math.h>

#include "ops/norm.h"
#include "ops/op.h"

enum { WEIGHT, BIAS, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, FOLDED_WEIGHT = 0, FOLDED_BIAS };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape w = node->in[WEIGHT].shape;
    char text[48], other[48];
    for (int i = BIAS; i <= RUNNING_VAR; i++)
        if (vkp_shape_count(node->in[i].shape) != w.n)
            return vkp_fail(VKP_SHAPE, "fold_norm of weight %s cannot take %s of %s (it needs one value an "
                            "output channel; check the sizes)", vkp_shape_text(w, text),
                            vkp_op_fold_norm.in[i].name, vkp_shape_text(node->in[i].shape, other));
    out[FOLDED_WEIGHT] = w;
    out[FOLDED_BIAS] = node->in[BIAS].shape;
    return VKP_OK;
}

static vkp_status record(vkp_program *p, const vkp_tensor *to, const vkp_tensor *from,
                         const vkp_tensor *table, bool bias)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t channels = table->shape.c, each = (uint32_t)(vkp_shape_count(from->shape) / channels);
    vkp_dispatch d = {.shader = VKP_SHADER_fold_norm, .groups = {vkp_groups(each, 64 * 16), channels, 1},
                      .spec = {bias}, .spec_count = 1};
    vkp_bind(device, &d, to, VKP_WRITE);
    vkp_bind(device, &d, from, VKP_READ);
    vkp_bind_quads(device, &d, table, VKP_READ, false);
    vkp_push(&d, each);
    vkp_push(&d, d.groups[0] * 64);
    return vkp_program_dispatch(p, &d);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_tensor *in = node->in, *out = node->out;
    vkp_tensor table;
    VKP_TRY(vkp_norm_running_table(p, &in[GAMMA], &in[BETA], &in[RUNNING_MEAN], &in[RUNNING_VAR],
                                   node->attr.eps, &table));
    VKP_TRY(record(p, &out[FOLDED_WEIGHT], &in[WEIGHT], &table, false));
    return record(p, &out[FOLDED_BIAS], &in[BIAS], &table, true);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape w = node->in[WEIGHT].shape;
    const size_t each = (size_t)w.c * w.h * w.w;
    for (size_t o = 0; o < w.n; o++) {
        const double factor = in[GAMMA][o] / sqrt(in[RUNNING_VAR][o] + (double)node->attr.eps);
        for (size_t i = o * each; i < (o + 1) * each; i++) out[FOLDED_WEIGHT][i] = in[WEIGHT][i] * factor;
        out[FOLDED_BIAS][o] = (in[BIAS][o] - in[RUNNING_MEAN][o]) * factor + in[BETA][o];
    }
}

#define CHANNELS(c) {1, c, 1, 1}
#define FOLD(co, ci, k)                                                                                \
    {{co, ci, k, k}, CHANNELS(co), CHANNELS(co), CHANNELS(co), CHANNELS(co), CHANNELS(co)}
static const vkp_case cases[] = {
    {.in = FOLD(1, 1, 1), .attr = {.eps = 1e-5f}},
    {.in = FOLD(3, 5, 3), .attr = {.eps = 1e-5f}},
    {.in = FOLD(67, 2, 5), .attr = {.eps = 1e-3f}},
    {.in = FOLD(32, 1, 5), .attr = {.eps = 1e-5f}},
    {.in = FOLD(256, 128, 3), .attr = {.eps = 1e-5f}, .large = true},
};

const vkp_op vkp_op_fold_norm = {
    .name = "fold_norm",
    .summary = "weight and bias of a convolution with the running statistics of the norm behind it folded in",
    .in = {{"weight", VKP_PARAMETER}, {"bias", VKP_PARAMETER}, {"gamma", VKP_PARAMETER},
           {"beta", VKP_PARAMETER}, {"running_mean", VKP_STATE}, {"running_var", VKP_STATE, 0.2f, 2}},
    .out = {{"weight", VKP_PARAMETER}, {"bias", VKP_PARAMETER}},
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
