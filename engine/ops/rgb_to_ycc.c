/* rgb_to_ycc: in rgb (n,3,h,w) in 0..1; out y (n,1,h,w) and crcb (n,2,h,w) in -1..1. Full-range BT.601:
 * Y = .299 R + .587 G + .114 B, Cr = .5 R - .418688 G - .081312 B, Cb = -.168736 R - .331264 G + .5 B;
 * y = 2Y - 1, cr = 2Cr, cb = 2Cb. attr.scale: a factor on cr and cb (0: none, 1). */
#include "ops/colour.h"

enum { RGB, Y = 0, CRCB };

static const vkp_colour_matrix matrix = {
    .m = {{.299f * 2, .587f * 2, .114f * 2},
          {1, -.418688f * 2, -.081312f * 2},
          {-.168736f * 2, -.331264f * 2, 1}},
    .k = {-1, 0, 0},
};

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape rgb = node->in[RGB].shape;
    char text[48];
    if (!vkp_shape_count(rgb) || rgb.c != 3)
        return vkp_fail(VKP_SHAPE, "rgb_to_ycc of %s is not possible (it takes three channels; check the "
                        "sizes)", vkp_shape_text(rgb, text));
    out[Y] = (vkp_shape){rgb.n, 1, rgb.h, rgb.w};
    out[CRCB] = (vkp_shape){rgb.n, 2, rgb.h, rgb.w};
    return VKP_OK;
}

static float factor(const vkp_node *node) { return node->attr.scale > 0 ? node->attr.scale : 1; }

static vkp_colour_matrix scaled(const vkp_node *node)
{
    vkp_colour_matrix m = matrix;
    for (int row = 1; row < 3; row++)
        for (int column = 0; column < 3; column++) m.m[row][column] *= factor(node);
    return m;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_colour_matrix m = scaled(node);
    return vkp_colour_map(p, &m, false, &node->in[RGB], &node->out[Y], &node->out[CRCB], false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_colour_matrix m = scaled(node), transposed = vkp_colour_transposed(&m);
    if (!node->d_in[RGB].buffer) return VKP_OK;
    return vkp_colour_map(p, &transposed, true, &node->d_in[RGB], &node->d_out[Y], &node->d_out[CRCB],
                          node->add[RGB]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[RGB].shape;
    const uint64_t plane = (uint64_t)s.h * s.w;
    const double k = (double)factor(node);
    for (uint32_t n = 0; n < s.n; n++)
        for (uint64_t i = 0; i < plane; i++) {
            const double *rgb = in[RGB] + 3 * n * plane + i;
            const double r = rgb[0], g = rgb[plane], b = rgb[2 * plane];
            out[Y][n * plane + i] = 2 * (.299 * r + .587 * g + .114 * b) - 1;
            out[CRCB][2 * n * plane + i] = 2 * k * (.5 * r - .418688 * g - .081312 * b);
            out[CRCB][(2 * n + 1) * plane + i] = 2 * k * (-.168736 * r - .331264 * g + .5 * b);
        }
}

#define PICTURES(n, h, w) .in = {{n, 3, h, w}}, .low = 0, .high = 1
static const vkp_case cases[] = {
    {PICTURES(1, 1, 1)},
    {PICTURES(2, 5, 7)},
    {PICTURES(3, 8, 12)},
    {PICTURES(1, 3, 130)},
    {PICTURES(2, 6, 9), .attr = {.scale = 1.25f}},
    {PICTURES(1, 67, 131)},
    {PICTURES(32, 320, 320), .large = true},
};

const vkp_op vkp_op_rgb_to_ycc = {
    .name = "rgb_to_ycc",
    .summary = "colour space, RGB (0..1) to Y and CrCb (-1..1)",
    .in = {{"rgb", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}, {"crcb", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
