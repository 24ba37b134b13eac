#include "ops/walk.h"

#define LANES 64u
/* Enough to fill any device, and below the 65535 that every device allows. */
#define MOST_GROUPS 16384u

vkp_walk vkp_walk_of(const vkp_tensor *t, uint32_t each)
{
    const uint64_t quadruples = vkp_plane(t) / 4;
    while (quadruples > (uint64_t)MOST_GROUPS * LANES * each) each *= 2;
    return (vkp_walk){.each = each, .groups = vkp_groups(quadruples, LANES * each)};
}

void vkp_push_walk(vkp_dispatch *d, const vkp_tensor *t, vkp_walk walk)
{
    vkp_push(d, t->shape.w);
    vkp_push(d, t->pitch / 4);
    vkp_push(d, (uint32_t)(vkp_plane(t) / 4));
    vkp_push(d, walk.each);
}

uint32_t vkp_walk_pictures(const vkp_device *device, const vkp_tensor *const *tensors, size_t count)
{
    uint32_t fit = vkp_pictures_per_binding(device, tensors, count);
    if (fit > device->info.limits.group_count[2]) fit = device->info.limits.group_count[2];
    return fit < tensors[0]->shape.n ? fit : tensors[0]->shape.n;
}
