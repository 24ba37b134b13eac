/* The class sums that both gradients of a convolution of an upsampled input start from. */
#include "ops/conv2d.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

vkp_status vkp_conv2d_class_sums(vkp_program *p, const vkp_node *node, vkp_tensor *planes)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *dy = &node->d_out[VKP_CONV_Y];
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    const uint32_t classes = vkp_conv_classes(vkp_conv_upsample(node));
    VKP_TRY(vkp_tensor_new(p, (vkp_shape){x.n, dy->shape.c * classes, x.h, x.w}, "class sums", planes));
    const uint32_t by_binding = vkp_pictures_per_binding(device, (const vkp_tensor *const[]){dy, planes}, 2);
    const uint32_t chunk = least(least(by_binding, device->info.limits.group_count[2]), x.n);
    for (uint32_t n = 0; n < x.n; n += chunk) {
        const uint32_t count = least(chunk, x.n - n);
        const vkp_tensor dys = vkp_tensor_pictures(dy, n, count), sums = vkp_tensor_pictures(planes, n, count);
        const bool texels = vkp_texels_fit(device, &dys, 4);
        vkp_dispatch d = {.shader = texels ? VKP_SHADER_conv2d_class_sum_texel : VKP_SHADER_conv2d_class_sum,
                          .groups = {vkp_groups(vkp_plane(planes) / 4, 64), dy->shape.c, count},
                          .spec = {vkp_conv_upsample(node)}, .spec_count = 1};
        vkp_bind_quads(device, &d, &sums, VKP_WRITE, false);
        vkp_bind_quads(device, &d, &dys, VKP_READ, texels);
        vkp_push(&d, x.w);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}
