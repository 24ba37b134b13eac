/* bce_with_logits: the mean binary cross entropy of sigmoid(x) with one target for all
 * (torch.nn.BCEWithLogitsLoss). In x; attr.scale is the target; out loss (1,1,1,1). */
#include <math.h>

#include "ops/loss.h"

static vkp_loss loss_of(const vkp_node *node)
{
    return (vkp_loss){.kind = VKP_LOSS_BCE, .target = node->attr.scale, .a = &node->in[0]};
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_loss loss = loss_of(node);
    return vkp_loss_mean_forward(p, node, &loss);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_loss loss = loss_of(node);
    return vkp_loss_mean_backward(p, node, &loss);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const uint64_t count = vkp_shape_count(node->in[0].shape);
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const double x = in[0][i];
        sum += fmax(x, 0) - x * node->attr.scale + log(1 + exp(-fabs(x)));
    }
    out[0][0] = sum / (double)count;
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, .attr = {.scale = 1}},
    {.in = {{1, 1, 1, 1}}, .attr = {.scale = 0}},
    {.in = {{2, 1, 3, 5}}, .attr = {.scale = 1}, .low = -6, .high = 6},
    {.in = {{2, 1, 3, 5}}, .attr = {.scale = 0}, .low = -90, .high = 90},
    {.in = {{3, 1, 10, 10}}, .attr = {.scale = 1}, .low = -3, .high = 3},
    {.in = {{5, 1, 11, 11}}, .attr = {.scale = 0}, .low = -3, .high = 3},
    {.in = {{1, 7, 2, 8}}, .attr = {.scale = 0}},
    {.in = {{1, 1, 67, 131}}, .attr = {.scale = 1}, .low = -20, .high = 20},
    {.in = {{32, 1, 10, 10}}, .attr = {.scale = 1}, .large = true},
};

const vkp_op vkp_op_bce_with_logits = {
    .name = "bce_with_logits",
    .summary = "mean binary cross entropy of logits with a constant target",
    .in = {{"x", VKP_ACTIVATION}},
    .out = {{"loss", VKP_PARAMETER}},
    .shape = vkp_loss_mean_shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
