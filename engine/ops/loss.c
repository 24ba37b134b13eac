#include "ops/loss.h"
#include "ops/reduce.h"
#include "ops/walk.h"

/* Quadruples for an invocation. */
#define EACH 16

/* Adds the dispatches of loss_sum or loss_grad, which bind alike: `result` has a picture for each of a's,
 * `fourth` one for each or, with `whole`, one number for all. NULL: nothing the shader reads. */
static vkp_status record(vkp_program *p, vkp_shader shader, const vkp_loss *loss, float scale,
                         const vkp_tensor *result, const vkp_tensor *fourth, bool whole, bool flag)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *a = loss->a, *b = loss->b ? loss->b : a;
    const vkp_walk walk = vkp_walk_of(a, EACH);
    const uint32_t chunk = vkp_walk_pictures(device, (const vkp_tensor *const[]){a, b, result}, 3);
    for (uint32_t n = 0; n < a->shape.n; n += chunk) {
        const uint32_t count = chunk < a->shape.n - n ? chunk : a->shape.n - n;
        const vkp_tensor as = vkp_tensor_pictures(a, n, count), bs = vkp_tensor_pictures(b, n, count);
        const vkp_tensor results = vkp_tensor_pictures(result, n, count);
        const vkp_tensor fourths = !fourth ? as : whole ? *fourth : vkp_tensor_pictures(fourth, n, count);
        vkp_dispatch d = {.shader = shader,
                          .groups = {walk.groups, a->shape.c, count},
                          .spec = {loss->kind, vkp_has_padding(a) || loss->rect, flag},
                          .spec_count = 3};
        vkp_bind(device, &d, &results, VKP_READ_WRITE);
        vkp_bind(device, &d, &as, VKP_READ);
        vkp_bind(device, &d, &bs, VKP_READ);
        vkp_bind(device, &d, &fourths, VKP_READ);
        vkp_push_walk(&d, a, walk);
        vkp_push_float(&d, loss->target);
        vkp_push_float(&d, scale);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status partial_sums(vkp_program *p, const vkp_loss *loss, vkp_tensor *partials)
{
    const vkp_shape a = loss->a->shape;
    const vkp_shape shape = {a.n, a.c, 1, vkp_walk_of(loss->a, EACH).groups};
    VKP_TRY(vkp_tensor_new_packed(p, shape, "partial sums", partials));
    return record(p, VKP_SHADER_loss_sum, loss, 1, partials, loss->rect, false, loss->rect != NULL);
}

static float mean_scale(const vkp_loss *loss) { return (float)(1 / (double)vkp_shape_count(loss->a->shape)); }

vkp_status vkp_loss_sums(vkp_program *p, const vkp_loss *loss, const vkp_tensor *sum)
{
    vkp_tensor partials;
    VKP_TRY(partial_sums(p, loss, &partials));
    return vkp_sum_partials(p, &partials, 1, sum);
}

vkp_status vkp_loss_mean_forward(vkp_program *p, const vkp_node *node, const vkp_loss *loss)
{
    vkp_tensor partials;
    VKP_TRY(partial_sums(p, loss, &partials));
    /* The sums of all pictures as those of one. */
    const vkp_shape s = partials.shape, one = {1, s.n, s.c, s.w};
    partials = vkp_tensor_packed(partials.buffer, one);
    return vkp_sum_partials(p, &partials, mean_scale(loss), &node->out[0]);
}

vkp_status vkp_loss_mean_backward(vkp_program *p, const vkp_node *node, const vkp_loss *loss)
{
    if (!node->d_in[0].buffer) return VKP_OK;
    return record(p, VKP_SHADER_loss_grad, loss, mean_scale(loss), &node->d_in[0], &node->d_out[0], true,
                  node->add[0]);
}

vkp_status vkp_loss_mean_shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape a = node->in[0].shape, b = node->in[1].shape;
    char at[48], bt[48];
    if (!vkp_shape_count(a))
        return vkp_fail(VKP_SHAPE, "%s of %s is not possible (a mean needs elements; check the sizes)",
                        node->op->name, vkp_shape_text(a, at));
    if (node->in[1].buffer && !vkp_shape_equal(a, b))
        return vkp_fail(VKP_SHAPE, "%s of %s and %s is not possible (the shapes must be the same; check the "
                        "sizes)", node->op->name, vkp_shape_text(a, at), vkp_shape_text(b, bt));
    out[0] = (vkp_shape){1, 1, 1, 1};
    return VKP_OK;
}
