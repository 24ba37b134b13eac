/* The 'same' convolution of stride 1, and its gradient by the input, where one side has so few channels that
 * lanes along them would idle or load more than they compute: lanes are pixels. shaders/conv2d_thin.glsl for
 * few output channels, shaders/conv2d_few.glsl for few input channels. */
#include "ops/conv2d_pack.h"

#define MOST_CHANNELS 4
/* Of a turn of the loop: they are unrolled, and the code has to stay in a processor's nearest cache. */
#define MOST_PRODUCTS 1200
/* Rows beyond which there is little more to gain from those that a lane's neighbours below read too. */
#define MOST_HIGH 8
#define QUADS 2

/* The kernel with tiles of `high` rows. */
static void add_kernel(uint32_t lanes, const vkp_conv_pass *pass, vkp_shader shader,
                       vkp_shader storage_shader, uint32_t channels, uint32_t high, vkp_conv_plan *plan)
{
    const vkp_shape to = pass->to.shape;
    const uint32_t taps = pass->kernel * pass->kernel, quads = to.w > 4 ? QUADS : 1;
    /* As many lanes side by side as the row has use for; the others stand below. */
    uint32_t across = lanes;
    while (across > 1 && across / 2 * 4 * quads >= to.w) across /= 2;
    vkp_conv_order_taps(&plan->order, pass->kernel, pass->input_grad);
    plan->kernel = (vkp_conv_kernel){
        .shader = shader,
        .storage_shader = storage_shader,
        .spec = {channels, quads, high, pass->kernel, pass->add, across},
        .spec_count = 6,
        .groups = {vkp_groups(to.w, across * 4 * quads), vkp_groups(to.h, lanes / across * high), 1},
        .flop = 2.0 * to.c * to.h * to.w * pass->from.shape.c * taps};
}

static bool thin_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    const vkp_shape to = pass->to.shape;
    if (pass->upsample != 1 || to.c > MOST_CHANNELS) return false;
    const uint32_t weights = pass->kernel * pass->kernel * to.c;
    uint32_t high = MOST_PRODUCTS / (4 * QUADS * weights);
    if (high > MOST_HIGH) high = MOST_HIGH;
    while (high > 1 && high / 2 >= to.h) high /= 2;
    plan->order.lanes = 1;
    plan->order.channels = plan->order.unit = to.c;
    plan->order.record = 4 * vkp_groups(weights, 4);
    add_kernel(lanes, pass, VKP_SHADER_conv2d_thin, VKP_SHADER_conv2d_thin_storage, to.c, high, plan);
    return true;
}

static bool few_method(uint32_t lanes, const vkp_conv_pass *pass, vkp_conv_plan *plan)
{
    const uint32_t from = pass->from.shape.c;
    if (pass->upsample != 1 || from > MOST_CHANNELS) return false;
    plan->order.lanes = plan->order.channels = plan->order.unit = 1;
    plan->order.record = 4 * vkp_groups(pass->kernel * pass->kernel, 4);
    /* One row: every output channel's store goes to another plane, and a CPU's caches take two rows there
     * worse than the weights fetched for one save (measured: a tenth more time). Moments of so small tiles
     * would cost as much as a pass over the result. */
    add_kernel(lanes, pass, VKP_SHADER_conv2d_few, VKP_SHADER_conv2d_few_storage, from, 1, plan);
    return true;
}

VKP_CONV_DEFINE(thin_forward, false, thin_method)
VKP_CONV_DEFINE(thin_input_grad, true, thin_method)
VKP_CONV_DEFINE(few_forward, false, few_method)
VKP_CONV_DEFINE(few_input_grad, true, few_method)
