#include "ops/moves.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

uint32_t vkp_flat_groups(const vkp_device *device, uint64_t items, uint32_t each)
{
    const uint64_t groups = (items + 64 * each - 1) / (64 * each);
    const uint32_t limit = device->info.limits.group_count[0];
    return groups < limit ? (uint32_t)groups : limit;
}

uint32_t vkp_flat_run(const vkp_device *device, uint32_t bytes)
{
    /* A binding may start up to one alignment (256 bytes at most) before the run does. */
    const uint64_t run = (device->info.limits.storage_range - 256) / bytes / 64 * 64;
    return run < (1u << 30) ? (uint32_t)run : 1u << 30;
}

vkp_tensor vkp_flat_part(const vkp_tensor *t, uint64_t start, uint32_t count)
{
    vkp_tensor part = vkp_tensor_packed(t->buffer, (vkp_shape){1, 1, 1, count});
    part.offset = t->offset + start;
    return part;
}

/* Pictures one dispatch may take: by the bindings, and by the groups of the dimension they share with
 * `planes` of each. */
static uint32_t pictures(const vkp_device *d, const vkp_tensor *a, const vkp_tensor *b, uint32_t axis,
                         uint32_t planes)
{
    const uint32_t by_binding = vkp_pictures_per_binding(d, (const vkp_tensor *const[]){a, b}, 2);
    const uint32_t by_groups = d->info.limits.group_count[axis] / planes;
    return least(least(by_binding, by_groups ? by_groups : 1), a->shape.n);
}

vkp_status vkp_copy(vkp_program *p, const vkp_tensor *from, const vkp_tensor *to, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const uint64_t floats = from->shape.c * vkp_plane(from);
    const bool quads = !(floats % 4 || from->offset % 4 || to->offset % 4 || from->stride_n % 4 ||
                         to->stride_n % 4);
    const uint32_t items = (uint32_t)(quads ? floats / 4 : floats);
    const uint32_t chunk = pictures(device, from, to, 1, 1);
    for (uint32_t n = 0; n < from->shape.n; n += chunk) {
        const uint32_t count = least(chunk, from->shape.n - n);
        const vkp_tensor source = vkp_tensor_pictures(from, n, count);
        const vkp_tensor target = vkp_tensor_pictures(to, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_copy, .spec = {quads, add}, .spec_count = 2,
                          .groups = {vkp_flat_groups(device, items, 4), count, 1}};
        vkp_bind(device, &d, &target, VKP_READ_WRITE);
        vkp_bind(device, &d, &source, VKP_READ);
        vkp_push(&d, items);
        vkp_push(&d, d.groups[0] * 64);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

/* Both block passes: `columns` and `rows` are the invocations that a plane takes. */
static vkp_status blocks(vkp_program *p, const vkp_dispatch *pass, const vkp_tensor *from,
                         const vkp_tensor *to, uint32_t columns, uint32_t rows, float scale)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t chunk = pictures(device, from, to, 2, to->shape.c);
    for (uint32_t n = 0; n < to->shape.n; n += chunk) {
        const uint32_t count = least(chunk, to->shape.n - n);
        const vkp_tensor source = vkp_tensor_pictures(from, n, count);
        const vkp_tensor target = vkp_tensor_pictures(to, n, count);
        vkp_dispatch d = *pass;
        d.groups[0] = vkp_groups(columns, 8);
        d.groups[1] = vkp_groups(rows, 8);
        d.groups[2] = to->shape.c * count;
        vkp_bind(device, &d, &target, VKP_READ_WRITE);
        vkp_bind(device, &d, &source, VKP_READ);
        const uint32_t words[] = {to->shape.c, to->shape.h, to->shape.w, from->shape.h, from->shape.w};
        for (uint32_t i = 0; i < 5; i++) vkp_push(&d, words[i]);
        vkp_push_float(&d, scale);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

vkp_status vkp_block_sum(vkp_program *p, const vkp_tensor *from, const vkp_tensor *to, uint32_t factor,
                         float scale, bool add)
{
    const vkp_dispatch pass = {.shader = VKP_SHADER_block_sum, .spec = {factor, add}, .spec_count = 2};
    return blocks(p, &pass, from, to, to->pitch / 4, to->shape.h, scale);
}

vkp_status vkp_block_spread(vkp_program *p, const vkp_tensor *from, const vkp_tensor *to, uint32_t factor,
                            float scale, bool add)
{
    const vkp_dispatch pass = {.shader = VKP_SHADER_block_spread, .spec = {factor, add}, .spec_count = 2};
    return blocks(p, &pass, from, to, to->pitch / 4, vkp_groups(to->shape.h, factor), scale);
}
