#include "ops/tensor.h"

#include <string.h>

vkp_tensor vkp_tensor_activation(uint32_t buffer, vkp_shape s)
{
    const uint32_t pitch = vkp_pitch(s.w);
    return (vkp_tensor){
        .buffer = buffer, .pitch = pitch, .stride_n = (uint64_t)s.c * s.h * pitch, .shape = s};
}

vkp_tensor vkp_tensor_packed(uint32_t buffer, vkp_shape s)
{
    return (vkp_tensor){.buffer = buffer, .pitch = s.w, .stride_n = (uint64_t)s.c * s.h * s.w, .shape = s};
}

vkp_tensor vkp_tensor_channels(const vkp_tensor *t, uint32_t c, uint32_t count)
{
    vkp_tensor slice = *t;
    slice.offset += c * vkp_plane(t);
    slice.shape.c = count;
    return slice;
}

vkp_tensor vkp_tensor_pictures(const vkp_tensor *t, uint32_t n, uint32_t count)
{
    vkp_tensor part = *t;
    part.offset += n * t->stride_n;
    part.shape.n = count;
    return part;
}

static vkp_status new_tensor(vkp_program *program, vkp_tensor layout, const char *name, vkp_tensor *out)
{
    VKP_TRY(vkp_program_buffer(program, vkp_extent(&layout) * sizeof(float), name, &layout.buffer));
    *out = layout;
    return VKP_OK;
}

vkp_status vkp_tensor_new(vkp_program *program, vkp_shape shape, const char *name, vkp_tensor *out)
{
    return new_tensor(program, vkp_tensor_activation(0, shape), name, out);
}

vkp_status vkp_tensor_new_packed(vkp_program *program, vkp_shape shape, const char *name, vkp_tensor *out)
{
    return new_tensor(program, vkp_tensor_packed(0, shape), name, out);
}

uint32_t vkp_pictures_per_binding(const vkp_device *device, const vkp_tensor *const *tensors, size_t count)
{
    uint64_t fit = UINT32_MAX;
    /* A binding may start up to one alignment before the tensor does. */
    const uint64_t room = device->info.limits.storage_range / sizeof(float) - 64;
    for (size_t i = 0; i < count; i++) {
        const vkp_tensor *t = tensors[i];
        if (!t || !t->buffer) continue;
        const uint64_t one = t->shape.c * vkp_plane(t);
        const uint64_t pictures =
            one > room ? 1 : 1 + (t->stride_n ? (room - one) / t->stride_n : UINT32_MAX);
        if (pictures < fit) fit = pictures;
    }
    return (uint32_t)(fit < UINT32_MAX ? fit : UINT32_MAX);
}

uint32_t vkp_pictures_per_dispatch(const vkp_device *device, const vkp_tensor *const *tensors, size_t count,
                                   uint32_t groups)
{
    const uint32_t by_binding = vkp_pictures_per_binding(device, tensors, count);
    const uint32_t by_groups = device->info.limits.group_count[2] / groups;
    if (by_groups < 1) return 1;
    return by_binding < by_groups ? by_binding : by_groups;
}

void vkp_push(vkp_dispatch *d, uint32_t word) { d->push[d->push_words++] = word; }

void vkp_push_float(vkp_dispatch *d, float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    vkp_push(d, word);
}

static void bind(vkp_dispatch *d, const vkp_tensor *t, vkp_access access, VkFormat texel, uint32_t align,
                 uint32_t lanes)
{
    const uint64_t start = t->offset * sizeof(float);
    const uint64_t aligned = start / align * align;
    d->bindings[d->binding_count++] = (vkp_binding){.buffer = t->buffer,
                                                    .offset = aligned,
                                                    .bytes = start - aligned + vkp_extent(t) * sizeof(float),
                                                    .access = access,
                                                    .texel = texel};
    vkp_push(d, (uint32_t)((start - aligned) / sizeof(float) / lanes));
    vkp_push(d, (uint32_t)(t->stride_n / lanes));
    vkp_push(d, (uint32_t)(vkp_plane(t) / lanes));
    vkp_push(d, t->pitch / lanes);
}

void vkp_bind(const vkp_device *device, vkp_dispatch *d, const vkp_tensor *t, vkp_access access)
{
    bind(d, t, access, VK_FORMAT_UNDEFINED, device->info.limits.storage_align, 1);
}

void vkp_bind_texels(const vkp_device *device, vkp_dispatch *d, const vkp_tensor *t, VkFormat format,
                     uint32_t lanes)
{
    bind(d, t, VKP_READ, format, device->info.limits.texel_align, lanes);
}

void vkp_bind_quads(const vkp_device *device, vkp_dispatch *d, const vkp_tensor *t, vkp_access access,
                    bool texels)
{
    if (texels)
        bind(d, t, access, VK_FORMAT_R32G32B32A32_SFLOAT, device->info.limits.texel_align, 4);
    else
        bind(d, t, access, VK_FORMAT_UNDEFINED, device->info.limits.storage_align, 4);
}

bool vkp_texels_fit(const vkp_device *device, const vkp_tensor *t, uint32_t lanes)
{
    const uint64_t slack = device->info.limits.texel_align / sizeof(float);
    return (vkp_extent(t) + slack) / lanes <= device->info.limits.texel_elements;
}
