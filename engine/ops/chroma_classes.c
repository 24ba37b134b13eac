#include "ops/chroma_classes.h"

#include <math.h>

#include "ops/walk.h"

vkp_status vkp_chroma_classes_check(const vkp_node *node)
{
    const vkp_shape x = node->in[0].shape;
    const uint32_t k = node->attr.kernel;
    char text[48];
    if (k < 2 || k > 64 || x.c != k * k || !vkp_shape_count(x))
        return vkp_fail(VKP_SHAPE, "%s of %s with %u x %u classes is not possible (wanted a channel a class, "
                        "of 2 x 2 to 64 x 64, and pixels; check the sizes)", node->op->name,
                        vkp_shape_text(x, text), k, k);
    if (!(node->attr.scale > 0) || !isfinite(node->attr.scale))
        return vkp_fail(VKP_SHAPE, "%s over chroma of up to %g is not possible (no range; take a number "
                        "above 0)", node->op->name, (double)node->attr.scale);
    return VKP_OK;
}

uint32_t vkp_class_pass_groups(const vkp_tensor *logits) { return vkp_walk_of(logits, 1).groups; }

vkp_status vkp_class_pass_record(vkp_program *p, const vkp_node *node, const vkp_class_pass *pass)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *logits = &node->in[0];
    const vkp_walk walk = vkp_walk_of(logits, 1);
    const vkp_tensor *const cut[] = {logits, pass->result, pass->target};
    const uint32_t chunk = vkp_walk_pictures(device, cut, 3);
    for (uint32_t n = 0; n < logits->shape.n; n += chunk) {
        const uint32_t count = chunk < logits->shape.n - n ? chunk : logits->shape.n - n;
        const vkp_tensor part = vkp_tensor_pictures(logits, n, count);
        const vkp_tensor result = vkp_tensor_pictures(pass->result, n, count);
        const bool texels = vkp_texels_fit(device, &part, 4);
        vkp_dispatch d = {.shader = texels ? pass->texel_shader : pass->shader,
                          .groups = {walk.groups, 1, count},
                          .spec = {node->attr.kernel, pass->weighted, pass->add},
                          .spec_count = 3};
        vkp_bind(device, &d, &result, pass->add ? VKP_READ_WRITE : VKP_WRITE);
        vkp_bind_quads(device, &d, &part, VKP_READ, texels);
        if (pass->target) {
            const vkp_tensor target = vkp_tensor_pictures(pass->target, n, count);
            vkp_bind(device, &d, &target, VKP_READ);
        }
        if (pass->weights) vkp_bind(device, &d, pass->weights, VKP_READ);
        vkp_push_walk(&d, logits, walk);
        vkp_push_float(&d, node->attr.scale);
        vkp_push_float(&d, pass->factor);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

double vkp_chroma_node(const vkp_attr *attr, uint32_t j)
{
    return (double)attr->scale * (2.0 * j / (attr->kernel - 1) - 1);
}
