/* concat: two tensors one after the other by channel (torch.cat(dim=1)). Where both producers can write into
 * slices of one buffer (vkp_tensor_channels) there is nothing to copy and no need for this. */
#include "ops/moves.h"
#include "ops/op.h"

#include <string.h>

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape a = node->in[0].shape, b = node->in[1].shape;
    char at[48], bt[48];
    if (a.n != b.n || a.h != b.h || a.w != b.w || (uint64_t)a.c + b.c > INT32_MAX)
        return vkp_fail(VKP_SHAPE, "concat of %s and %s is not possible (only channels may differ; check the "
                        "sizes)", vkp_shape_text(a, at), vkp_shape_text(b, bt));
    out[0] = (vkp_shape){a.n, a.c + b.c, a.h, a.w};
    return VKP_OK;
}

/* The channels of y (or its gradient) that input i takes. */
static vkp_tensor slice(const vkp_node *node, const vkp_tensor *y, uint32_t i)
{
    return vkp_tensor_channels(y, i ? node->in[0].shape.c : 0, node->in[i].shape.c);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    for (uint32_t i = 0; i < 2; i++) {
        const vkp_tensor part = slice(node, &node->out[0], i);
        VKP_TRY(vkp_copy(p, &node->in[i], &part, false));
    }
    return VKP_OK;
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (!node->d_in[i].buffer) continue;
        const vkp_tensor part = slice(node, &node->d_out[0], i);
        VKP_TRY(vkp_copy(p, &part, &node->d_in[i], node->add[i]));
    }
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape a = node->in[0].shape, b = node->in[1].shape;
    const size_t plane = (size_t)a.h * a.w;
    for (uint32_t n = 0; n < a.n; n++) {
        double *y = out[0] + n * (a.c + b.c) * plane;
        memcpy(y, in[0] + n * a.c * plane, a.c * plane * sizeof *y);
        memcpy(y + a.c * plane, in[1] + n * b.c * plane, b.c * plane * sizeof *y);
    }
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {.in = {{2, 3, 5, 7}, {2, 1, 5, 7}}},
    {.in = {{3, 1, 7, 5}, {3, 37, 7, 5}}},
    {.in = {{1, 64, 8, 12}, {1, 32, 8, 12}}},
    {.in = {{2, 2, 31, 41}, {2, 3, 31, 41}}},
    {.in = {{4, 64, 80, 80}, {4, 64, 80, 80}}, .large = true},
};

const vkp_op vkp_op_concat = {
    .name = "concat",
    .summary = "two tensors joined by channel",
    .in = {{"a", VKP_ACTIVATION}, {"b", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
