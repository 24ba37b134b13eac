#include "ops/reduce.h"

vkp_status vkp_sum_partials(vkp_program *p, const vkp_tensor *partials, float scale, const vkp_tensor *sum)
{
    const vkp_device *device = vkp_program_device(p);
    vkp_dispatch d = {.shader = VKP_SHADER_sum_partials, .groups = {partials->shape.n, 1, 1}};
    vkp_bind(device, &d, sum, VKP_WRITE);
    vkp_bind(device, &d, partials, VKP_READ);
    vkp_push(&d, (uint32_t)(partials->shape.c * vkp_plane(partials)));
    vkp_push_float(&d, scale);
    return vkp_program_dispatch(p, &d);
}
