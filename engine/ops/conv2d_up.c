/* Nearest upsampling and a 3x3 'same' convolution, and its gradient by the input, by phases:
 * shaders/conv2d_forward_phases.glsl and conv2d_input_grad_phases.glsl say how. */
#include "ops/conv2d_pack.h"

#define MOST_SUMS 128

static uint32_t classes(const vkp_conv_pass *pass) { return pass->upsample == 2 ? 2 : 3; }

/* Summed taps: first class (pixel before, this pixel), middle class (this), last class (this, pixel after).
 * The gradient meets them from the last class of the pixel before to the first class of the pixel after. */
static void order_taps(vkp_conv_order *order, const vkp_conv_pass *pass)
{
    static const uint32_t first[] = {0, 1, 0, 0, 2}, last[] = {0, 2, 2, 1, 2};
    order->first = order->last = 0;
    order->taps = classes(pass) + 2;
    for (uint32_t i = 0; i < order->taps; i++) {
        uint32_t tap = classes(pass) == 2 && i >= 2 ? i + 1 : i;
        if (pass->input_grad && (i == 0 || i == order->taps - 1)) tap = 4 - tap;
        order->first |= first[tap] << 4 * i;
        order->last |= last[tap] << 4 * i;
    }
}

static void order_weights(vkp_conv_order *order, const vkp_conv_pass *pass, uint32_t lanes, uint32_t channels)
{
    order_taps(order, pass);
    const uint32_t quads = vkp_groups(order->taps * channels, 4);
    order->channels = channels;
    order->unit = 4;
    order->row_taps = quads * 4 / channels;
    order->record = order->taps * quads * 4 * lanes;
}

/* Of one kernel: the first and last rows have two rows of taps, those in the middle one. */
static double rows_cost(const vkp_conv_pass *pass, uint32_t lanes, vkp_conv_tile t, uint32_t tap_rows)
{
    const uint32_t taps = classes(pass) + 2, pixels = t.wide * t.high, rows = t.high + tap_rows - 1;
    const uint32_t fetches = vkp_groups(rows * (t.wide / 4 + 2), lanes) +
                             tap_rows * vkp_groups(taps * t.channels, 4);
    return vkp_conv_cost(lanes, tap_rows * taps * pixels * t.channels, rows * (t.wide + 2), fetches,
                         pixels * classes(pass) * t.channels);
}

static double forward_cost(const vkp_conv_pass *pass, uint32_t lanes, vkp_conv_tile t)
{
    if (t.wide * t.high * classes(pass) * t.channels > 2 * MOST_SUMS) return 0;
    return 2 * rows_cost(pass, lanes, t, 2) + (classes(pass) == 2 ? 0 : rows_cost(pass, lanes, t, 1));
}

static bool forward_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    if (pass->upsample < 2 || pass->kernel != 3) return false;
    const vkp_shape from = pass->from.shape;
    const uint32_t taps = classes(pass) + 2, blocks_of = pass->to.shape.c;
    const vkp_conv_tile tile = vkp_conv_choose_tile(pass, lanes, from.h, from.w, forward_cost);
    order_weights(&plan->order, pass, lanes, tile.channels);
    const uint32_t blocks = vkp_groups(blocks_of, lanes * tile.channels);
    const double flop = 2.0 * blocks_of * from.h * from.w * from.c * taps;
    for (uint32_t middle = 0; middle < classes(pass) - 1; middle++)
        plan->kernels[plan->kernel_count++] = (vkp_conv_kernel){
            .shader = VKP_SHADER_conv2d_forward_phases,
            .storage_shader = VKP_SHADER_conv2d_forward_phases_storage,
            .spec = {tile.channels, tile.wide, tile.high, pass->upsample, middle},
            .spec_count = 5,
            .groups = {vkp_groups(from.w, tile.wide), vkp_groups(from.h, tile.high),
                       middle ? blocks : 2 * blocks},
            .flop = middle ? flop : 4 * flop};
    return true;
}

static double input_grad_cost(const vkp_conv_pass *pass, uint32_t lanes, vkp_conv_tile t)
{
    const uint32_t count = classes(pass), taps = count + 2, pixels = t.wide * t.high;
    if (pixels * t.channels > MOST_SUMS) return 0;
    const uint32_t across = t.wide * pass->upsample / 4 + 2, rows = t.high * pass->upsample + 2;
    /* The gradients are large and read but once: every row of a tile is a fresh start for the cache, as
     * dear as about 100 instructions. */
    const uint32_t fetches = vkp_groups(rows * across, lanes) + taps * vkp_groups(taps * t.channels, 4);
    return 100 * rows + vkp_conv_cost(lanes, taps * taps * pixels * t.channels,
                                      (count * t.high + 2) * (count * t.wide + 2), fetches,
                                      pixels * t.channels);
}

static bool input_grad_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    if ((pass->upsample != 2 && pass->upsample != 4) || pass->kernel != 3) return false;
    const vkp_shape to = pass->to.shape;
    const vkp_conv_tile tile = vkp_conv_choose_tile(pass, lanes, to.h, to.w, input_grad_cost);
    order_weights(&plan->order, pass, lanes, tile.channels);
    const uint32_t taps = plan->order.taps;
    plan->kernels[plan->kernel_count++] = (vkp_conv_kernel){
        .shader = VKP_SHADER_conv2d_input_grad_phases,
        .storage_shader = VKP_SHADER_conv2d_input_grad_phases_storage,
        .spec = {tile.channels, tile.wide, tile.high, pass->upsample, pass->add},
        .spec_count = 5,
        .groups = {vkp_groups(to.w, tile.wide), vkp_groups(to.h, tile.high),
                   vkp_groups(to.c, lanes * tile.channels)},
        .flop = 2.0 * to.c * to.h * to.w * pass->from.shape.c * taps * taps};
    return true;
}

VKP_CONV_DEFINE(phases_forward, false, forward_method)
VKP_CONV_DEFINE(phases_input_grad, true, input_grad_method)
