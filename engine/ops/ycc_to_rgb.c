/* ycc_to_rgb: in y (n,1,h,w), a constant, and crcb (n,2,h,w), all in -1..1; out rgb (n,3,h,w), nominally
 * 0..1 but not clamped. Full-range BT.601: with Y = (y + 1)/2, Cr = cr/2, Cb = cb/2,
 * R = Y + 1.402 Cr, G = Y - .714136 Cr - .344136 Cb, B = Y + 1.772 Cb. */
#include "ops/colour.h"

enum { Y, CRCB, RGB = 0 };

static const vkp_colour_matrix matrix = {
    .m = {{.5f, 1.402f / 2, 0}, {.5f, -.714136f / 2, -.344136f / 2}, {.5f, 0, 1.772f / 2}},
    .k = {.5f, .5f, .5f},
};

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape y = node->in[Y].shape, crcb = node->in[CRCB].shape;
    char yt[48], ct[48];
    if (!vkp_shape_count(y) || y.c != 1 || !vkp_shape_equal(crcb, (vkp_shape){y.n, 2, y.h, y.w}))
        return vkp_fail(VKP_SHAPE, "ycc_to_rgb of %s and %s is not possible (one and two channels of one "
                        "size; check the sizes)", vkp_shape_text(y, yt), vkp_shape_text(crcb, ct));
    out[RGB] = (vkp_shape){y.n, 3, y.h, y.w};
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return vkp_colour_map(p, &matrix, true, &node->out[RGB], &node->in[Y], &node->in[CRCB], false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_colour_matrix transposed = vkp_colour_transposed(&matrix);
    if (!node->d_in[CRCB].buffer) return VKP_OK;
    return vkp_colour_map(p, &transposed, false, &node->d_out[RGB], NULL, &node->d_in[CRCB], node->add[CRCB]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[Y].shape;
    const uint64_t plane = (uint64_t)s.h * s.w;
    for (uint32_t n = 0; n < s.n; n++)
        for (uint64_t i = 0; i < plane; i++) {
            const double y = (in[Y][n * plane + i] + 1) / 2;
            const double cr = in[CRCB][2 * n * plane + i] / 2, cb = in[CRCB][(2 * n + 1) * plane + i] / 2;
            double *rgb = out[RGB] + 3 * n * plane + i;
            rgb[0] = y + 1.402 * cr;
            rgb[plane] = y - .714136 * cr - .344136 * cb;
            rgb[2 * plane] = y + 1.772 * cb;
        }
}

#define PICTURES(n, h, w) .in = {{n, 1, h, w}, {n, 2, h, w}}
static const vkp_case cases[] = {
    {PICTURES(1, 1, 1)},
    {PICTURES(2, 5, 7)},
    {PICTURES(3, 8, 12)},
    {PICTURES(1, 3, 130)},
    {PICTURES(1, 67, 131)},
    {PICTURES(32, 320, 320), .large = true},
};

const vkp_op vkp_op_ycc_to_rgb = {
    .name = "ycc_to_rgb",
    .summary = "colour space, Y and CrCb (-1..1) to RGB (0..1), not clamped",
    .in = {{"y", VKP_CONSTANT}, {"crcb", VKP_ACTIVATION}},
    .out = {{"rgb", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
