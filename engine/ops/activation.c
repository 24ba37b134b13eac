/* activation: ReLU, LeakyReLU or tanh alone (torch.nn.ReLU, LeakyReLU, Tanh). The gradient is found from
 * y, so that x need not outlive the forward pass; y may be x's memory. Attributes: activation, slope. */
#include <math.h>
#include <string.h>

#include "ops/op.h"

enum { X, Y = 0 };

#define PIECE 512 /* quadruples of floats a workgroup handles at least */

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    if (node->attr.activation == VKP_LEAKY_RELU && !(node->attr.slope >= 0))
        return vkp_fail(VKP_SHAPE, "LeakyReLU cannot have the slope %g (its gradient is found from the sign of its result; "
                        "use 0 or more)", (double)node->attr.slope);
    out[Y] = node->in[X].shape;
    return VKP_OK;
}

/* One dispatch that sweeps tensors of one shape: count of them, the first written. */
typedef struct sweep {
    vkp_shader shader;
    const vkp_tensor *tensors[3];
    uint32_t count;
    bool add;
} sweep;

static vkp_status record(vkp_program *p, const vkp_node *node, const sweep *s)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_shape x = s->tensors[0]->shape;
    uint32_t chunk = vkp_pictures_per_binding(device, s->tensors, s->count), slope;
    if (chunk > device->info.limits.group_count[1]) chunk = device->info.limits.group_count[1];
    if (chunk > x.n) chunk = x.n;
    const uint32_t quads = (uint32_t)(x.c * vkp_plane(s->tensors[0]) / 4);
    uint32_t piece = PIECE;
    while (vkp_groups(quads, piece) > device->info.limits.group_count[0]) piece *= 2;
    memcpy(&slope, &node->attr.slope, sizeof slope);
    for (uint32_t n = 0; n < x.n; n += chunk) {
        const uint32_t count = chunk < x.n - n ? chunk : x.n - n;
        vkp_dispatch d = {.shader = s->shader, .groups = {vkp_groups(quads, piece), count, 1},
                          .spec = {node->attr.activation, slope, s->add}, .spec_count = 3};
        for (uint32_t i = 0; i < s->count; i++) {
            const vkp_tensor part = vkp_tensor_pictures(s->tensors[i], n, count);
            vkp_bind(device, &d, &part, i ? VKP_READ : VKP_READ_WRITE);
        }
        vkp_push(&d, quads);
        vkp_push(&d, piece);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return record(p, node, &(sweep){VKP_SHADER_activation_forward, {&node->out[Y], &node->in[X]}, 2, false});
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[X].buffer) return VKP_OK;
    return record(p, node, &(sweep){VKP_SHADER_activation_backward, {&node->d_in[X], &node->out[Y], &node->d_out[Y]}, 3,
                                    node->add[X]});
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN], double *const out[VKP_MAX_OUT])
{
    const uint64_t count = vkp_shape_count(node->in[X].shape);
    for (uint64_t i = 0; i < count; i++) {
        const double x = in[X][i];
        switch (node->attr.activation) {
        case VKP_LINEAR: out[Y][i] = x; break;
        case VKP_RELU: out[Y][i] = x > 0 ? x : 0; break;
        case VKP_LEAKY_RELU: out[Y][i] = x > 0 ? x : x * (double)node->attr.slope; break;
        case VKP_TANH: out[Y][i] = tanh(x); break;
        }
    }
}

#define LEAKY .activation = VKP_LEAKY_RELU, .slope = 0.2f
static const vkp_case cases[] = {
    {.in = {{1, 1, 1, 1}}, .attr = {.activation = VKP_TANH}},
    {.in = {{2, 2, 7, 5}}, .attr = {.activation = VKP_TANH}, .low = -4, .high = 4},
    {.in = {{2, 3, 13, 11}}, .attr = {.activation = VKP_TANH}, .low = -0.01, .high = 0.01},
    {.in = {{1, 1, 3, 6}}, .attr = {.activation = VKP_TANH}, .low = -200, .high = 200},
    {.in = {{2, 2, 40, 33}}, .attr = {.activation = VKP_RELU}},
    {.in = {{3, 67, 2, 3}}, .attr = {LEAKY}},
    {.in = {{1, 3, 5, 9}}, .attr = {.activation = VKP_LINEAR}},
    {.in = {{4, 2, 320, 320}}, .attr = {.activation = VKP_TANH}, .large = true},
};

const vkp_op vkp_op_activation = {
    .name = "activation",
    .summary = "ReLU, LeakyReLU or tanh alone",
    .in = {{"x", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
