/* weighted_sum: up to four scalars (1,1,1,1), each times its attr.weight, as one: the total of several
 * losses. Inputs 1 to 3 are optional. */
#include "ops/op.h"

#define MOST 4u

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape scalar = {1, 1, 1, 1};
    char text[48];
    for (uint32_t i = 0; i < MOST; i++)
        if ((i == 0 || node->in[i].buffer) && !vkp_shape_equal(node->in[i].shape, scalar))
            return vkp_fail(VKP_SHAPE, "weighted_sum of %s is not possible (input %u is no scalar; check the "
                            "sizes)", vkp_shape_text(node->in[i].shape, text), i);
    out[0] = scalar;
    return VKP_OK;
}

/* result = weight * x, or adds that. */
static vkp_status add_scalar(vkp_program *p, float weight, const vkp_tensor *x, const vkp_tensor *result,
                             bool add)
{
    const vkp_device *device = vkp_program_device(p);
    vkp_dispatch d = {.shader = VKP_SHADER_scalar_add, .groups = {1, 1, 1}, .spec = {add}, .spec_count = 1};
    vkp_bind(device, &d, result, VKP_READ_WRITE);
    vkp_bind(device, &d, x, VKP_READ);
    vkp_push_float(&d, weight);
    return vkp_program_dispatch(p, &d);
}

/* One by one: all at once would take five storage buffers, and some devices have four. */
static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    for (uint32_t i = 0; i < MOST; i++)
        if (node->in[i].buffer)
            VKP_TRY(add_scalar(p, node->attr.weight[i], &node->in[i], &node->out[0], i > 0));
    return VKP_OK;
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    for (uint32_t i = 0; i < MOST; i++)
        if (node->d_in[i].buffer)
            VKP_TRY(add_scalar(p, node->attr.weight[i], &node->d_out[0], &node->d_in[i], node->add[i]));
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    out[0][0] = 0;
    for (uint32_t i = 0; i < MOST; i++)
        if (in[i]) out[0][0] += node->attr.weight[i] * in[i][0];
}

#define S {1, 1, 1, 1}
static const vkp_case cases[] = {
    {.in = {S}, .attr = {.weight = {-3}}},
    {.in = {S, S}, .attr = {.weight = {0.5f, 0.5f}}},
    {.in = {S, S, S}, .attr = {.weight = {1, 75, 25}}},
    {.in = {S, {0}, S}, .attr = {.weight = {1, 2, 3}}},
    {.in = {S, {0}, {0}, S}, .attr = {.weight = {0, 2, 3, -4}}},
    {.in = {S, S, S, S}, .attr = {.weight = {1, -2, 3, -4}}},
};

const vkp_op vkp_op_weighted_sum = {
    .name = "weighted_sum",
    .summary = "weighted sum of up to four scalars",
    .in = {{"a", VKP_PARAMETER}, {"b", VKP_PARAMETER}, {"c", VKP_PARAMETER}, {"d", VKP_PARAMETER}},
    .out = {{"sum", VKP_PARAMETER}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
