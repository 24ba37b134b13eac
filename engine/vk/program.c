#include "vk/program_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every planned buffer starts on this, the largest alignment that Vulkan lets a device ask for. */
#define PLAN_ALIGNMENT 256

void vkp_arena_destroy(vkp_device *device, vkp_arena *arena)
{
    for (int i = 0; i < VKP_PLAN_BLOCKS; i++) vkp_buffer_destroy(device, &arena->blocks[i]);
    arena->generation++;
}

static double standard_budget(void)
{
    const char *text = getenv("VKPIX_BUDGET_MS");
    const double milliseconds = text ? strtod(text, NULL) : 0;
    return milliseconds > 0 ? milliseconds : 100;
}

vkp_status vkp_program_create(vkp_device *device, vkp_program **out)
{
    vkp_program *p = calloc(1, sizeof *p);
    if (!p)
        return vkp_fail(VKP_MEMORY, "no memory for a program (host memory ran out; close other programs)");
    p->device = device;
    p->buffer_count = 1;
    p->section_count = 1;
    p->budget = standard_budget();
    *out = p;
    return VKP_OK;
}

static void unbind(vkp_program *p)
{
    vkp_program_forget(p);
    for (size_t i = 0; i < p->view_count; i++) vkDestroyBufferView(p->device->handle, p->views[i], NULL);
    free(p->views);
    p->views = NULL;
    p->view_count = 0;
    if (p->pool) vkDestroyDescriptorPool(p->device->handle, p->pool, NULL);
    p->pool = VK_NULL_HANDLE;
}

void vkp_program_destroy(vkp_program *p)
{
    if (!p) return;
    /* Whatever is in flight must end before its buffers go; its failure has nobody left to tell. */
    if (p->in_flight) vkp_device_settle(p->device);
    unbind(p);
    if (p->fence) vkDestroyFence(p->device->handle, p->fence, NULL);
    free(p->units);
    free(p->segments);
    free(p->items);
    free(p->buffers);
    free(p->dispatches);
    free(p);
}

vkp_device *vkp_program_device(const vkp_program *p) { return p->device; }

static vkp_status add_buffer(vkp_program *p, const vkp_program_buffer_entry *entry, const char *name,
                             uint32_t *id)
{
    if (p->planned)
        return vkp_fail(VKP_INTERNAL, "buffer %s comes after the plan (a mistake in vkpix; report it)", name);
    VKP_TRY(vkp_grow((void **)&p->buffers, &p->buffer_capacity, p->buffer_count, sizeof *p->buffers));
    vkp_program_buffer_entry *e = &p->buffers[p->buffer_count];
    *e = *entry;
    e->first = UINT32_MAX;
    e->last = 0;
    snprintf(e->name, sizeof e->name, "%s", name);
    *id = (uint32_t)p->buffer_count++;
    return VKP_OK;
}

vkp_status vkp_program_buffer(vkp_program *p, uint64_t bytes, const char *name, uint32_t *id)
{
    return add_buffer(p, &(vkp_program_buffer_entry){.bytes = (bytes + 15) & ~(uint64_t)15}, name, id);
}

void vkp_program_keep(vkp_program *p, uint32_t id) { p->buffers[id].keep = true; }

vkp_status vkp_program_external(vkp_program *p, const vkp_buffer *buffer, uint64_t offset, uint64_t bytes,
                                const char *name, uint32_t *id)
{
    if (offset % PLAN_ALIGNMENT || offset > buffer->bytes || bytes > buffer->bytes - offset)
        return vkp_fail(VKP_INTERNAL, "range of %s lies outside its buffer (a mistake in vkpix; report it)",
                        name);
    return add_buffer(p, &(vkp_program_buffer_entry){.external = buffer, .offset = offset, .bytes = bytes},
                      name, id);
}

vkp_status vkp_program_section(vkp_program *p, uint32_t *section)
{
    /* A section nobody wrote into yet is the new one: the first section begins by itself. */
    if (p->section_start[p->section_count - 1] != p->dispatch_count) {
        if (p->section_count == VKP_MAX_SECTIONS)
            return vkp_fail(VKP_INTERNAL, "too many sections (a mistake in vkpix; report it)");
        p->section_start[p->section_count++] = (uint32_t)p->dispatch_count;
    }
    *section = p->section_count - 1;
    return VKP_OK;
}

void vkp_program_label(vkp_program *p, const char *label)
{
    snprintf(p->label, sizeof p->label, "%s", label);
}

size_t vkp_program_dispatch_count(const vkp_program *p) { return p->dispatch_count; }

