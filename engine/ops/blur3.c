/* blur3: every channel of a picture filtered by the picture's own 3x3 kernel, the edge pixels repeated
 * outwards (OpenCV's filter2D with BORDER_REPLICATE). The kernels come from engine/image/blur.h. */
#include "ops/op.h"
#include "ops/planes.h"

/* In x (n,c,h,w), kernel (n,1,3,3), rows from top to bottom; out y as x. Cross-correlation, as conv2d. */
enum { X, KERNEL, Y = 0 };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape, k = node->in[KERNEL].shape;
    char xt[48], kt[48];
    if (!vkp_shape_equal(k, (vkp_shape){x.n, 1, 3, 3}))
        return vkp_fail(VKP_SHAPE, "blur3 of %s by kernels %s is not possible (one 3x3 kernel a picture is "
                        "needed; check the sizes)", vkp_shape_text(x, xt), vkp_shape_text(k, kt));
    out[Y] = x;
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_shape s = node->in[X].shape;
    const vkp_planes planes = {.shader = VKP_SHADER_blur3_forward, .tall = 32, .tensor_count = 3,
                               .tensors = {&node->out[Y], &node->in[X], &node->in[KERNEL]},
                               .words = {s.c, s.h, s.w}, .word_count = 3};
    return vkp_planes_record(p, &planes);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_shape s = node->in[X].shape;
    const vkp_planes planes = {.shader = VKP_SHADER_blur3_input_grad, .tall = 8, .tensor_count = 3,
                               .tensors = {&node->d_in[X], &node->d_out[Y], &node->in[KERNEL]},
                               .add = node->add[X], .words = {s.c, s.h, s.w}, .word_count = 3};
    return vkp_planes_record(p, &planes);
}

static uint32_t nearest(int i, uint32_t count)
{
    return i < 0 ? 0 : i < (int)count ? (uint32_t)i : count - 1;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape s = node->in[X].shape;
    double *result = out[Y];
    for (uint32_t plane = 0; plane < s.n * s.c; plane++) {
        const double *kernel = in[KERNEL] + plane / s.c * 9;
        for (int y = 0; y < (int)s.h; y++)
            for (int x = 0; x < (int)s.w; x++) {
                double sum = 0;
                for (int k = 0; k < 9; k++) {
                    const uint32_t iy = nearest(y + k / 3 - 1, s.h), ix = nearest(x + k % 3 - 1, s.w);
                    sum += kernel[k] * in[X][((size_t)plane * s.h + iy) * s.w + ix];
                }
                *result++ = sum;
            }
    }
}

#define BLUR(n, c, h, w) {.in = {{n, c, h, w}, {n, 1, 3, 3}}}
static const vkp_case cases[] = {
    BLUR(1, 1, 1, 1),
    BLUR(2, 1, 1, 2),
    BLUR(1, 2, 2, 1),
    BLUR(2, 3, 3, 3),
    BLUR(1, 1, 5, 4),
    BLUR(3, 2, 7, 5),
    BLUR(1, 3, 6, 8),
    BLUR(2, 3, 33, 37),
    BLUR(1, 1, 34, 66),
    BLUR(4, 1, 9, 31),
    {.in = {{32, 3, 320, 320}, {32, 1, 3, 3}}, .large = true},
};

const vkp_op vkp_op_blur3 = {
    .name = "blur3",
    .summary = "3x3 filter with a kernel for each picture, edges repeated outwards",
    .in = {{"x", VKP_ACTIVATION}, {"kernel", VKP_STATE}},
    .out = {{"y", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
