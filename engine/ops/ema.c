/* ema: a step of an exponential moving average of parameters (Polyak and Juditsky 1992), all at once:
 * average = average + (1 - decay) * (p - average), which is torch.lerp(average, p, 1 - decay). */
#include "ops/ema.h"

#include "ops/moves.h"
#include "ops/op.h"

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape average = node->in[VKP_EMA_AVERAGE].shape, p = node->in[VKP_EMA_P].shape;
    char at[48], pt[48];
    if (p.n != 1 || p.c != 1 || p.h != 1 || !p.w || !vkp_shape_equal(p, average) ||
        vkp_shape_count(node->in[VKP_EMA_REST].shape) != 1)
        return vkp_fail(VKP_SHAPE, "ema %s of %s is not possible (wanted (1,1,1,count) twice and one number; "
                        "check the sizes)", vkp_shape_text(average, at), vkp_shape_text(p, pt));
    out[VKP_EMA_AVERAGE_OUT] = average;
    return VKP_OK;
}

static vkp_status forward(vkp_program *program, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(program);
    const uint32_t all = node->in[VKP_EMA_P].shape.w, run = vkp_flat_run(device, sizeof(float));
    for (uint64_t start = 0; start < all; start += run) {
        const uint32_t count = all - start < run ? (uint32_t)(all - start) : run;
        const vkp_tensor next = vkp_flat_part(&node->out[VKP_EMA_AVERAGE_OUT], start, count);
        const vkp_tensor average = vkp_flat_part(&node->in[VKP_EMA_AVERAGE], start, count);
        const vkp_tensor p = vkp_flat_part(&node->in[VKP_EMA_P], start, count);
        const bool aligned = next.offset % 4 == 0 && average.offset % 4 == 0 && p.offset % 4 == 0;
        vkp_dispatch d = {.shader = VKP_SHADER_ema,
                          .groups = {vkp_flat_groups(device, ((uint64_t)count + 3) / 4, 4), 1, 1}};
        vkp_bind(device, &d, &next, VKP_WRITE);
        vkp_bind(device, &d, &average, VKP_READ);
        vkp_bind(device, &d, &p, VKP_READ);
        vkp_bind(device, &d, &node->in[VKP_EMA_REST], VKP_READ);
        vkp_push(&d, aligned ? count / 4 : 0);
        vkp_push(&d, count);
        vkp_push(&d, d.groups[0] * 64);
        VKP_TRY(vkp_program_dispatch(program, &d));
    }
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const double *average = in[VKP_EMA_AVERAGE], *p = in[VKP_EMA_P], rest = in[VKP_EMA_REST][0];
    for (uint32_t i = 0; i < node->in[VKP_EMA_P].shape.w; i++)
        out[VKP_EMA_AVERAGE_OUT][i] = (1 - rest) * average[i] + rest * p[i];
}

#define EMA(count) .in = {{1, 1, 1, count}, {1, 1, 1, count}, {1, 1, 1, 1}}
static const vkp_case cases[] = {
    {EMA(1)},
    {EMA(7)},
    {EMA(1000)},
    {EMA(4099)},
    {EMA(4099), .low = -1e-3f, .high = 1e-3f},
    {EMA(100003)},
    {EMA(2000000), .large = true},
};

const vkp_op vkp_op_ema = {
    .name = "ema",
    .summary = "a step of the exponential moving average of all parameters at once, in place if wanted",
    .in = {{"average", VKP_STATE}, {"p", VKP_STATE}, {"rest", VKP_STATE, 0.001f, 1}},
    .out = {{"average", VKP_STATE}},
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
