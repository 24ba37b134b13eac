/* pixel_unshuffle: blocks of factor x factor pixels become channels (torch.nn.PixelUnshuffle(factor)):
 * y[n][(c * factor + i) * factor + j][v][u] = x[n][c][v * factor + i][u * factor + j]. */
#include "ops/op.h"
#include "ops/planes.h"

enum { X, Y = 0 };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    const uint32_t f = node->attr.factor;
    char text[48];
    if (!f || !vkp_shape_count(x) || x.h % f || x.w % f)
        return vkp_fail(VKP_SHAPE, "pixel_unshuffle of %s by %u is not possible (the sides are no multiples "
                        "of it; check the sizes)", vkp_shape_text(x, text), f);
    if ((uint64_t)x.c * f > INT32_MAX / f)
        return vkp_fail(VKP_SHAPE, "pixel_unshuffle of %s by %u is not possible (too many channels; check "
                        "the sizes)", vkp_shape_text(x, text), f);
    out[Y] = (vkp_shape){x.n, x.c * f * f, x.h / f, x.w / f};
    return VKP_OK;
}

/* Forward takes pixels to channels, backward the gradient's channels to pixels. */
static vkp_status record(vkp_program *p, const vkp_tensor *to, const vkp_tensor *from, uint32_t factor,
                         bool to_pixels, bool add)
{
    const vkp_shape s = to->shape;
    const vkp_planes planes = {.shader = VKP_SHADER_pixel_unshuffle, .tall = 8, .tensor_count = 2,
                               .tensors = {to, from}, .add = add,
                               .words = {s.c, s.h, s.w, factor, to_pixels}, .word_count = 5};
    return vkp_planes_record(p, &planes);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return record(p, &node->out[Y], &node->in[X], node->attr.factor, false, false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[X].buffer) return VKP_OK;
    return record(p, &node->d_in[X], &node->d_out[Y], node->attr.factor, true, node->add[X]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    const uint32_t f = node->attr.factor;
    double *y = out[Y];
    for (uint32_t plane = 0; plane < x.n * x.c; plane++)
        for (uint32_t k = 0; k < f * f; k++)
            for (uint32_t v = 0; v < x.h / f; v++)
                for (uint32_t u = 0; u < x.w / f; u++)
                    *y++ = in[X][((size_t)plane * x.h + v * f + k / f) * x.w + u * f + k % f];
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, .attr = {.factor = 1}},
    {.in = {{2, 3, 5, 7}}, .attr = {.factor = 1}},
    {.in = {{1, 1, 2, 2}}, .attr = {.factor = 2}},
    {.in = {{2, 3, 6, 10}}, .attr = {.factor = 2}},
    {.in = {{3, 1, 14, 66}}, .attr = {.factor = 2}},
    {.in = {{2, 2, 9, 15}}, .attr = {.factor = 3}},
    {.in = {{1, 1, 4, 4}}, .attr = {.factor = 4}},
    {.in = {{2, 1, 36, 44}}, .attr = {.factor = 4}},
    {.in = {{1, 5, 8, 24}}, .attr = {.factor = 8}},
    {.in = {{16, 1, 128, 128}}, .attr = {.factor = 2}, .large = true},
};

const vkp_op vkp_op_pixel_unshuffle = {
    .name = "pixel_unshuffle",
    .summary = "blocks of factor x factor pixels to channels",
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
