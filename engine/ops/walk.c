#include "ops/walk.h"

#define LANES 64u
/* Enough to fill any device, and below the 65535 that every device allows. */
#define MOST_GROUPS 16384u

vkp_walk vkp_walk_of(const vkp_tensor *t, uint32_t each) { return vkp_walk_of_tiles(t, 1, each); }

vkp_walk vkp_walk_of_tiles(const vkp_tensor *t, uint32_t side, uint32_t each)
{
    const uint32_t row = vkp_groups(t->pitch / 4, side);
    const uint64_t count = (uint64_t)row * vkp_groups(t->shape.h, side);
    while (count > (uint64_t)MOST_GROUPS * LANES * each) each *= 2;
    return (vkp_walk){
        .each = each, .groups = vkp_groups(count, LANES * each), .row = row, .count = (uint32_t)count};
}

vkp_tensor vkp_walk_one_plane(const vkp_tensor *t)
{
    vkp_tensor one = *t;
    one.shape.c = 1;
    one.shape.h = t->shape.c * t->shape.h;
    return one;
}

void vkp_push_walk(vkp_dispatch *d, const vkp_tensor *t, vkp_walk walk)
{
    vkp_push(d, t->shape.w);
    vkp_push(d, walk.row);
    vkp_push(d, walk.count);
    vkp_push(d, walk.each);
}

uint32_t vkp_walk_pictures(const vkp_device *device, const vkp_tensor *const *tensors, size_t count)
{
    uint32_t fit = vkp_pictures_per_binding(device, tensors, count);
    if (fit > device->info.limits.group_count[2]) fit = device->info.limits.group_count[2];
    return fit < tensors[0]->shape.n ? fit : tensors[0]->shape.n;
}
