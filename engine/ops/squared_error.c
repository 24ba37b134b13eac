/* squared_error: what a peak signal-to-noise ratio is made of. In a, b (n,c,h,w), R, G, B in 0..1, and rect
 * (n,1,1,4): x0, y0, x1, y1 of the valid part of each picture, in pixels, half-open. Out sse (n,1,1,1):
 * the sum over that part and the channels of ((clamp(a, 0, 1) - clamp(b, 0, 1)) * 255)². A metric: no
 * gradient. */
#include <math.h>

#include "ops/loss.h"

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape a = node->in[0].shape, rect = node->in[2].shape;
    char at[48], rt[48];
    VKP_TRY(vkp_loss_mean_shape(node, out));
    if (!vkp_shape_equal(rect, (vkp_shape){a.n, 1, 1, 4}))
        return vkp_fail(VKP_SHAPE, "squared_error of %s with rectangles %s is not possible (four numbers a "
                        "picture; check the sizes)", vkp_shape_text(a, at), vkp_shape_text(rect, rt));
    out[0] = (vkp_shape){a.n, 1, 1, 1};
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_loss loss = {.kind = VKP_LOSS_SQUARED, .a = &node->in[0], .b = &node->in[1],
                           .rect = &node->in[2]};
    return vkp_loss_sums(p, &loss, &node->out[0]);
}

static double level(double value) { return 255 * fmin(fmax(value, 0), 1); }

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[0].shape;
    for (uint32_t n = 0; n < s.n; n++) {
        const double *rect = in[2] + 4 * n;
        out[0][n] = 0;
        for (uint32_t c = 0; c < s.c; c++)
            for (uint32_t y = 0; y < s.h; y++)
                for (uint32_t x = 0; x < s.w; x++) {
                    const uint64_t i = ((uint64_t)(n * s.c + c) * s.h + y) * s.w + x;
                    if (x < rect[0] || y < rect[1] || x >= rect[2] || y >= rect[3]) continue;
                    const double d = level(in[0][i]) - level(in[1][i]);
                    out[0][n] += d * d;
                }
    }
}

/* The whole picture, then one less its border, the right half, and nothing. */
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    if (i != 2) return false;
    const float w = (float)node->in[0].shape.w, h = (float)node->in[0].shape.h;
    const float rects[4][4] = {{0, 0, w, h}, {1, 1, w - 1, h - 1}, {floorf(w / 2), 0, w, h}, {0, 0, 0, 0}};
    for (uint32_t n = 0; n < node->in[0].shape.n; n++)
        for (uint32_t k = 0; k < 4; k++) values[4 * n + k] = rects[n % 4][k];
    return true;
}

/* Values beyond 0..1, so that the clamping shows. */
#define PAIR(n, c, h, w) .in = {{n, c, h, w}, {n, c, h, w}, {n, 1, 1, 4}}, .low = -0.3f, .high = 1.3f
static const vkp_case cases[] = {
    {PAIR(1, 1, 1, 1)},
    {PAIR(1, 3, 5, 7)},
    {PAIR(5, 3, 9, 6)},
    {PAIR(4, 2, 8, 16)},
    {PAIR(2, 5, 3, 1)},
    {PAIR(4, 3, 67, 131)},
    {PAIR(32, 3, 320, 320), .large = true},
};

const vkp_op vkp_op_squared_error = {
    .name = "squared_error",
    .summary = "sum of squared differences in levels 0..255 over a rectangle of each picture, for PSNR",
    .in = {{"a", VKP_CONSTANT}, {"b", VKP_CONSTANT}, {"rect", VKP_STATE}},
    .out = {{"sse", VKP_STATE}},
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
