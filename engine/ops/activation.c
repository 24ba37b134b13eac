/* activation: ReLU, LeakyReLU or tanh alone (torch.nn.ReLU, LeakyReLU, Tanh). The gradient is found from
 * y, so that x need not outlive the forward pass; y may be x's memory. Attributes: activation, slope. */
#include <math.h>
#include <string.h>

#include "ops/activation.h"
#include "ops/walk.h"

enum { X, Y = 0 };

#define EACH 16 /* quadruples of floats for an invocation */

void vkp_activation_spec(vkp_dispatch *d, const vkp_attr *attr)
{
    d->spec[d->spec_count++] = attr->activation;
    memcpy(&d->spec[d->spec_count++], &attr->slope, sizeof attr->slope);
}

vkp_status vkp_activation_check(const vkp_attr *attr, const char *what)
{
    if (attr->activation == VKP_LEAKY_RELU && !(attr->slope >= 0))
        return vkp_fail(VKP_SHAPE, "%s cannot be LeakyReLU of slope %g (its gradient is found from its "
                        "result's sign; use 0 or more)", what, (double)attr->slope);
    return VKP_OK;
}

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    VKP_TRY(vkp_activation_check(&node->attr, "activation"));
    out[Y] = node->in[X].shape;
    return VKP_OK;
}

static const vkp_shader shaders[2][2] = {
    [VKP_FORWARD] = {VKP_SHADER_activation_forward, VKP_SHADER_activation_forward_texel},
    [VKP_BACKWARD] = {VKP_SHADER_activation_backward, VKP_SHADER_activation_backward_texel},
};

/* Writes `result` from x (or y) and, in the backward direction, dy. */
static vkp_status record(vkp_program *p, const vkp_attr *attr, const vkp_tensor *result, const vkp_tensor *x,
                         const vkp_tensor *dy, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_walk walk = vkp_walk_of(x, EACH);
    const uint32_t chunk = vkp_walk_pictures(device, (const vkp_tensor *const[]){x, result, dy}, 3);
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const uint32_t count = chunk < x->shape.n - n ? chunk : x->shape.n - n;
        const vkp_tensor results = vkp_tensor_pictures(result, n, count);
        const vkp_tensor xs = vkp_tensor_pictures(x, n, count);
        const vkp_tensor dys = vkp_tensor_pictures(dy ? dy : x, n, count);
        const bool texels = vkp_texels_fit(device, &xs, 4) && vkp_texels_fit(device, &dys, 4);
        vkp_dispatch d = {.shader = shaders[dy != NULL][texels], .groups = {walk.groups, x->shape.c, count}};
        vkp_activation_spec(&d, attr);
        d.spec[d.spec_count++] = add;
        vkp_bind_quads(device, &d, &results, add ? VKP_READ_WRITE : VKP_WRITE, false);
        vkp_bind_quads(device, &d, &xs, VKP_READ, texels);
        if (dy) vkp_bind_quads(device, &d, &dys, VKP_READ, texels);
        vkp_push_walk(&d, x, walk);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return record(p, &node->attr, &node->out[Y], &node->in[X], NULL, false);
}

vkp_status vkp_activation_backward(vkp_program *p, const vkp_attr *attr, const vkp_tensor *y,
                                   const vkp_tensor *dy, const vkp_tensor *dx, bool add)
{
    return record(p, attr, dx, y, dy, add);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[X].buffer) return VKP_OK;
    return vkp_activation_backward(p, &node->attr, &node->out[Y], &node->d_out[Y], &node->d_in[X],
                                   node->add[X]);
}

double vkp_activation_reference(const vkp_attr *attr, double x)
{
    switch (attr->activation) {
    case VKP_LINEAR: break;
    case VKP_RELU: return x > 0 ? x : 0;
    case VKP_LEAKY_RELU: return x > 0 ? x : x * (double)attr->slope;
    case VKP_TANH: return tanh(x);
    }
    return x;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const uint64_t count = vkp_shape_count(node->in[X].shape);
    for (uint64_t i = 0; i < count; i++) out[Y][i] = vkp_activation_reference(&node->attr, in[X][i]);
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
    {.in = {{2, 1, 260, 510}}, .attr = {LEAKY}}, /* more than a texel buffer must hold */
    {.in = {{4, 2, 320, 320}}, .attr = {.activation = VKP_TANH}, .large = true},
};

const vkp_op vkp_op_activation = {
    .name = "activation",
    .summary = "ReLU, LeakyReLU or tanh alone",
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
