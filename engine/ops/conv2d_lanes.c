/* The 'same' convolution of stride 1, and its gradient by the input, with a subgroup's lanes along the output
 * channels: shaders/conv2d_lanes.glsl. */
#include "ops/conv2d_pack.h"

/* Sums that a lane may keep in registers while it goes through the input channels. */
#define MOST_SUMS 128

static double cost(const vkp_conv_pass *pass, uint32_t lanes, vkp_conv_tile t)
{
    const uint32_t kernel = pass->kernel, pad = kernel / 2;
    const uint32_t sums = t.wide * t.high * t.channels, rows = t.high + 2 * pad;
    if (sums > MOST_SUMS) return 0;
    const uint32_t fetches = vkp_groups(rows * (t.wide / 4 + (pad ? 2 : 0)), lanes);
    return vkp_conv_cost(lanes, sums * kernel * kernel, rows * (t.wide + 2 * pad),
                         fetches + vkp_groups(kernel * kernel * t.channels, 4), sums);
}

static bool lanes_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    if (pass->upsample != 1) return false;
    const vkp_shape to = pass->to.shape;
    const vkp_conv_tile tile = vkp_conv_choose_tile(pass, lanes, to.h, to.w, cost);
    const uint32_t taps = pass->kernel * pass->kernel;
    plan->moments = true;
    plan->order.channels = tile.channels;
    plan->order.unit = 4;
    plan->order.record = 4 * lanes * vkp_groups(taps * tile.channels, 4);
    vkp_conv_order_taps(&plan->order, pass->kernel, pass->input_grad);
    plan->kernel = (vkp_conv_kernel){
        .shader = VKP_SHADER_conv2d_lanes,
        .storage_shader = VKP_SHADER_conv2d_lanes_storage,
        .spec = {tile.channels, tile.wide, tile.high, pass->kernel, pass->add},
        .spec_count = 5,
        .groups = {vkp_groups(to.w, tile.wide), vkp_groups(to.h, tile.high),
                   vkp_groups(to.c, lanes * tile.channels)},
        .flop = 2.0 * to.c * to.h * to.w * pass->from.shape.c * taps};
    return true;
}

VKP_CONV_DEFINE(lanes_forward, false, lanes_method)
VKP_CONV_DEFINE(lanes_input_grad, true, lanes_method)
