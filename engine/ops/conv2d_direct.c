#include "ops/activation.h"
#include "ops/conv2d.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Pictures one dispatch may take: by the bindings, and by the groups of its third dimension. */
static uint32_t pictures(const vkp_program *p, const vkp_tensor *a, const vkp_tensor *b, uint32_t channels)
{
    const vkp_device *d = vkp_program_device(p);
    const uint32_t by_binding = vkp_pictures_per_binding(d, (const vkp_tensor *const[]){a, b}, 2);
    const uint32_t by_groups = channels ? d->info.limits.group_count[2] / channels : by_binding;
    return least(least(by_binding, by_groups), a->shape.n);
}

static void specialize(vkp_dispatch *d, const vkp_node *node, bool last)
{
    const uint32_t spec[] = {node->attr.kernel, node->attr.stride, node->attr.padding,
                             vkp_conv_upsample(node), last};
    for (uint32_t i = 0; i < 5; i++) d->spec[d->spec_count++] = spec[i];
}

static void push_shapes(vkp_dispatch *d, vkp_shape x, vkp_shape y)
{
    const uint32_t words[] = {x.c, x.h, x.w, y.c, y.h, y.w};
    for (uint32_t i = 0; i < 6; i++) vkp_push(d, words[i]);
}

static double flop(const vkp_node *node, uint32_t pictures_done)
{
    const vkp_shape y = node->out[VKP_CONV_Y].shape;
    return 2.0 * pictures_done * y.c * y.h * y.w * node->in[VKP_CONV_X].shape.c * node->attr.kernel *
           node->attr.kernel;
}

vkp_status vkp_conv2d_direct_forward(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[VKP_CONV_X], *y = &node->out[VKP_CONV_Y];
    const bool bias = node->in[VKP_CONV_BIAS].buffer != 0;
    const uint32_t chunk = pictures(p, x, y, y->shape.c);
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = least(chunk, x->shape.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count), ys = vkp_tensor_pictures(y, n, count);
        vkp_dispatch d = {
            .shader = VKP_SHADER_conv2d_forward_direct,
            .flop = flop(node, count),
            .groups = {vkp_groups(y->shape.w, 32), vkp_groups(y->shape.h, 8), y->shape.c * count}};
        specialize(&d, node, bias);
        vkp_activation_spec(&d, &node->attr);
        vkp_bind(device, &d, &ys, VKP_WRITE);
        vkp_bind(device, &d, &xs, VKP_READ);
        vkp_bind(device, &d, &node->in[VKP_CONV_WEIGHT], VKP_READ);
        /* Without a bias the shader reads none; the weights keep its binding valid. */
        vkp_bind(device, &d, &node->in[bias ? VKP_CONV_BIAS : VKP_CONV_WEIGHT], VKP_READ);
        push_shapes(&d, x->shape, y->shape);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return vkp_conv_statistics(p, node);
}

vkp_status vkp_conv2d_direct_input_grad(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *dx = &node->d_in[VKP_CONV_X], *dy = &node->d_out[VKP_CONV_Y];
    const uint32_t chunk = pictures(p, dx, dy, dx->shape.c);
    for (uint32_t n = 0; n < dx->shape.n; n += chunk) {
        const uint32_t count = least(chunk, dx->shape.n - n);
        const vkp_tensor dxs = vkp_tensor_pictures(dx, n, count), dys = vkp_tensor_pictures(dy, n, count);
        vkp_dispatch d = {
            .shader = VKP_SHADER_conv2d_input_grad_direct,
            .flop = flop(node, count),
            .groups = {vkp_groups(dx->shape.w, 32), vkp_groups(dx->shape.h, 8), dx->shape.c * count}};
        specialize(&d, node, node->add[VKP_CONV_X]);
        vkp_bind(device, &d, &dxs, VKP_READ_WRITE);
        vkp_bind(device, &d, &dys, VKP_READ);
        vkp_bind(device, &d, &node->in[VKP_CONV_WEIGHT], VKP_READ);
        push_shapes(&d, dx->shape, dy->shape);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

vkp_status vkp_conv2d_direct_weight_grad(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *x = &node->in[VKP_CONV_X], *dy = &node->d_out[VKP_CONV_Y];
    const uint32_t chunk = pictures(p, x, dy, 0), taps = node->attr.kernel * node->attr.kernel;
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = least(chunk, x->shape.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count), dys = vkp_tensor_pictures(dy, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_conv2d_weight_grad_direct, .flop = flop(node, count),
                          .groups = {taps, x->shape.c, dy->shape.c}};
        specialize(&d, node, node->add[VKP_CONV_WEIGHT] || n > 0);
        vkp_bind(device, &d, &node->d_in[VKP_CONV_WEIGHT], VKP_READ_WRITE);
        vkp_bind(device, &d, &xs, VKP_READ);
        vkp_bind(device, &d, &dys, VKP_READ);
        vkp_push(&d, count);
        push_shapes(&d, x->shape, dy->shape);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}
