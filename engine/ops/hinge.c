/* hinge: the adversarial hinge losses as means over x. attr.mode says which:
 * 0: -mean(x), the generator's; 1: mean(max(0, 1 - x)), the discriminator's of real pictures;
 * 2: mean(max(0, 1 + x)), of fake ones. The derivative of max(0, v) at v = 0 is 0. Out loss (1,1,1,1). */
#include <math.h>

#include "ops/loss.h"

enum { GENERATOR, REAL, FAKE, MODES };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    if (node->attr.mode >= MODES)
        return vkp_fail(VKP_SHAPE, "hinge has no mode %u (0 generator, 1 real, 2 fake; take one of these)",
                        node->attr.mode);
    return vkp_loss_mean_shape(node, out);
}

static vkp_loss loss_of(const vkp_node *node)
{
    const uint32_t mode = node->attr.mode;
    return (vkp_loss){.kind = mode == GENERATOR ? VKP_LOSS_MINUS : VKP_LOSS_HINGE,
                      .target = mode == REAL ? -1 : 1, .a = &node->in[0]};
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
        sum += node->attr.mode == GENERATOR ? -x : node->attr.mode == REAL ? fmax(0, 1 - x) : fmax(0, 1 + x);
    }
    out[0][0] = sum / (double)count;
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, .attr = {.mode = GENERATOR}},
    {.in = {{1, 1, 1, 1}}, .attr = {.mode = REAL}},
    {.in = {{1, 1, 1, 1}}, .attr = {.mode = FAKE}},
    {.in = {{3, 1, 10, 10}}, .attr = {.mode = GENERATOR}, .low = -3, .high = 3},
    {.in = {{3, 1, 10, 10}}, .attr = {.mode = REAL}, .low = -3, .high = 3},
    {.in = {{5, 1, 11, 11}}, .attr = {.mode = FAKE}, .low = -3, .high = 3},
    {.in = {{2, 5, 7, 3}}, .attr = {.mode = REAL}, .low = -3, .high = 3},
    {.in = {{1, 1, 67, 131}}, .attr = {.mode = FAKE}, .low = -3, .high = 3},
    {.in = {{32, 1, 10, 10}}, .attr = {.mode = REAL}, .large = true},
};

const vkp_op vkp_op_hinge = {
    .name = "hinge",
    .summary = "hinge losses of generator and discriminator, means over logits",
    .in = {{"x", VKP_ACTIVATION}},
    .out = {{"loss", VKP_PARAMETER}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
