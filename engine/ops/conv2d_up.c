/* Nearest upsampling and a 3x3 'same' convolution, and its gradient by the input, with nine products for a
 * pixel of the input and a pair of channels: shaders/conv2d_forward_phases.glsl and conv2d_phase_steps.glsl
 * say which. */
#include "ops/conv2d_pack.h"

/* Products of a turn of forward's loop: a sum takes part in few of them, which makes for long code, and that
 * has to stay in a processor's instruction cache. */
#define MOST_PRODUCTS 576
/* Quadruples of pixels of a tile of the gradient, times channels of a lane. */
#define GRADIENT_TILE 32u

/* Along each axis the kernel's first weight, the sum of all, the last. */
static void order_weights(vkp_conv_order *order, uint32_t lanes, uint32_t channels)
{
    order->channels = channels;
    order->unit = 4;
    order->taps = order->row_taps = 3;
    order->record = 4 * lanes * vkp_groups(9 * channels, 4);
    order->first = 0x200;
    order->last = 0x220;
}

/* Input channels that forward takes a turn: two, so that a sum is taken up half as often. */
static uint32_t forward_step(const vkp_conv_pass *pass) { return pass->from.shape.c % 2 ? 1 : 2; }

static double forward_cost(const vkp_conv_pass *pass, uint32_t lanes, vkp_conv_tile t)
{
    const uint32_t step = forward_step(pass), pixels = t.wide * t.high, sums = 9 * pixels * t.channels;
    if (step * sums > MOST_PRODUCTS) return 0;
    const uint32_t fetches = vkp_groups(step * (t.high + 2) * (t.wide / 4 + 2), lanes) +
                             step * vkp_groups(9 * t.channels, 4);
    /* Values spread, their differences along columns, then along rows, each put down for later. */
    const uint32_t values = (t.high + 2) * (t.wide + 2) + (t.high + 1) * (t.wide + 2) +
                            (2 * t.high + 1) * (t.wide + 1);
    const double taken_up = 9.0 * pixels / 2;
    return vkp_conv_cost(lanes, step * sums, step * (values + taken_up), fetches, sums) / step;
}

static bool forward_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    if (pass->upsample < 2 || pass->kernel != 3) return false;
    const vkp_shape from = pass->from.shape;
    const uint32_t to = pass->to.shape.c;
    const vkp_conv_tile tile = vkp_conv_choose_tile(pass, lanes, from.h, from.w, forward_cost);
    order_weights(&plan->order, lanes, tile.channels);
    plan->moments = true;
    plan->kernel = (vkp_conv_kernel){
        .shader = VKP_SHADER_conv2d_forward_phases,
        .storage_shader = VKP_SHADER_conv2d_forward_phases_storage,
        .spec = {tile.channels, tile.wide, tile.high, pass->upsample, forward_step(pass)},
        .spec_count = 5,
        .groups = {vkp_groups(from.w, tile.wide), vkp_groups(from.h, tile.high),
                   vkp_groups(to, lanes * tile.channels)},
        .flop = 2.0 * to * from.h * from.w * from.c * 9};
    return true;
}

/* Makes the factors beside the weights. */
static vkp_status prepare_steps(vkp_program *program, const vkp_conv_pass *pass, bool storage,
                                const vkp_tensor *steps)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_shape to = pass->to.shape;
    const uint32_t wide = vkp_pitch(to.w) / 4, channels = pass->from.shape.c;
    vkp_dispatch d = {
        .shader = storage ? VKP_SHADER_conv2d_phase_steps : VKP_SHADER_conv2d_phase_steps_texel,
        .groups = {vkp_groups((uint64_t)channels * to.h * wide, 64), 1, pass->from.shape.n},
        .spec = {pass->upsample, steps->shape.w / (9 * 4)},
        .spec_count = 2};
    vkp_bind_quads(device, &d, steps, VKP_WRITE, false);
    vkp_bind_quads(device, &d, &pass->from, VKP_READ, !storage);
    const uint32_t words[] = {channels, to.h, wide, to.w};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vkp_push(&d, words[i]);
    return vkp_program_dispatch(program, &d);
}

static bool input_grad_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    if (pass->upsample < 2 || pass->upsample > 4 || pass->kernel != 3) return false;
    const vkp_shape to = pass->to.shape;
    const uint32_t from = pass->from.shape.c, quads = to.h * vkp_pitch(to.w) / 4;
    uint32_t channels = 1;
    while (channels < 4 && lanes * channels < to.c) channels *= 2;
    const uint32_t tile = quads < GRADIENT_TILE / channels ? quads : GRADIENT_TILE / channels;
    const uint32_t tiles = vkp_groups(quads, tile);
    order_weights(&plan->order, lanes, channels);
    plan->prepare = prepare_steps;
    plan->prepared = (vkp_shape){1, tiles, from, tile * 9 * 4};
    plan->kernel = (vkp_conv_kernel){
        .shader = VKP_SHADER_conv2d_input_grad_phases,
        .storage_shader = VKP_SHADER_conv2d_input_grad_phases_storage,
        .spec = {channels, tile, pass->add},
        .spec_count = 3,
        .groups = {tiles, 1, vkp_groups(to.c, lanes * channels)},
        .flop = 2.0 * to.c * to.h * to.w * from * 9};
    return true;
}

VKP_CONV_DEFINE(phases_forward, false, forward_method)
VKP_CONV_DEFINE(phases_input_grad, true, input_grad_method)