static vkp_status check_binding(const vkp_program *p, const vkp_dispatch *d, const vkp_binding *b)
{
    const vkp_limits *l = &p->device->info.limits;
    const char *shader = vkp_shader_table[d->shader].name;
    if (!b->buffer || b->buffer >= p->buffer_count)
        return vkp_fail(VKP_INTERNAL, "%s binds no buffer (a mistake in vkpix; report it)", shader);
    const vkp_program_buffer_entry *e = &p->buffers[b->buffer];
    const uint32_t align = b->texel ? l->texel_align : l->storage_align;
    if (!b->bytes || b->offset % align || b->offset > e->bytes || b->bytes > e->bytes - b->offset)
        return vkp_fail(VKP_INTERNAL,
                        "%s binds bytes %" PRIu64 "+%" PRIu64 " of %s, which has %" PRIu64
                        " (a mistake in vkpix; report it)",
                        shader, b->offset, b->bytes, e->name, e->bytes);
    if (!b->texel && b->bytes > l->storage_range)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "%s needs %" PRIu64 " MiB of %s in one binding (the device allows %" PRIu64
                        " MiB; try a smaller --set size)",
                        shader, b->bytes >> 20, e->name, l->storage_range >> 20);
    return VKP_OK;
}

static vkp_status check_dispatch(const vkp_program *p, const vkp_dispatch *d)
{
    const vkp_limits *l = &p->device->info.limits;
    const char *shader = vkp_shader_table[d->shader].name;
    uint32_t storage = 0;
    for (uint32_t i = 0; i < d->binding_count; i++) {
        VKP_TRY(check_binding(p, d, &d->bindings[i]));
        storage += !d->bindings[i].texel;
    }
    for (int i = 0; i < 3; i++)
        if (!d->groups[i] || d->groups[i] > l->group_count[i])
            return vkp_fail(VKP_INTERNAL,
                            "%s wants %u groups in dimension %d (1 to %u allowed; a mistake in vkpix)",
                            shader, d->groups[i], i, l->group_count[i]);
    if (storage > l->storage_buffers || d->push_words * 4 > l->push_bytes)
        return vkp_fail(VKP_INTERNAL,
                        "%s binds %u storage buffers and %u push words (the device allows %u and %u; a "
                        "mistake in vkpix)",
                        shader, storage, d->push_words, l->storage_buffers, l->push_bytes / 4);
    return VKP_OK;
}

/* Makes room for a dispatch at `index`: what stands there and after moves up. */
static vkp_status open_gap(vkp_program *p, uint32_t index)
{
    VKP_TRY(
        vkp_grow((void **)&p->dispatches, &p->dispatch_capacity, p->dispatch_count, sizeof *p->dispatches));
    if (index == p->dispatch_count) return VKP_OK;
    memmove(&p->dispatches[index + 1], &p->dispatches[index],
            (p->dispatch_count - index) * sizeof *p->dispatches);
    for (size_t i = 1; i < p->buffer_count; i++) {
        vkp_program_buffer_entry *b = &p->buffers[i];
        if (b->first > b->last) continue;
        b->first += b->first >= index;
        b->last += b->last >= index;
    }
    return VKP_OK;
}

static vkp_status insert(vkp_program *p, uint32_t index, const vkp_dispatch *d)
{
    if (p->planned) return vkp_fail(VKP_INTERNAL, "dispatch after the plan (a mistake in vkpix; report it)");
    VKP_TRY(check_dispatch(p, d));
    VKP_TRY(open_gap(p, index));
    vkp_program_dispatch_entry *e = &p->dispatches[index];
    *e = (vkp_program_dispatch_entry){.d = *d};
    memcpy(e->label, p->label, sizeof e->label);
    /* Before anything is measured: as slow as a weak GPU with a plain shader, about 20 GFLOP/s. */
    e->milliseconds = 0.05 + d->flop / 2e7;
    for (uint32_t i = 0; i < d->binding_count; i++) {
        vkp_program_buffer_entry *b = &p->buffers[d->bindings[i].buffer];
        if (index < b->first) b->first = index;
        if (index > b->last) b->last = index;
    }
    p->dispatch_count++;
    return VKP_OK;
}

vkp_status vkp_program_dispatch(vkp_program *p, const vkp_dispatch *d)
{
    return insert(p, (uint32_t)p->dispatch_count, d);
}

void vkp_program_prepare_here(vkp_program *p) { p->preparation = p->section_count; }

