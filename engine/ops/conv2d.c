/* conv2d: cross-correlation with zero padding and a bias (torch.nn.Conv2d), optionally of an input that is
 * first upsampled to the nearest (torch.nn.UpsamplingNearest2d) without ever making that tensor, and
 * optionally with an activation, made where the result is stored, or with the statistics that a norm behind
 * it needs. Attributes: kernel, stride, padding, upsample, activation, slope, statistics, pictures. */
#include "ops/activation.h"
#include "ops/conv2d.h"
#include "ops/norm.h"
#include "ops/variant.h"

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[VKP_CONV_X].shape, w = node->in[VKP_CONV_WEIGHT].shape,
                    b = node->in[VKP_CONV_BIAS].shape;
    const vkp_attr *a = &node->attr;
    const uint64_t h = (uint64_t)x.h * vkp_conv_upsample(node) + 2 * a->padding;
    const uint64_t width = (uint64_t)x.w * vkp_conv_upsample(node) + 2 * a->padding;
    char xt[48], wt[48];
    VKP_TRY(vkp_activation_check(a, "conv2d's activation"));
    if (a->statistics && (a->activation != VKP_LINEAR || (a->pictures && x.n % a->pictures)))
        return vkp_fail(VKP_SHAPE,
                        "conv2d of %s cannot give statistics of %u pictures each (only of whole groups "
                        "and without an activation; check the batch)",
                        vkp_shape_text(x, xt), a->pictures);
    if (!a->kernel || !a->stride || w.c != x.c || w.h != a->kernel || w.w != a->kernel || h < a->kernel ||
        width < a->kernel || (node->in[VKP_CONV_BIAS].buffer && vkp_shape_count(b) != w.n))
        return vkp_fail(VKP_SHAPE,
                        "conv2d of %s with weight %s is not possible (kernel %u, stride %u, padding %u; "
                        "check the sizes)",
                        vkp_shape_text(x, xt), vkp_shape_text(w, wt), a->kernel, a->stride, a->padding);
    out[VKP_CONV_Y] = (vkp_shape){x.n, w.n, (uint32_t)((h - a->kernel) / a->stride + 1),
                                  (uint32_t)((width - a->kernel) / a->stride + 1)};
    if (a->statistics) out[VKP_CONV_STATS] = (vkp_shape){x.n / vkp_conv_pictures(node), w.n, 1, 2};
    return VKP_OK;
}

vkp_status vkp_conv_statistics(vkp_program *p, const vkp_node *node)
{
    if (!node->attr.statistics) return VKP_OK;
    return vkp_norm_statistics(p, &node->out[VKP_CONV_Y], vkp_conv_pictures(node),
                               &node->out[VKP_CONV_STATS]);
}

/* Both factors of a product are rounded to 11 bits. */
#define VKP_CONV_F16(label, function, proof)                                                          \
    {.name = label, .meant_for = vkp_for_gpu, .fits = function##_fits, .record = function,            \
     .tolerance = 0x1p-10, .on_proof = (proof)}
