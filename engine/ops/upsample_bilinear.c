/* upsample_bilinear: factor times as many rows and columns, interpolated between pixel centres
 * (torch.nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)). For whole factors up to
 * MOST_FACTOR, at the speed of memory in both directions; `resample` takes any sizes by tables, and its
 * gradient costs the output's sides squared: it is for pictures, once a step, not for activations. */
#include "ops/moves.h"
#include "ops/op.h"

#include <math.h>

#define MOST_FACTOR 8u
#define HIGH 8u /* rows of the smaller tensor that an invocation goes down */

enum { X, Y = 0 };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    const uint32_t f = node->attr.factor;
    const uint64_t h = (uint64_t)x.h * f, w = (uint64_t)x.w * f;
    char text[48];
    if (!h || !w || f > MOST_FACTOR || h > INT32_MAX || w > INT32_MAX)
        return vkp_fail(VKP_SHAPE, "upsample_bilinear of %s by %u is not possible (empty, too large or a "
                        "factor beyond %u; check the sizes, or take resample)",
                        vkp_shape_text(x, text), f, MOST_FACTOR);
    out[Y] = (vkp_shape){x.n, x.c, (uint32_t)h, (uint32_t)w};
    return VKP_OK;
}

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Adds the dispatches of either direction; `small` is the tensor that the strips lie in. */
static vkp_status record(vkp_program *p, const vkp_shader shaders[2], const vkp_node *node,
                         const vkp_tensor *from, const vkp_tensor *to, const vkp_tensor *small, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t most = least(vkp_pictures_per_binding(device, (const vkp_tensor *const[]){from, to}, 2),
                                device->info.limits.group_count[1]);
    const uint32_t items = small->shape.c * vkp_groups(small->shape.h, HIGH) * (small->pitch / 4);
    for (uint32_t n = 0; n < from->shape.n; n += most) {
        const uint32_t count = least(most, from->shape.n - n);
        const vkp_tensor source = vkp_tensor_pictures(from, n, count);
        const vkp_tensor target = vkp_tensor_pictures(to, n, count);
        const bool texels = vkp_texels_fit(device, &source, 4);
        vkp_dispatch d = {.shader = shaders[texels],
                          .groups = {vkp_flat_groups(device, items, 1), count, 1},
                          .spec = {node->attr.factor, HIGH, add},
                          .spec_count = 3};
        vkp_bind_quads(device, &d, &target, add ? VKP_READ_WRITE : VKP_WRITE, false);
        vkp_bind_quads(device, &d, &source, VKP_READ, texels);
        vkp_push(&d, small->shape.h);
        vkp_push(&d, small->shape.w);
        vkp_push(&d, items);
        vkp_push(&d, d.groups[0] * 64);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    static const vkp_shader shaders[] = {VKP_SHADER_upsample_bilinear_forward,
                                         VKP_SHADER_upsample_bilinear_forward_texel};
    return record(p, shaders, node, &node->in[X], &node->out[Y], &node->in[X], false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    static const vkp_shader shaders[] = {VKP_SHADER_upsample_bilinear_input_grad,
                                         VKP_SHADER_upsample_bilinear_input_grad_texel};
    if (!node->d_in[X].buffer) return VKP_OK;
    return record(p, shaders, node, &node->d_out[Y], &node->d_in[X], &node->d_in[X], node->add[X]);
}

/* Where output k of an axis of n pixels looks: pixels i0 and i1, and the second's weight. */
static double look(uint32_t k, uint32_t factor, uint32_t n, uint32_t *i0, uint32_t *i1)
{
    const double place = fmax((k + 0.5) / factor - 0.5, 0);
    *i0 = (uint32_t)place;
    *i1 = *i0 + 1 < n ? *i0 + 1 : *i0;
    return place - *i0;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape, y = node->out[Y].shape;
    double *result = out[Y];
    for (size_t plane = 0; plane < (size_t)x.n * x.c; plane++)
        for (uint32_t oy = 0; oy < y.h; oy++)
            for (uint32_t ox = 0; ox < y.w; ox++) {
                uint32_t top, bottom, left, right;
                const double down = look(oy, node->attr.factor, x.h, &top, &bottom);
                const double along = look(ox, node->attr.factor, x.w, &left, &right);
                const double *above = in[X] + (plane * x.h + top) * x.w;
                const double *below = in[X] + (plane * x.h + bottom) * x.w;
                *result++ = (1 - down) * ((1 - along) * above[left] + along * above[right]) +
                            down * ((1 - along) * below[left] + along * below[right]);
            }
}

#define BY(f) .attr = {.factor = (f)}
static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, BY(2)},
    {.in = {{1, 1, 1, 4}}, BY(2)},
    {.in = {{1, 2, 4, 1}}, BY(2)},
    {.in = {{2, 3, 7, 5}}, BY(2)},
    {.in = {{1, 17, 8, 8}}, BY(2)},
    {.in = {{3, 2, 13, 41}}, BY(2)},
    {.in = {{2, 5, 9, 6}}, BY(2)},
    {.in = {{1, 3, 33, 35}}, BY(2)},
    {.in = {{1, 1, 260, 510}}, BY(2)}, /* its gradient is more than a texel buffer must hold */
    {.in = {{2, 3, 5, 7}}, BY(1)},
    {.in = {{1, 1, 1, 1}}, BY(3)},
    {.in = {{2, 3, 6, 5}}, BY(3)},
    {.in = {{1, 2, 5, 13}}, BY(4)},
    {.in = {{1, 2, 4, 3}}, BY(5)},
    {.in = {{1, 2, 5, 9}}, BY(8)},
    {.in = {{16, 2, 64, 64}}, BY(2), .large = true},
    {.in = {{16, 64, 64, 64}}, BY(2), .large = true},
};

const vkp_op vkp_op_upsample_bilinear = {
    .name = "upsample_bilinear",
    .summary = "bilinear upsampling by a whole factor",
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