vkp_status vkp_program_prepare(vkp_program *p, const vkp_dispatch *d)
{
    const uint32_t next = p->preparation;
    if (!next) return vkp_program_dispatch(p, d);
    const uint32_t index = next < p->section_count ? p->section_start[next] : (uint32_t)p->dispatch_count;
    for (uint32_t i = 0; i < d->binding_count; i++) {
        const vkp_binding *b = &d->bindings[i];
        const vkp_program_buffer_entry *e = b->buffer < p->buffer_count ? &p->buffers[b->buffer] : NULL;
        if (e && (b->access & VKP_READ) && !e->external && e->first >= index)
            return vkp_program_dispatch(p, d);
    }
    VKP_TRY(insert(p, index, d));
    for (uint32_t s = next; s < p->section_count; s++) p->section_start[s]++;
    for (uint32_t i = 0; i < d->binding_count; i++)
        if (d->bindings[i].access & VKP_WRITE) vkp_program_keep(p, d->bindings[i].buffer);
    return VKP_OK;
}

vkp_status vkp_program_plan(vkp_program *p, uint64_t *bytes)
{
    if (!p->planned) {
        p->items = calloc(p->buffer_count, sizeof *p->items);
        if (!p->items)
            return vkp_fail(VKP_MEMORY, "no memory for the plan (host memory ran out; close other programs)");
        for (size_t i = 1; i < p->buffer_count; i++) {
            const vkp_program_buffer_entry *b = &p->buffers[i];
            if (b->external || b->first > b->last) continue;
            p->items[i] = (vkp_plan_item){.bytes = b->bytes,
                                          .first = b->first,
                                          .last = b->keep ? (uint32_t)p->dispatch_count : b->last};
        }
        VKP_TRY(vkp_plan_make(p->items, p->buffer_count, PLAN_ALIGNMENT,
                              p->device->info.limits.max_allocation, &p->plan));
        p->planned = true;
    }
    *bytes = p->plan.total;
    return VKP_OK;
}

void vkp_program_place(const vkp_program *p, uint32_t id, const vkp_buffer **buffer, uint64_t *offset)
{
    const vkp_program_buffer_entry *e = &p->buffers[id];
    *buffer = e->external ? e->external : &p->arena->blocks[p->items[id].block];
    *offset = e->external ? e->offset : p->items[id].offset;
}

static vkp_status grow_arena(vkp_program *p)
{
    vkp_device *d = p->device;
    uint64_t more = 0;
    for (uint32_t b = 0; b < p->plan.blocks; b++)
        if (p->arena->blocks[b].bytes < p->plan.block_bytes[b])
            more += p->plan.block_bytes[b] - p->arena->blocks[b].bytes;
    if (d->allocated + more > d->info.limits.memory_budget)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "not enough device memory (needs %" PRIu64 " MiB, %s has %" PRIu64
                        " MiB; try a smaller --set batch or --set size)",
                        (d->allocated + more) >> 20, d->info.name, d->info.limits.memory_budget >> 20);
    for (uint32_t b = 0; b < p->plan.blocks; b++) {
        if (p->arena->blocks[b].bytes >= p->plan.block_bytes[b]) continue;
        vkp_buffer_destroy(d, &p->arena->blocks[b]);
        p->arena->generation++;
        VKP_TRY(vkp_buffer_create(d, p->plan.block_bytes[b], VKP_MEMORY_DEVICE, "activations and gradients",
                                  &p->arena->blocks[b]));
    }
    return VKP_OK;
}

static vkp_status make_pool(vkp_program *p)
{
    uint32_t storage = 0, texel = 0;
    for (size_t i = 0; i < p->dispatch_count; i++)
        for (uint32_t j = 0; j < p->dispatches[i].d.binding_count; j++)
            p->dispatches[i].d.bindings[j].texel ? texel++ : storage++;
    const VkDescriptorPoolSize sizes[] = {
        {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .descriptorCount = storage ? storage : 1},
        {.type = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, .descriptorCount = texel ? texel : 1}};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = (uint32_t)(p->dispatch_count ? p->dispatch_count : 1),
                                             .poolSizeCount = 2,
                                             .pPoolSizes = sizes};
    VKP_TRY(VKP_VK_MADE(vkCreateDescriptorPool(p->device->handle, &info, NULL, &p->pool), &p->pool,
                        "making a descriptor pool"));
    vkp_device_name(p->device, VK_OBJECT_TYPE_DESCRIPTOR_POOL, (uint64_t)p->pool, "program");
    p->views = calloc(texel ? texel : 1, sizeof *p->views);
    return p->views ? VKP_OK
                    : vkp_fail(VKP_MEMORY, "no memory for views (host memory ran out; close other programs)");
}

