#include "ops/sum.h"

/* Planes up to this size are summed by one invocation each; larger ones, up to the second, where there are
 * so many of them that the device stays full without a group for each. */
#define ALONE_QUADS 8
#define ALONE_QUADS_OF_MANY 256

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

vkp_status vkp_parts_new(vkp_program *p, uint32_t parts, uint64_t count, vkp_tensor *out)
{
    return vkp_tensor_new(p, (vkp_shape){parts, 1, 1, (uint32_t)count}, "partial sums", out);
}

vkp_status vkp_sum_parts(vkp_program *p, const vkp_tensor *parts, const vkp_tensor *sum, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    vkp_dispatch d = {.shader = VKP_SHADER_sum_parts,
                      .groups = {vkp_groups(parts->shape.w, 4 * 64), 1, 1},
                      .spec = {add},
                      .spec_count = 1};
    vkp_bind(device, &d, sum, VKP_READ_WRITE);
    vkp_bind_quads(device, &d, parts, VKP_READ, false);
    vkp_push(&d, parts->shape.n);
    vkp_push(&d, parts->shape.w);
    return vkp_program_dispatch(p, &d);
}

/* Slices of a plane: of some thousand quads each, and enough in all to fill a device, but few enough for the
 * second stage, which adds them one by one. */
static uint32_t slices(vkp_shape x, uint64_t quads)
{
    const uint64_t by_size = (quads + 2047) / 2048, by_count = 1 + 1024 / ((uint64_t)x.c * x.n);
    return (uint32_t)(by_size < by_count ? by_size : by_count);
}

vkp_status vkp_channel_sum(vkp_program *p, const vkp_tensor *x, const vkp_tensor *sum, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_limits *l = &device->info.limits;
    const uint32_t chunk =
        least(least(vkp_pictures_per_binding(device, &x, 1), l->group_count[2]), x->shape.n);
    const uint64_t quads = vkp_plane(x) / 4;
    const bool many = (uint64_t)x->shape.n * x->shape.c >= 4 * (uint64_t)l->at_once;
    const bool alone = quads <= (many ? ALONE_QUADS_OF_MANY : ALONE_QUADS);
    const uint32_t count = alone ? 1 : slices(x->shape, quads);
    vkp_tensor parts;
    VKP_TRY(vkp_parts_new(p, x->shape.n * count, x->shape.c, &parts));
    for (uint32_t n = 0; n < x->shape.n; n += chunk) {
        const vkp_tensor xs = vkp_tensor_pictures(x, n, least(chunk, x->shape.n - n));
        const bool texels = vkp_texels_fit(device, &xs, 4);
        vkp_dispatch d = {.shader = texels ? VKP_SHADER_channel_sum_texel : VKP_SHADER_channel_sum,
                          .groups = {alone ? vkp_groups(x->shape.c, 64) : x->shape.c, count, xs.shape.n},
                          .spec = {alone},
                          .spec_count = 1};
        vkp_bind(device, &d, &parts, VKP_WRITE);
        vkp_bind_quads(device, &d, &xs, VKP_READ, texels);
        vkp_push(&d, vkp_groups(quads, count));
        vkp_push(&d, n * count);
        vkp_push(&d, count);
        vkp_push(&d, x->shape.c);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return vkp_sum_parts(p, &parts, sum, add);
}
