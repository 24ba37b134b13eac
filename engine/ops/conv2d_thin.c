/* The 'same' convolution of stride 1, and its gradient by the input, for so few output channels that lanes
 * along them would idle: shaders/conv2d_thin.glsl. */
#include "ops/conv2d_pack.h"

#define MOST_CHANNELS 4
#define MOST_SUMS 128
#define MOST_HIGH 8

static bool thin_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    const vkp_shape to = pass->to.shape;
    if (pass->upsample != 1 || to.c > MOST_CHANNELS) return false;
    const uint32_t taps = pass->kernel * pass->kernel, quads = to.w > 4 ? 2 : 1;
    uint32_t high = MOST_SUMS / (4 * quads * to.c);
    if (high > MOST_HIGH) high = MOST_HIGH;
    while (high > 1 && high / 2 >= to.h) high /= 2;
    /* As many lanes side by side as the row has use for; the others stand below. */
    uint32_t across = lanes;
    while (across > 1 && across / 2 * 4 * quads >= to.w) across /= 2;
    plan->order.lanes = 1;
    plan->order.channels = plan->order.unit = to.c;
    plan->order.record = 4 * vkp_groups(taps * to.c, 4);
    vkp_conv_order_taps(&plan->order, pass->kernel, pass->input_grad);
    plan->kernels[plan->kernel_count++] = (vkp_conv_kernel){
        .shader = VKP_SHADER_conv2d_thin,
        .storage_shader = VKP_SHADER_conv2d_thin_storage,
        .spec = {to.c, quads, high, pass->kernel, pass->add, across},
        .spec_count = 6,
        .groups = {vkp_groups(to.w, across * 4 * quads), vkp_groups(to.h, lanes / across * high), 1},
        .flop = 2.0 * to.c * to.h * to.w * pass->from.shape.c * taps};
    return true;
}

VKP_CONV_DEFINE(thin_forward, false, thin_method)
VKP_CONV_DEFINE(thin_input_grad, true, thin_method)
