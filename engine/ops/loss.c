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

vkp_status vkp_loss_sum(vkp_program *p, const vkp_loss *loss, float scale, const vkp_tensor *sum)
{
    const vkp_shape shape = {loss->a->shape.n, loss->a->shape.c, 1, vkp_walk_of(loss->a, EACH).groups};
    vkp_tensor partials;
    VKP_TRY(vkp_tensor_new_packed(p, shape, "partial sums", &partials));
    VKP_TRY(record(p, VKP_SHADER_loss_sum, loss, 1, &partials, loss->rect, false, loss->rect != NULL));
    if (sum->shape.n == 1)
        partials = vkp_tensor_packed(partials.buffer, (vkp_shape){1, shape.n, shape.c, shape.w});
    return vkp_sum_partials(p, &partials, scale, sum);
}

vkp_status vkp_loss_grad(vkp_program *p, const vkp_loss *loss, float scale, const vkp_tensor *d_loss,
                         const vkp_tensor *da, bool add)
{
    return record(p, VKP_SHADER_loss_grad, loss, scale, da, d_loss, true, add);
}

float vkp_loss_mean(const vkp_tensor *a) { return (float)(1 / (double)vkp_shape_count(a->shape)); }

vkp_status vkp_loss_shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape a = node->in[0].shape, b = node->in[1].shape;
    char at[48], bt[48];
    if (!vkp_shape_count(a))
        return vkp_fail(VKP_SHAPE, "%s of %s is not possible (a mean needs elements; check the sizes)",
                        node->op->name, vkp_shape_text(a, at));
    if (node->in[1].buffer && !vkp_shape_equal(a, b))
        return vkp_fail(VKP_SHAPE, "%s of %s and %s is not possible (the shapes must be the same; check the sizes)",
                        node->op->name, vkp_shape_text(a, at), vkp_shape_text(b, bt));
    out[0] = (vkp_shape){1, 1, 1, 1};
    return VKP_OK;
}