static vkp_status bind_dispatch(vkp_program *p, vkp_program_dispatch_entry *e)
{
    vkp_device *d = p->device;
    const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = p->pool,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &e->pipeline->set_layout};
    VKP_TRY(vkp_vk_status(vkAllocateDescriptorSets(d->handle, &info, &e->set), "making a descriptor set"));
    vkp_device_name(d, VK_OBJECT_TYPE_DESCRIPTOR_SET, (uint64_t)e->set, e->label);
    VkWriteDescriptorSet writes[VKP_MAX_BINDINGS];
    VkDescriptorBufferInfo ranges[VKP_MAX_BINDINGS];
    for (uint32_t i = 0; i < e->d.binding_count; i++) {
        const vkp_binding *b = &e->d.bindings[i];
        const vkp_buffer *buffer;
        uint64_t offset;
        vkp_program_place(p, b->buffer, &buffer, &offset);
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = e->set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &ranges[i]};
        ranges[i] = (VkDescriptorBufferInfo){
            .buffer = buffer->handle, .offset = offset + b->offset, .range = b->bytes};
        if (!b->texel) continue;
        const VkBufferViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                             .buffer = buffer->handle,
                                             .format = b->texel,
                                             .offset = offset + b->offset,
                                             .range = b->bytes};
        VKP_TRY(vkp_vk_status(vkCreateBufferView(d->handle, &view, NULL, &p->views[p->view_count]),
                              "making a buffer view"));
        vkp_device_name(d, VK_OBJECT_TYPE_BUFFER_VIEW, (uint64_t)p->views[p->view_count],
                        p->buffers[b->buffer].name);
        writes[i].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
        writes[i].pTexelBufferView = &p->views[p->view_count++];
    }
    vkUpdateDescriptorSets(d->handle, e->d.binding_count, writes, 0, NULL);
    return VKP_OK;
}

static vkp_status want_pipeline(vkp_program *p, vkp_program_dispatch_entry *e)
{
    vkp_pipeline_key key = {.shader = e->d.shader,
                            .bindings = e->d.binding_count,
                            .push_words = e->d.push_words,
                            .subgroup_size = e->d.subgroup_size,
                            .spec_count = e->d.spec_count};
    for (uint32_t i = 0; i < e->d.binding_count; i++)
        if (e->d.bindings[i].texel) key.texel_mask |= 1u << i;
    memcpy(key.spec, e->d.spec, e->d.spec_count * sizeof *key.spec);
    return vkp_pipeline_want(p->device, &key, &e->pipeline);
}

vkp_status vkp_program_want(vkp_program *p)
{
    for (size_t i = 0; i < p->dispatch_count; i++) VKP_TRY(want_pipeline(p, &p->dispatches[i]));
    return VKP_OK;
}

static vkp_status make_pipelines(vkp_program *p)
{
    const vkp_pipeline *failed = NULL;
    vkp_status status = vkp_program_want(p);
    if (status == VKP_OK) status = vkp_pipelines_make(p->device, &failed);
    if (status == VKP_OK) return VKP_OK;
    const char *label = "";
    for (size_t i = p->dispatch_count; i-- > 0;)
        if (failed && p->dispatches[i].pipeline == failed) label = p->dispatches[i].label;
    vkp_pipelines_drop(p->device);
    return vkp_fail(status, "%s%s%s", label, *label ? ": " : "", vkp_error());
}

vkp_status vkp_program_try(vkp_program *p)
{
    vkp_arena arena = {0};
    uint64_t bytes;
    VKP_TRY(vkp_program_plan(p, &bytes));
    p->arena = &arena;
    const vkp_status status = grow_arena(p);
    p->arena = NULL;
    vkp_arena_destroy(p->device, &arena);
    return status;
}

vkp_status vkp_program_build(vkp_program *p, vkp_arena *arena)
{
    uint64_t bytes;
    VKP_TRY(vkp_program_plan(p, &bytes));
    unbind(p);
    p->arena = arena;
    VKP_TRY(grow_arena(p));
    /* Until all is there it is not built: a run would build it again. */
    p->generation = arena->generation - 1;
    VKP_TRY(make_pool(p));
    VKP_TRY(make_pipelines(p));
    for (size_t i = 0; i < p->dispatch_count; i++) VKP_TRY(bind_dispatch(p, &p->dispatches[i]));
    p->generation = arena->generation;
    return VKP_OK;
}

vkp_status vkp_program_read(vkp_program *p, uint32_t id, uint64_t offset, void *data, uint64_t bytes)
{
    const vkp_buffer *buffer;
    uint64_t start;
    vkp_program_place(p, id, &buffer, &start);
    return vkp_buffer_read(p->device, buffer, start + offset, data, bytes);
}

vkp_status vkp_program_write(vkp_program *p, uint32_t id, uint64_t offset, const void *data, uint64_t bytes)
{
    const vkp_buffer *buffer;
    uint64_t start;
    vkp_program_place(p, id, &buffer, &start);
    return vkp_buffer_write(p->device, buffer, start + offset, data, bytes);
}
