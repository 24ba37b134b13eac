/* adam: one step of torch.optim.Adam (Kingma and Ba 2015; PyTorch 1.13's order of operations), or of
 * torch.optim.AdamW with its decoupled weight decay (Loshchilov and Hutter 2019), for all parameters at once:
 *   p = p - lr decay p                      (not at all where decay is 0)
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 * m and v lie interleaved in one tensor: a shader may bind 4 storage buffers on any device, and a run of
 * elements is one range of it. For the same reason the alarm is a word of hyper. */
#include "ops/adam.h"

#include <math.h>

#include "base/random.h"
#include "ops/moves.h"
#include "ops/op.h"

void vkp_adam_hyper(double lr, double beta1, double beta2, double eps, double decay, uint64_t step,
                    float hyper[VKP_ADAM_HYPER])
{
    const double t = (double)step;
    const double values[VKP_ADAM_HYPER] = {lr / (1 - pow(beta1, t)), sqrt(1 - pow(beta2, t)), beta1, beta2,
                                           eps, 1 - beta1, 1 - beta2, lr * decay, 0};
    for (int i = 0; i < VKP_ADAM_HYPER; i++) hyper[i] = (float)values[i];
}

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape p = node->in[VKP_ADAM_P].shape, g = node->in[VKP_ADAM_G].shape;
    const vkp_shape state = node->in[VKP_ADAM_STATE].shape;
    char pt[48], gt[48], st[48];
    if (p.n != 1 || p.c != 1 || p.h != 1 || !p.w || !vkp_shape_equal(p, g) ||
        !vkp_shape_equal(state, (vkp_shape){1, 1, p.w, 2}) ||
        vkp_shape_count(node->in[VKP_ADAM_HYPER_IN].shape) != VKP_ADAM_HYPER)
        return vkp_fail(VKP_SHAPE, "adam of %s with gradient %s and state %s is not possible (wanted "
                        "(1,1,1,count) twice and (1,1,count,2); check the sizes)", vkp_shape_text(p, pt),
                        vkp_shape_text(g, gt), vkp_shape_text(state, st));
    out[VKP_ADAM_P_OUT] = p;
    out[VKP_ADAM_STATE_OUT] = state;
    out[VKP_ADAM_HYPER_OUT] = node->in[VKP_ADAM_HYPER_IN].shape;
    return VKP_OK;
}

static vkp_status copy_unless_same(vkp_program *program, const vkp_tensor *from, const vkp_tensor *to)
{
    if (from->buffer == to->buffer && from->offset == to->offset) return VKP_OK;
    return vkp_copy(program, from, to, false);
}

static vkp_status forward(vkp_program *program, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(program);
    const uint32_t all = node->in[VKP_ADAM_P].shape.w, run = vkp_flat_run(device, 2 * sizeof(float));
    const vkp_tensor *hyper = &node->out[VKP_ADAM_HYPER_OUT];
    VKP_TRY(copy_unless_same(program, &node->in[VKP_ADAM_HYPER_IN], hyper));
    for (uint64_t start = 0; start < all; start += run) {
        const uint32_t count = all - start < run ? (uint32_t)(all - start) : run;
        const vkp_tensor p_in = vkp_flat_part(&node->in[VKP_ADAM_P], start, count);
        const vkp_tensor g = vkp_flat_part(&node->in[VKP_ADAM_G], start, count);
        const vkp_tensor state_in = vkp_flat_part(&node->in[VKP_ADAM_STATE], 2 * start, 2 * count);
        const vkp_tensor p = vkp_flat_part(&node->out[VKP_ADAM_P_OUT], start, count);
        const vkp_tensor state = vkp_flat_part(&node->out[VKP_ADAM_STATE_OUT], 2 * start, 2 * count);
        VKP_TRY(copy_unless_same(program, &p_in, &p));
        VKP_TRY(copy_unless_same(program, &state_in, &state));
        const bool aligned = p.offset % 4 == 0 && g.offset % 4 == 0 && state.offset % 4 == 0;
        vkp_dispatch d = {.shader = VKP_SHADER_adam,
                          .groups = {vkp_flat_groups(device, ((uint64_t)count + 3) / 4, 2), 1, 1}};
        vkp_bind(device, &d, &p, VKP_READ_WRITE);
        vkp_bind(device, &d, &g, VKP_READ);
        vkp_bind(device, &d, &state, VKP_READ_WRITE);
        vkp_bind(device, &d, hyper, VKP_READ_WRITE);
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
    const double *p = in[VKP_ADAM_P], *g = in[VKP_ADAM_G];
    const double *state = in[VKP_ADAM_STATE], *hyper = in[VKP_ADAM_HYPER_IN];
    for (uint32_t i = 0; i < node->in[VKP_ADAM_P].shape.w; i++) {
        const double m = hyper[2] * state[2 * i] + hyper[5] * g[i];
        const double v = hyper[3] * state[2 * i + 1] + hyper[6] * g[i] * g[i];
        out[VKP_ADAM_P_OUT][i] = p[i] - hyper[7] * p[i] - hyper[0] * m / (sqrt(v) / hyper[1] + hyper[4]);
        out[VKP_ADAM_STATE_OUT][2 * i] = m;
        out[VKP_ADAM_STATE_OUT][2 * i + 1] = v;
    }
    for (int i = 0; i < VKP_ADAM_HYPER; i++) out[VKP_ADAM_HYPER_OUT][i] = hyper[i];
}

/* attr.mode is the step: the first begins with an empty state, later ones with m of both signs and v >= 0.
 * attr.scale is the decay. */
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    if (i == VKP_ADAM_HYPER_IN)
        vkp_adam_hyper(0.01, 0.5, 0.999, 1e-8, (double)node->attr.scale, node->attr.mode, values);
    if (i == VKP_ADAM_STATE)
        for (uint32_t k = 0; k < node->in[VKP_ADAM_STATE].shape.h && node->attr.mode > 1; k++) {
            values[2 * k] = 2 * vkp_random_float(1, VKP_RANDOM_TEST, 2 * k) - 1;
            values[2 * k + 1] = vkp_random_float(1, VKP_RANDOM_TEST, 2 * k + 1);
        }
    return i == VKP_ADAM_HYPER_IN || i == VKP_ADAM_STATE;
}

#define ADAM(count) {{1, 1, 1, count}, {1, 1, 1, count}, {1, 1, count, 2}, {1, 1, 1, VKP_ADAM_HYPER}}
static const vkp_case cases[] = {
    {.in = ADAM(1), .attr = {.mode = 1}},
    {.in = ADAM(7), .attr = {.mode = 3}},
    {.in = ADAM(1000), .attr = {.mode = 1}},
    {.in = ADAM(4099), .attr = {.mode = 2000}},
    {.in = ADAM(4099), .attr = {.mode = 5}, .low = -1e-3f, .high = 1e-3f},
    {.in = ADAM(100003), .attr = {.mode = 2}},
    {.in = ADAM(7), .attr = {.mode = 1, .scale = 5}},
    {.in = ADAM(4099), .attr = {.mode = 3, .scale = 0.3f}},
    {.in = ADAM(2000000), .attr = {.mode = 2}, .large = true},
};

const vkp_op vkp_op_adam = {
    .name = "adam",
    .summary = "the Adam optimizer's step for all parameters at once, with decoupled weight decay if wanted",
    .in = {{"p", VKP_STATE}, {"g", VKP_STATE}, {"state", VKP_STATE}, {"hyper", VKP_STATE}},
    .out = {{"p", VKP_STATE}, {"state", VKP_STATE}, {"hyper", VKP_STATE}},
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
