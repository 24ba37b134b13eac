/* expected_chroma: CrCb (n,2,h,w) from logits of chroma classes (chroma_classes.h): the annealed mean (Zhang,
 * Isola and Efros 2016), that of the nodes' places by softmax(logits / T). attr.weight[0] is T: 1 gives the
 * mean, near 0 it is the mode. For colouring, not for training: no gradient. */
#include <math.h>

#include "ops/chroma_classes.h"

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[0].shape;
    const float t = node->attr.weight[0];
    VKP_TRY(vkp_chroma_classes_check(node));
    if (!(t > 0) || !isfinite(t) || !isfinite(1 / t))
        return vkp_fail(VKP_SHAPE, "expected_chroma at temperature %g is not possible (no mean; take a "
                        "number above 0)", (double)t);
    out[0] = (vkp_shape){x.n, 2, x.h, x.w};
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const vkp_class_pass pass = {.shader = VKP_SHADER_expected_chroma,
                                 .texel_shader = VKP_SHADER_expected_chroma_texel,
                                 .result = &node->out[0],
                                 .factor = 1 / node->attr.weight[0]};
    return vkp_class_pass_record(p, node, &pass);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[0].shape;
    const size_t plane = (size_t)x.h * x.w;
    const uint32_t k = node->attr.kernel;
    for (size_t i = 0; i < x.n * plane; i++) {
        const double *logits = in[0] + i / plane * x.c * plane + i % plane;
        double *chroma = out[0] + i / plane * 2 * plane + i % plane, top = -INFINITY, all = 0;
        chroma[0] = chroma[plane] = 0;
        for (uint32_t j = 0; j < x.c; j++) top = fmax(top, logits[j * plane]);
        for (uint32_t j = 0; j < x.c; j++) {
            const double e = exp((logits[j * plane] - top) / (double)node->attr.weight[0]);
            all += e;
            chroma[0] += e * vkp_chroma_node(&node->attr, j / k);
            chroma[plane] += e * vkp_chroma_node(&node->attr, j % k);
        }
        chroma[0] /= all;
        chroma[plane] /= all;
    }
}

#define CLASSES(n, k, h, w, range, t)                                                                  \
    .in = {{n, (k) * (k), h, w}}, .attr = {.kernel = (k), .scale = (range), .weight = {t}}
static const vkp_case cases[] = {
    {CLASSES(1, 3, 1, 1, 0.7f, 1)},
    {CLASSES(1, 2, 1, 1, 0.5f, 0.4f)},
    {CLASSES(2, 5, 3, 7, 0.7f, 1)},
    {CLASSES(3, 3, 5, 6, 1, 0.38f)},
    {CLASSES(2, 11, 5, 13, 0.7f, 0.38f), .low = -4, .high = 4},
    {CLASSES(1, 11, 9, 8, 0.9f, 0.01f)},
    {CLASSES(1, 11, 17, 11, 0.6f, 3), .low = -60, .high = 60},
    {CLASSES(1, 11, 46, 50, 0.7f, 0.38f), .low = -4, .high = 4}, /* more than a texel buffer must hold */
    {CLASSES(16, 11, 32, 32, 0.7f, 0.38f), .large = true},
};

const vkp_op vkp_op_expected_chroma = {
    .name = "expected_chroma",
    .summary = "chroma from logits of chroma classes: their annealed mean",
    .in = {{"logits", VKP_CONSTANT}},
    .out = {{"chroma", VKP_CONSTANT}},
    .pictures = VKP_PICTURES_APART,
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
