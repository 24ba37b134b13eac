#include "ops/op.h"

#include <inttypes.h>
#include <stdio.h>

const vkp_op *const vkp_ops[] = {
#define VKP_OP(name) &vkp_op_##name,
#include "ops/ops.def"
#undef VKP_OP
};
const size_t vkp_op_count = sizeof vkp_ops / sizeof *vkp_ops;

const char *vkp_shape_text(vkp_shape s, char *text)
{
    snprintf(text, 48, "(%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ")", s.n, s.c, s.h, s.w);
    return text;
}