static const vkp_variant forward_variants[] = {
    VKP_CONV_F16("gemm_matrix", vkp_conv2d_gemm_matrix_forward, true),
    VKP_CONV_F16("gemm_f16", vkp_conv2d_gemm_f16_forward, false),
    VKP_VARIANT("gemm", vkp_for_gpu, vkp_conv2d_gemm_forward),
    VKP_VARIANT("phases", vkp_for_cpu, vkp_conv2d_phases_forward),
    VKP_VARIANT("thin", vkp_for_cpu, vkp_conv2d_thin_forward),
    VKP_VARIANT("few", vkp_for_cpu, vkp_conv2d_few_forward),
    VKP_VARIANT("lanes", vkp_for_cpu, vkp_conv2d_lanes_forward),
    VKP_VARIANT("phases_storage", vkp_for_cpu, vkp_conv2d_phases_forward_storage),
    VKP_VARIANT("thin_storage", vkp_for_cpu, vkp_conv2d_thin_forward_storage),
    VKP_VARIANT("few_storage", vkp_for_cpu, vkp_conv2d_few_forward_storage),
    VKP_VARIANT("lanes_storage", vkp_for_cpu, vkp_conv2d_lanes_forward_storage),
    VKP_PLAIN("direct", vkp_conv2d_direct_forward),
};
static const vkp_variant input_grad_variants[] = {
    VKP_CONV_F16("gemm_matrix", vkp_conv2d_gemm_matrix_input_grad, true),
    VKP_CONV_F16("gemm_f16", vkp_conv2d_gemm_f16_input_grad, false),
    VKP_VARIANT("gemm", vkp_for_gpu, vkp_conv2d_gemm_input_grad),
    VKP_VARIANT("phases", vkp_for_cpu, vkp_conv2d_phases_input_grad),
    VKP_VARIANT("thin", vkp_for_cpu, vkp_conv2d_thin_input_grad),
    VKP_VARIANT("few", vkp_for_cpu, vkp_conv2d_few_input_grad),
    VKP_VARIANT("lanes", vkp_for_cpu, vkp_conv2d_lanes_input_grad),
    VKP_VARIANT("phases_storage", vkp_for_cpu, vkp_conv2d_phases_input_grad_storage),
    VKP_VARIANT("thin_storage", vkp_for_cpu, vkp_conv2d_thin_input_grad_storage),
    VKP_VARIANT("few_storage", vkp_for_cpu, vkp_conv2d_few_input_grad_storage),
    VKP_VARIANT("lanes_storage", vkp_for_cpu, vkp_conv2d_lanes_input_grad_storage),
    VKP_PLAIN("direct", vkp_conv2d_direct_input_grad),
};
static const vkp_variant weight_grad_variants[] = {
    VKP_CONV_F16("gemm_matrix", vkp_conv2d_gemm_matrix_weight_grad, true),
    VKP_CONV_F16("gemm_f16", vkp_conv2d_gemm_f16_weight_grad, false),
    VKP_VARIANT("gemm", vkp_for_gpu, vkp_conv2d_gemm_weight_grad),
    VKP_VARIANT("planes", vkp_for_cpu, vkp_conv2d_planes_weight_grad),
    VKP_VARIANT("lanes", vkp_for_cpu, vkp_conv2d_lanes_weight_grad),
    VKP_VARIANT("phases", vkp_for_cpu, vkp_conv2d_phases_weight_grad),
    VKP_VARIANT("planes_storage", vkp_for_cpu, vkp_conv2d_planes_weight_grad_storage),
    VKP_VARIANT("lanes_storage", vkp_for_cpu, vkp_conv2d_lanes_weight_grad_storage),
    VKP_VARIANT("phases_storage", vkp_for_cpu, vkp_conv2d_phases_weight_grad_storage),
    VKP_PLAIN("direct", vkp_conv2d_direct_weight_grad),
};
#define COUNT(list) (sizeof(list) / sizeof *(list))
#define VARIANTS(direction, input, name) \
    {"conv2d_" #name, direction, input, name##_variants, COUNT(name##_variants)}
enum { FORWARD, INPUT_GRAD, WEIGHT_GRAD };
static const vkp_variants variants[] = {
    [FORWARD] = VARIANTS(VKP_FORWARD, 0, forward),
    [INPUT_GRAD] = VARIANTS(VKP_BACKWARD, VKP_CONV_X, input_grad),
    [WEIGHT_GRAD] = VARIANTS(VKP_BACKWARD, VKP_CONV_WEIGHT, weight_grad),
};

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return vkp_variant_record(p, node, &variants[FORWARD]);
}

/* The gradients by what the activation takes. That of x comes last: it may lie where x was. */
static vkp_status linear_backward(vkp_program *p, const vkp_node *node)
{
    if (node->d_in[VKP_CONV_WEIGHT].buffer) VKP_TRY(vkp_variant_record(p, node, &variants[WEIGHT_GRAD]));
    if (node->d_in[VKP_CONV_BIAS].buffer)
        VKP_TRY(vkp_channel_sum(p, &node->d_out[VKP_CONV_Y], &node->d_in[VKP_CONV_BIAS],
                                node->add[VKP_CONV_BIAS]));
    if (node->d_in[VKP_CONV_X].buffer) VKP_TRY(vkp_variant_record(p, node, &variants[INPUT_GRAD]));
    return VKP_OK;
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (node->attr.activation == VKP_LINEAR) return linear_backward(p, node);
    const vkp_tensor *y = &node->out[VKP_CONV_Y], *dy = &node->d_out[VKP_CONV_Y];
    vkp_node linear = *node;
    VKP_TRY(vkp_tensor_new(p, y->shape, "gradient before the activation", &linear.d_out[VKP_CONV_Y]));
    VKP_TRY(vkp_activation_backward(p, &node->attr, y, dy, &linear.d_out[VKP_CONV_Y], false));
    return linear_backward(p, &linear);
}

