/* global_avg_pool: the mean of each plane (torch.nn.AdaptiveAvgPool2d(1)). x (n,c,h,w) to y (n,c,1,1). */
#include "ops/op.h"
#include "ops/plane_sums.h"
#include "ops/walk.h"

enum { X, Y = 0 };

#define EACH 8 /* quadruples for an invocation */

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    char text[48];
    if (!vkp_shape_count(x))
        return vkp_fail(VKP_SHAPE, "global_avg_pool of %s is not possible (a mean needs elements; check the "
                        "sizes)", vkp_shape_text(x, text));
    out[Y] = (vkp_shape){x.n, x.c, 1, 1};
    return VKP_OK;
}

static float share(const vkp_node *node)
{
    return (float)(1 / ((double)node->in[X].shape.h * node->in[X].shape.w));
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return vkp_plane_sums(p, &node->in[X], NULL, share(node), &node->out[Y], NULL, false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_tensor *dx = &node->d_in[X], *dy = &node->d_out[Y];
    if (!dx->buffer) return VKP_OK;
    const vkp_device *device = vkp_program_device(p);
    const vkp_walk walk = vkp_walk_of(dx, EACH);
    const uint32_t chunk = vkp_walk_pictures(device, (const vkp_tensor *const[]){dx, dy}, 2);
    for (uint32_t n = 0; n < dx->shape.n; n += chunk) {
        const uint32_t count = chunk < dx->shape.n - n ? chunk : dx->shape.n - n;
        const vkp_tensor dxs = vkp_tensor_pictures(dx, n, count), dys = vkp_tensor_pictures(dy, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_plane_fill, .groups = {walk.groups, dx->shape.c, count},
                          .spec = {vkp_has_padding(dx), node->add[X]}, .spec_count = 2};
        vkp_bind_quads(device, &d, &dxs, node->add[X] ? VKP_READ_WRITE : VKP_WRITE, false);
        vkp_bind(device, &d, &dys, VKP_READ);
        vkp_push_walk(&d, dx, walk);
        vkp_push_float(&d, share(node));
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    const uint64_t plane = (uint64_t)x.h * x.w;
    for (uint64_t k = 0; k < (uint64_t)x.n * x.c; k++) {
        double sum = 0;
        for (uint64_t i = 0; i < plane; i++) sum += in[X][k * plane + i];
        out[Y][k] = sum / (double)plane;
    }
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}},
    {.in = {{2, 5, 1, 1}}},
    {.in = {{2, 67, 3, 7}}},
    {.in = {{3, 6, 16, 16}}},
    {.in = {{2, 3, 17, 19}}},
    {.in = {{1, 130, 31, 33}}, .low = 0, .high = 1},
    {.in = {{2, 3, 65, 67}}},
    {.in = {{1, 2, 253, 511}}, .low = 0, .high = 1},
    {.in = {{2, 1, 260, 510}}}, /* more than a texel buffer must hold */
    {.in = {{16, 192, 8, 8}}, .large = true},
};

const vkp_op vkp_op_global_avg_pool = {
    .name = "global_avg_pool",
    .summary = "mean of each plane",
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
