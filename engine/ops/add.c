/* add: y = activation(a + b), the end of a residual block (He et al., Deep residual learning for image
 * recognition, 2015). The gradient is found from y, and goes to a and b in one pass. Attributes: activation,
 * slope. */
#include "ops/activation.h"
#include "ops/walk.h"

enum { A, B, Y = 0 };

#define EACH 8 /* quadruples of floats for an invocation */

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape a = node->in[A].shape, b = node->in[B].shape;
    char at[48], bt[48];
    if (!vkp_shape_equal(a, b))
        return vkp_fail(VKP_SHAPE, "add of %s and %s is not possible (the shapes must be the same; check the "
                        "sizes)", vkp_shape_text(a, at), vkp_shape_text(b, bt));
    VKP_TRY(vkp_activation_check(&node->attr, "add"));
    out[Y] = a;
    return VKP_OK;
}

/* A pass over tensors of one shape, bound in this order: the first `written` are made, the others read. */
typedef struct sweep {
    vkp_shader shader, texel_shader;
    const vkp_tensor *tensors[4];
    uint32_t count, written;
    bool add[2]; /* to what those that are made hold */
} sweep;

static vkp_status record_run(vkp_program *p, const vkp_attr *attr, const sweep *pass, const vkp_tensor *parts,
                             vkp_walk walk)
{
    const vkp_device *device = vkp_program_device(p);
    bool texels = true;
    for (uint32_t i = pass->written; i < pass->count; i++)
        texels = texels && vkp_texels_fit(device, &parts[i], 4);
    vkp_dispatch d = {.shader = texels ? pass->texel_shader : pass->shader,
                      .groups = {walk.groups, 1, parts[0].shape.n}};
    vkp_activation_spec(&d, attr);
    for (uint32_t i = 0; i < pass->written; i++) d.spec[d.spec_count++] = pass->add[i];
    for (uint32_t i = 0; i < pass->count; i++) {
        if (i < pass->written)
            vkp_bind_quads(device, &d, &parts[i], pass->add[i] ? VKP_READ_WRITE : VKP_WRITE, false);
        else
            vkp_bind_quads(device, &d, &parts[i], VKP_READ, texels);
    }
    vkp_push_walk(&d, &parts[0], walk);
    return vkp_program_dispatch(p, &d);
}

static vkp_status record(vkp_program *p, const vkp_attr *attr, const sweep *pass)
{
    const vkp_tensor first = vkp_walk_one_plane(pass->tensors[0]);
    const vkp_walk walk = vkp_walk_of(&first, EACH);
    const uint32_t all = first.shape.n;
    const uint32_t chunk = vkp_walk_pictures(vkp_program_device(p), pass->tensors, pass->count);
    for (uint32_t n = 0; n < all; n += chunk) {
        vkp_tensor parts[4];
        for (uint32_t i = 0; i < pass->count; i++) {
            parts[i] = vkp_walk_one_plane(pass->tensors[i]);
            parts[i] = vkp_tensor_pictures(&parts[i], n, all - n < chunk ? all - n : chunk);
        }
        VKP_TRY(record_run(p, attr, pass, parts, walk));
    }
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    const sweep pass = {.shader = VKP_SHADER_add_forward, .texel_shader = VKP_SHADER_add_forward_texel,
                       .tensors = {&node->out[Y], &node->in[A], &node->in[B]}, .count = 3, .written = 1};
    return record(p, &node->attr, &pass);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_tensor *da = &node->d_in[A], *db = &node->d_in[B], *dy = &node->d_out[Y];
    /* Without an activation y tells nothing, and need not live until now. */
    const vkp_tensor *y = node->attr.activation == VKP_LINEAR ? dy : &node->out[Y];
    if (da->buffer && db->buffer && da->buffer != db->buffer) {
        const sweep pass = {.shader = VKP_SHADER_add_backward, .texel_shader = VKP_SHADER_add_backward_texel,
                           .tensors = {da, db, y, dy}, .count = 4, .written = 2,
                           .add = {node->add[A], node->add[B]}};
        return record(p, &node->attr, &pass);
    }
    /* One alone, or both in one memory (a tensor added to itself), where the second adds to the first. */
    for (uint32_t i = A; i <= B; i++)
        if (node->d_in[i].buffer)
            VKP_TRY(vkp_activation_backward(p, &node->attr, y, dy, &node->d_in[i], node->add[i]));
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const uint64_t count = vkp_shape_count(node->in[A].shape);
    for (uint64_t i = 0; i < count; i++)
        out[Y][i] = vkp_activation_reference(&node->attr, in[A][i] + in[B][i]);
}

#define LEAKY .activation = VKP_LEAKY_RELU, .slope = 0.2f
#define ADD(n, c, h, w, ...) {.in = {{n, c, h, w}, {n, c, h, w}}, .attr = {__VA_ARGS__}}
static const vkp_case cases[] = {
    ADD(1, 1, 1, 1, .activation = VKP_LINEAR),
    ADD(2, 5, 1, 1, .activation = VKP_RELU),
    ADD(2, 3, 7, 5, .activation = VKP_LINEAR),
    ADD(3, 2, 5, 9, .activation = VKP_RELU),
    ADD(2, 67, 3, 2, LEAKY),
    ADD(1, 3, 13, 11, .activation = VKP_TANH),
    ADD(2, 6, 40, 33, .activation = VKP_RELU),
    ADD(2, 1, 260, 510, LEAKY), /* more than a texel buffer must hold */
    {.in = {{16, 192, 8, 8}, {16, 192, 8, 8}}, .attr = {.activation = VKP_RELU}, .large = true},
};

const vkp_op vkp_op_add = {
    .name = "add",
    .summary = "sum of two tensors, optionally with an activation: the end of a residual block",
    .in = {{"a", VKP_ACTIVATION}, {"b", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}},
    .pictures = VKP_PICTURES_APART,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