/* Mean and biased variance of y, a group of pictures and channel after the other. */
static void reference_statistics(const vkp_node *node, const double *y, double *stats)
{
    const vkp_shape s = node->out[VKP_CONV_Y].shape;
    const size_t plane = (size_t)s.h * s.w;
    const uint32_t pictures = vkp_conv_pictures(node);
    const double elements = (double)pictures * (double)plane;
    for (uint32_t n = 0; n < s.n; n += pictures)
        for (uint32_t c = 0; c < s.c; c++) {
            double mean = 0, var = 0;
            for (uint32_t k = n; k < n + pictures; k++)
                for (size_t i = 0; i < plane; i++) mean += y[(k * (size_t)s.c + c) * plane + i] / elements;
            for (uint32_t k = n; k < n + pictures; k++)
                for (size_t i = 0; i < plane; i++) {
                    const double d = y[(k * (size_t)s.c + c) * plane + i] - mean;
                    var += d * d / elements;
                }
            *stats++ = mean;
            *stats++ = var;
        }
}

/* Adds the products of one row of one channel of y; in an order that keeps its row near. */
static void reference_row(const vkp_node *node, const double *x, const double *weight, int oy, double *row)
{
    const vkp_shape from = node->in[VKP_CONV_X].shape;
    const int k = (int)node->attr.kernel, s = (int)node->attr.stride, pad = (int)node->attr.padding;
    const int up = (int)vkp_conv_upsample(node), width = (int)node->out[VKP_CONV_Y].shape.w;
    for (uint32_t c = 0; c < from.c; c++)
        for (int ky = 0; ky < k; ky++) {
            const int iy = oy * s + ky - pad;
            if (iy < 0 || iy >= (int)from.h * up) continue;
            const double *line = x + ((size_t)c * from.h + (size_t)(iy / up)) * from.w;
            for (int kx = 0; kx < k; kx++) {
                const double w = weight[((size_t)c * (size_t)k + (size_t)ky) * (size_t)k + (size_t)kx];
                for (int ox = 0; ox < width; ox++) {
                    const int ix = ox * s + kx - pad;
                    if (ix >= 0 && ix < (int)from.w * up) row[ox] += line[up == 1 ? ix : ix / up] * w;
                }
            }
        }
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[VKP_CONV_X].shape, y = node->out[VKP_CONV_Y].shape;
    const size_t picture = (size_t)x.c * x.h * x.w;
    const size_t weights = (size_t)x.c * node->attr.kernel * node->attr.kernel;
    double *row = out[VKP_CONV_Y];
    for (uint32_t n = 0; n < y.n; n++)
        for (uint32_t o = 0; o < y.c; o++)
            for (int oy = 0; oy < (int)y.h; oy++, row += y.w) {
                for (uint32_t i = 0; i < y.w; i++) row[i] = in[VKP_CONV_BIAS] ? in[VKP_CONV_BIAS][o] : 0;
                reference_row(node, in[VKP_CONV_X] + n * picture, in[VKP_CONV_WEIGHT] + o * weights, oy, row);
                for (uint32_t i = 0; i < y.w; i++) row[i] = vkp_activation_reference(&node->attr, row[i]);
            }
    if (node->attr.statistics) reference_statistics(node, out[VKP_CONV_Y], out[VKP_CONV_STATS]);
}

static double flop(const vkp_node *node, vkp_direction direction)
{
    const vkp_shape y = node->out[VKP_CONV_Y].shape;
    const double products = 2.0 * (double)vkp_shape_count(y) * node->in[VKP_CONV_X].shape.c *
                            node->attr.kernel * node->attr.kernel;
    if (direction == VKP_FORWARD) return products;
    return products * ((node->d_in[VKP_CONV_X].buffer != 0) + (node->d_in[VKP_CONV_WEIGHT].buffer != 0));
}

#define SAME(k) {.kernel = (k), .stride = 1, .padding = (k) / 2}
#define CONV(n, ci, h, w, co, k) {{n, ci, h, w}, {co, ci, k, k}, {1, co, 1, 1}}
#define UP(u) {.kernel = 3, .stride = 1, .padding = 1, .upsample = (u)}
#define ACTIVE(k, u, a) {.kernel = (k), .stride = 1, .padding = (k) / 2, .upsample = (u), .activation = (a), \
                         .slope = 0.2f}
