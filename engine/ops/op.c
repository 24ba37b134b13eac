#include "ops/op.h"

#include <inttypes.h>
#include <stdio.h>

const vkp_op *const vkp_ops[] = {
#define VKP_OP(name) &vkp_op_##name,
#include "ops/ops.def"
#undef VKP_OP
};
const size_t vkp_op_count = sizeof vkp_ops / sizeof *vkp_ops;

uint32_t vkp_node_count(const vkp_node *node)
{
    uint32_t i = 0;
    while (i < VKP_MAX_OUT - 1 && !node->out[i].buffer) i++;
    return node->out[i].shape.n;
}

uint32_t vkp_node_unit(const vkp_node *node)
{
    const uint32_t all = vkp_node_count(node), group = node->attr.pictures;
    if (node->op->pictures == VKP_PICTURES_APART) return 1;
    return node->op->pictures == VKP_PICTURES_GROUPED && group ? group : all;
}

/* What of tensor t belongs to those pictures of the node. */
static vkp_tensor part(const vkp_tensor *t, vkp_role role, const vkp_node *node, uint32_t first,
                       uint32_t count)
{
    const uint32_t all = vkp_node_count(node), unit = vkp_node_unit(node), rows = t->shape.n;
    if (!t->buffer || role == VKP_PARAMETER) return *t;
    if (role != VKP_STATE || rows == all) return vkp_tensor_pictures(t, first, count);
    return rows == all / unit ? vkp_tensor_pictures(t, first / unit, count / unit) : *t;
}

vkp_node vkp_node_pictures(const vkp_node *node, uint32_t first, uint32_t count)
{
    vkp_node cut = *node;
    if (count == vkp_node_count(node)) return cut;
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        cut.in[i] = part(&node->in[i], node->op->in[i].role, node, first, count);
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++)
        cut.out[i] = part(&node->out[i], node->op->out[i].role, node, first, count);
    return cut;
}

const char *vkp_shape_text(vkp_shape s, char *text)
{
    snprintf(text, 48, "(%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ")", s.n, s.c, s.h, s.w);
    return text;
}
