/* l1: the mean absolute difference (torch.nn.L1Loss) of a and a target b of the same shape, which gets no
 * gradient. The derivative of |v| at v = 0 is 0. Out loss (1,1,1,1). */
#include <math.h>

#include "ops/loss.h"

static vkp_loss loss_of(const vkp_node *node)
{
    return (vkp_loss){.kind = VKP_LOSS_L1, .a = &node->in[0], .b = &node->in[1]};
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
    for (uint64_t i = 0; i < count; i++) sum += fabs(in[0][i] - in[1][i]);
    out[0][0] = sum / (double)count;
}

/* Coarse steps, so that many elements of a and b are equal: there the gradient must be 0. */
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    const uint64_t count = vkp_shape_count(node->in[i].shape);
    for (uint64_t k = 0; k < count; k++) values[k] = (float)(k * (i ? 7 : 5) % 11 % 4) / 2 - 0.75f;
    return true;
}

#define PAIR(n, c, h, w) {{n, c, h, w}, {n, c, h, w}}
static const vkp_case cases[] = {
    {.in = PAIR(1, 1, 1, 1)},
    {.in = PAIR(1, 2, 1, 3)},
    {.in = PAIR(2, 3, 7, 5)},
    {.in = PAIR(3, 2, 8, 12)},
    {.in = PAIR(1, 37, 3, 9)},
    {.in = PAIR(1, 3, 67, 131)},
    {.in = PAIR(32, 3, 320, 320), .large = true},
};

const vkp_op vkp_op_l1 = {
    .name = "l1",
    .summary = "mean absolute difference to a target",
    .in = {{"a", VKP_ACTIVATION}, {"b", VKP_CONSTANT}},
    .out = {{"loss", VKP_PARAMETER}},
    .shape = vkp_loss_mean_shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