#define STATS(k, u, n) {.kernel = (k), .stride = 1, .padding = (k) / 2, .upsample = (u), .statistics = true, \
                        .pictures = (n)}
static const vkp_case cases[] = {
    {.in = CONV(1, 1, 1, 1, 1, 1), .attr = SAME(1)},
    {.in = CONV(1, 1, 1, 1, 2, 3), .attr = SAME(3)},
    {.in = CONV(1, 2, 7, 5, 3, 3), .attr = SAME(3)},
    {.in = CONV(3, 1, 13, 11, 32, 5), .attr = SAME(5)},
    {.in = CONV(2, 64, 9, 17, 2, 5), .attr = SAME(5)},
    {.in = CONV(2, 3, 8, 20, 16, 5), .attr = SAME(5)},
    {.in = CONV(2, 37, 6, 10, 41, 3), .attr = SAME(3)},
    {.in = CONV(2, 256, 5, 5, 1, 1), .attr = SAME(1)},
    {.in = CONV(1, 16, 11, 22, 32, 3), .attr = SAME(3)},
    {.in = CONV(2, 19, 5, 37, 34, 3), .attr = SAME(3)},
    {.in = CONV(1, 70, 3, 6, 3, 1), .attr = SAME(1)},
    {.in = CONV(1, 4, 9, 33, 33, 3), .attr = SAME(3)},
    {.in = CONV(2, 2, 3, 41, 17, 5), .attr = SAME(5)},
    {.in = CONV(1, 1, 5, 131, 3, 5), .attr = SAME(5)}, /* few channels on either side */
    {.in = CONV(2, 3, 3, 66, 7, 5), .attr = SAME(5)},
    {.in = CONV(1, 2, 11, 70, 4, 3), .attr = SAME(3)},
    {.in = CONV(3, 4, 6, 30, 9, 5), .attr = SAME(5)},
    {.in = CONV(1, 3, 19, 3, 2, 5), .attr = SAME(5)},
    {.in = CONV(2, 4, 7, 65, 4, 1), .attr = SAME(1)},
    {.in = CONV(1, 6, 18, 9, 1, 3), .attr = SAME(3)},
    {.in = {{2, 3, 9, 8}, {4, 3, 3, 3}}, .attr = SAME(3)}, /* no bias */
    {.in = CONV(2, 3, 11, 13, 4, 3), .attr = {.kernel = 3, .stride = 2, .padding = 1}},
    {.in = CONV(1, 2, 9, 7, 3, 5), .attr = {.kernel = 5, .stride = 2, .padding = 2}},
    {.in = CONV(1, 2, 9, 7, 3, 3), .attr = {.kernel = 3, .stride = 1, .padding = 0}},
    {.in = CONV(1, 2, 5, 6, 3, 2), .attr = {.kernel = 2, .stride = 3, .padding = 1}},
    /* A tile of a matrix product in full, and one more of everything. */
    {.in = CONV(1, 8, 8, 16, 64, 3), .attr = SAME(3)},
    {.in = CONV(1, 9, 3, 43, 65, 3), .attr = SAME(3)},
    {.in = CONV(2, 10, 9, 14, 33, 3), .attr = {.kernel = 3, .stride = 2, .padding = 1}},
    {.in = CONV(1, 1, 1, 1, 1, 3), .attr = UP(2)},
    {.in = CONV(1, 1, 1, 1, 1, 3), .attr = UP(4)},
    {.in = CONV(2, 3, 5, 7, 4, 3), .attr = UP(2)},
    {.in = CONV(1, 33, 3, 5, 35, 3), .attr = UP(4)},
    {.in = CONV(2, 16, 6, 12, 32, 3), .attr = UP(4)},
    {.in = CONV(1, 32, 4, 9, 64, 3), .attr = UP(2)},
    {.in = CONV(2, 17, 3, 10, 9, 3), .attr = UP(2)},
    {.in = CONV(3, 5, 2, 17, 40, 3), .attr = UP(4)},
    {.in = CONV(1, 17, 5, 21, 9, 3), .attr = UP(2)},
    {.in = CONV(2, 9, 9, 17, 5, 3), .attr = UP(4)},
    {.in = CONV(1, 3, 4, 5, 2, 3), .attr = UP(3)},
    {.in = CONV(1, 2, 4, 5, 3, 5), .attr = {.kernel = 5, .stride = 1, .padding = 2, .upsample = 2}},
    {.in = CONV(2, 11, 7, 21, 19, 3), .attr = ACTIVE(3, 1, VKP_LEAKY_RELU)},
    {.in = CONV(1, 5, 6, 18, 33, 5), .attr = ACTIVE(5, 1, VKP_RELU)},
    {.in = CONV(2, 7, 9, 19, 2, 5), .attr = ACTIVE(5, 1, VKP_TANH)},
    {.in = CONV(1, 6, 8, 13, 3, 3), .attr = ACTIVE(3, 1, VKP_LEAKY_RELU)},
    {.in = CONV(2, 9, 3, 10, 17, 3), .attr = ACTIVE(3, 2, VKP_LEAKY_RELU)},
    {.in = CONV(1, 6, 5, 7, 5, 3), .attr = ACTIVE(3, 4, VKP_RELU)},
    {.in = CONV(1, 3, 4, 5, 2, 3), .attr = ACTIVE(3, 3, VKP_TANH)},
    {.in = CONV(2, 3, 11, 13, 4, 3),
     .attr = {.kernel = 3, .stride = 2, .padding = 1, .activation = VKP_LEAKY_RELU, .slope = 0.2f}},
    {.in = CONV(2, 5, 7, 21, 19, 3), .attr = STATS(3, 1, 0)},
    {.in = CONV(4, 1, 33, 30, 33, 5), .attr = STATS(5, 1, 2)},
    {.in = CONV(1, 3, 1, 1, 2, 1), .attr = STATS(1, 1, 0)},
    {.in = CONV(3, 2, 5, 9, 3, 3), .attr = STATS(3, 1, 1)},
    {.in = CONV(4, 5, 3, 10, 9, 3), .attr = STATS(3, 2, 2)},
    {.in = CONV(1, 6, 5, 7, 11, 3), .attr = STATS(3, 4, 0)},
    {.in = CONV(2, 3, 11, 13, 4, 3),
     .attr = {.kernel = 3, .stride = 2, .padding = 1, .statistics = true, .pictures = 1}},
    /* Whole planes as tiles; rows as tiles and so many planes that an invocation sums each. */
    {.in = CONV(3, 19, 4, 4, 35, 3), .attr = SAME(3)},
    {.in = CONV(2, 9, 3, 6, 20, 5), .attr = SAME(5)},
    {.in = CONV(2, 1, 9, 4, 520, 3), .attr = SAME(3)},
    /* The networks' layers at 320x320, batch 4. */
    {.in = CONV(4, 1, 320, 320, 32, 5), .attr = SAME(5), .large = true},
    {.in = CONV(4, 32, 80, 80, 64, 3), .attr = SAME(3), .large = true},
    {.in = CONV(4, 64, 40, 40, 128, 3), .attr = SAME(3), .large = true},
    {.in = CONV(4, 128, 20, 20, 256, 3), .attr = SAME(3), .large = true},
    {.in = CONV(4, 256, 20, 20, 128, 3), .attr = UP(2), .large = true},
    {.in = CONV(4, 256, 40, 40, 64, 3), .attr = UP(2), .large = true},
    {.in = CONV(4, 128, 80, 80, 32, 3), .attr = UP(4), .large = true},
    {.in = CONV(4, 64, 320, 320, 2, 5), .attr = SAME(5), .large = true},
    {.in = CONV(4, 3, 320, 320, 16, 5), .attr = SAME(5), .large = true},
    {.in = CONV(4, 16, 80, 80, 32, 3), .attr = SAME(3), .large = true},
    {.in = CONV(4, 32, 80, 80, 32, 3), .attr = SAME(3), .large = true},
};

const vkp_op vkp_op_conv2d = {
    .name = "conv2d",
    .summary =
        "convolution with bias, any kernel, stride and padding; optionally of a nearest-upsampled input, "
        "and with an activation or the statistics that a norm needs",
    .in = {{"x", VKP_ACTIVATION}, {"weight", VKP_PARAMETER}, {"bias", VKP_PARAMETER}},
    .out = {{"y", VKP_ACTIVATION}, {"stats", VKP_STATE}},
    .pictures = VKP_PICTURES_APART,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .variants = variants,
    .variants_count = COUNT(variants),
    .reference = reference,
    .flop = flop,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
