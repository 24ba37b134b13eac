/* upsample: every pixel becomes factor x factor of itself (torch.nn.Upsample(scale_factor=factor,
 * mode="nearest")). A convolution that follows can do it by itself: vkp_attr.upsample of conv2d. */
#include "ops/moves.h"
#include "ops/op.h"

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[0].shape;
    const uint64_t h = (uint64_t)x.h * node->attr.factor, w = (uint64_t)x.w * node->attr.factor;
    char text[48];
    if (!h || !w || h > INT32_MAX || w > INT32_MAX)
        return vkp_fail(VKP_SHAPE, "upsample of %s by %u is not possible (empty or too large; check the "
                        "sizes)", vkp_shape_text(x, text), node->attr.factor);
    out[0] = (vkp_shape){x.n, x.c, (uint32_t)h, (uint32_t)w};
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return vkp_block_spread(p, &node->in[0], &node->out[0], node->attr.factor, 1, false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[0].buffer) return VKP_OK;
    return vkp_block_sum(p, &node->d_out[0], &node->d_in[0], node->attr.factor, 1, node->add[0]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[0].shape;
    const uint32_t f = node->attr.factor;
    double *y = out[0];
    for (uint32_t plane = 0; plane < x.n * x.c; plane++)
        for (uint32_t oy = 0; oy < x.h * f; oy++)
            for (uint32_t ox = 0; ox < x.w * f; ox++) *y++ = in[0][(plane * x.h + oy / f) * x.w + ox / f];
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, .attr = {.factor = 1}},
    {.in = {{2, 3, 5, 7}}, .attr = {.factor = 1}},
    {.in = {{1, 1, 1, 1}}, .attr = {.factor = 2}},
    {.in = {{2, 3, 7, 5}}, .attr = {.factor = 2}},
    {.in = {{1, 17, 8, 8}}, .attr = {.factor = 2}},
    {.in = {{3, 2, 13, 41}}, .attr = {.factor = 2}},
    {.in = {{1, 1, 1, 1}}, .attr = {.factor = 4}},
    {.in = {{2, 3, 5, 13}}, .attr = {.factor = 4}},
    {.in = {{1, 32, 6, 12}}, .attr = {.factor = 4}},
    {.in = {{2, 3, 3, 5}}, .attr = {.factor = 3}},
    {.in = {{1, 2, 4, 3}}, .attr = {.factor = 5}},
    {.in = {{1, 2, 3, 7}}, .attr = {.factor = 8}},
    {.in = {{4, 128, 80, 80}}, .attr = {.factor = 4}, .large = true},
};

const vkp_op vkp_op_upsample = {
    .name = "upsample",
    .summary = "nearest upsampling by a whole factor",
    .in = {{"x", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
