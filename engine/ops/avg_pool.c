/* avg_pool: means of factor x factor windows that do not overlap (torch.nn.AvgPool2d(factor)); rows and
 * columns beyond the last whole window are left out. */
#include "ops/moves.h"
#include "ops/op.h"

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[0].shape;
    const uint32_t f = node->attr.factor;
    char text[48];
    if (!f || x.h < f || x.w < f)
        return vkp_fail(VKP_SHAPE, "avg_pool of %s by %u is not possible (no whole window fits; check the "
                        "sizes)", vkp_shape_text(x, text), f);
    out[0] = (vkp_shape){x.n, x.c, x.h / f, x.w / f};
    return VKP_OK;
}

static float share(const vkp_node *node)
{
    const float f = (float)node->attr.factor;
    return 1 / (f * f);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return vkp_block_sum(p, &node->in[0], &node->out[0], node->attr.factor, share(node), false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[0].buffer) return VKP_OK;
    return vkp_block_spread(p, &node->d_out[0], &node->d_in[0], node->attr.factor, share(node), node->add[0]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[0].shape;
    const uint32_t f = node->attr.factor;
    double *y = out[0];
    for (uint32_t plane = 0; plane < x.n * x.c; plane++)
        for (uint32_t oy = 0; oy < x.h / f; oy++)
            for (uint32_t ox = 0; ox < x.w / f; ox++) {
                double sum = 0;
                for (uint32_t i = 0; i < f; i++)
                    for (uint32_t j = 0; j < f; j++)
                        sum += in[0][(plane * x.h + oy * f + i) * x.w + ox * f + j];
                *y++ = sum / (f * f);
            }
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, .attr = {.factor = 1}},
    {.in = {{2, 3, 5, 7}}, .attr = {.factor = 1}},
    {.in = {{1, 1, 2, 2}}, .attr = {.factor = 2}},
    {.in = {{2, 3, 7, 5}}, .attr = {.factor = 2}},
    {.in = {{1, 17, 8, 8}}, .attr = {.factor = 2}},
    {.in = {{3, 2, 37, 41}}, .attr = {.factor = 2}},
    {.in = {{1, 64, 16, 20}}, .attr = {.factor = 2}},
    {.in = {{1, 1, 4, 4}}, .attr = {.factor = 4}},
    {.in = {{2, 5, 7, 7}}, .attr = {.factor = 4}},
    {.in = {{2, 3, 19, 71}}, .attr = {.factor = 4}},
    {.in = {{1, 32, 16, 64}}, .attr = {.factor = 4}},
    {.in = {{2, 3, 11, 13}}, .attr = {.factor = 3}},
    {.in = {{1, 2, 23, 5}}, .attr = {.factor = 5}},
    {.in = {{1, 2, 20, 33}}, .attr = {.factor = 8}},
    {.in = {{4, 32, 320, 320}}, .attr = {.factor = 4}, .large = true},
    {.in = {{4, 64, 80, 80}}, .attr = {.factor = 2}, .large = true},
};

const vkp_op vkp_op_avg_pool = {
    .name = "avg_pool",
    .summary = "means of windows of factor x factor pixels",
    .in = {{"x", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}},
    .pictures = VKP_PICTURES_APART,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
