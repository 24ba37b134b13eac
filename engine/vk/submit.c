/* Cutting a program into submissions, recording and running them. */
#include "vk/program_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A range of memory used since the last barrier. */
typedef struct touched {
    VkBuffer buffer;
    uint64_t begin, end;
    bool write;
} touched;

#define MAX_TOUCHED 1024

/* Seconds after which a device that does not answer is given up: far more than any submission takes. */
#define PATIENCE 600

void vkp_program_budget(vkp_program *p, double milliseconds)
{
    p->budget = milliseconds;
    vkp_program_forget(p);
}

void vkp_program_forget(vkp_program *p)
{
    for (size_t i = 0; i < p->segment_count; i++)
        if (p->segments[i].commands)
            vkFreeCommandBuffers(p->device->handle, p->device->command_pool, 1, &p->segments[i].commands);
    p->segment_count = 0;
    p->unit_count = 0;
    p->recorded = false;
}

static vkp_status add_unit(vkp_program *p, uint32_t section, vkp_program_unit unit, bool new_segment)
{
    VKP_TRY(vkp_grow((void **)&p->units, &p->unit_capacity, p->unit_count, sizeof *p->units));
    if (new_segment) {
        VKP_TRY(vkp_grow((void **)&p->segments, &p->segment_capacity, p->segment_count, sizeof *p->segments));
        p->segments[p->segment_count++] =
            (vkp_program_segment){.section = section, .first = (uint32_t)p->unit_count};
    }
    p->units[p->unit_count++] = unit;
    p->segments[p->segment_count - 1].count++;
    return VKP_OK;
}

/* Cuts the dispatches of each section into segments of at most the budget's time by what is known of
 * their times; one that is longer is split along its largest dimension. `alone`: a segment each. */
static vkp_status cut(vkp_program *p, bool alone)
{
    const double budget = p->budget;
    for (uint32_t s = 0; s < p->section_count; s++) {
        const size_t end = s + 1 < p->section_count ? p->section_start[s + 1] : p->dispatch_count;
        double filled = 0;
        bool open = false;
        for (size_t i = p->section_start[s]; i < end; i++) {
            const vkp_program_dispatch_entry *e = &p->dispatches[i];
            uint32_t axis = 0;
            for (uint32_t a = 1; a < 3; a++)
                if (e->d.groups[a] > e->d.groups[axis]) axis = a;
            const uint32_t groups = e->d.groups[axis];
            double wanted = e->milliseconds / budget;
            uint32_t parts = wanted <= 1 ? 1 : wanted >= groups ? groups : (uint32_t)wanted + 1;
            if (parts > groups) parts = groups;
            for (uint32_t k = 0; k < parts; k++) {
                const uint32_t base = (uint32_t)((uint64_t)groups * k / parts);
                const uint32_t next = (uint32_t)((uint64_t)groups * (k + 1) / parts);
                const double share = e->milliseconds / parts;
                const bool fresh = alone || !open || filled + share > budget;
                VKP_TRY(add_unit(p, s, (vkp_program_unit){(uint32_t)i, axis, base, next - base}, fresh));
                filled = fresh ? share : filled + share;
                open = true;
            }
        }
    }
    return VKP_OK;
}

/* Whether a dispatch must wait for what ran since the last barrier; if not, it is added to that. */
static bool conflicts(const vkp_program *p, const vkp_program_dispatch_entry *e, touched *list, size_t *count)
{
    const size_t before = *count;
    for (uint32_t i = 0; i < e->d.binding_count; i++) {
        const vkp_binding *b = &e->d.bindings[i];
        const vkp_buffer *buffer;
        uint64_t offset;
        vkp_program_place(p, b->buffer, &buffer, &offset);
        const touched t = {buffer->handle, offset + b->offset, offset + b->offset + b->bytes,
                           b->access & VKP_WRITE};
        for (size_t j = 0; j < before; j++)
            if (list[j].buffer == t.buffer && list[j].begin < t.end && t.begin < list[j].end &&
                (list[j].write || t.write))
                return true;
        list[(*count)++] = t;
    }
    return *count + VKP_MAX_BINDINGS > MAX_TOUCHED;
}

static void barrier(VkCommandBuffer commands, bool start, bool end)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | (start ? VK_ACCESS_TRANSFER_WRITE_BIT : 0),
        .dstAccessMask =
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
            (end ? VK_ACCESS_HOST_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT : 0)};
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    const VkPipelineStageFlags others = VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    vkCmdPipelineBarrier(commands, compute | (start ? VK_PIPELINE_STAGE_TRANSFER_BIT : 0),
                         compute | (end ? others : 0), 0, 1, &memory, 0, NULL, 0, NULL);
}

static void record_unit(const vkp_program *p, VkCommandBuffer commands, const vkp_program_unit *u)
{
    const vkp_program_dispatch_entry *e = &p->dispatches[u->dispatch];
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, e->pipeline->handle);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, e->pipeline->layout, 0, 1, &e->set, 0,
                            NULL);
    if (e->d.push_words)
        vkCmdPushConstants(commands, e->pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, e->d.push_words * 4,
                           e->d.push);
    uint32_t base[3] = {0}, count[3] = {e->d.groups[0], e->d.groups[1], e->d.groups[2]};
    base[u->axis] = u->base;
    count[u->axis] = u->count;
    vkCmdDispatchBase(commands, base[0], base[1], base[2], count[0], count[1], count[2]);
}

static vkp_status record_segment(vkp_program *p, vkp_program_segment *s, VkQueryPool queries)
{
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = p->device->command_pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    VKP_TRY(vkp_vk_status(vkAllocateCommandBuffers(p->device->handle, &info, &s->commands),
                          "making a command buffer"));
    vkp_device_name(p->device, VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)s->commands,
                    p->dispatches[p->units[s->first].dispatch].label);
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VKP_TRY(vkp_vk_status(vkBeginCommandBuffer(s->commands, &begin), "recording commands"));
    barrier(s->commands, true, false);
    if (queries) {
        vkCmdResetQueryPool(s->commands, queries, 0, 2);
        vkCmdWriteTimestamp(s->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, queries, 0);
    }
    touched list[MAX_TOUCHED];
    size_t count = 0;
    for (uint32_t i = s->first; i < s->first + s->count; i++) {
        const vkp_program_unit *u = &p->units[i];
        const bool continued = i > s->first && p->units[i - 1].dispatch == u->dispatch;
        if (!continued && conflicts(p, &p->dispatches[u->dispatch], list, &count)) {
            barrier(s->commands, false, false);
            count = 0;
            (void)conflicts(p, &p->dispatches[u->dispatch], list,
                            &count); /* nothing before it: adds its ranges */
        }
        record_unit(p, s->commands, u);
    }
    if (queries) vkCmdWriteTimestamp(s->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, queries, 1);
    barrier(s->commands, false, true);
    return vkp_vk_status(vkEndCommandBuffer(s->commands), "recording commands");
}

static vkp_status record(vkp_program *p, bool alone, VkQueryPool queries)
{
    vkp_program_forget(p);
    VKP_TRY(cut(p, alone));
    for (size_t i = 0; i < p->segment_count; i++) VKP_TRY(record_segment(p, &p->segments[i], queries));
    p->recorded = true;
    return VKP_OK;
}

static vkp_status make_fence(vkp_program *p)
{
    if (p->fence) return vkp_vk_status(vkResetFences(p->device->handle, 1, &p->fence), "resetting a fence");
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VKP_TRY(VKP_VK_MADE(vkCreateFence(p->device->handle, &info, NULL, &p->fence), &p->fence,
                        "making a fence"));
    vkp_device_name(p->device, VK_OBJECT_TYPE_FENCE, (uint64_t)p->fence, "program");
    return VKP_OK;
}

/* The error of a failed submission or wait, with the operations that may have caused it. */
static vkp_status lost(vkp_program *p, VkResult result, const char *what, uint32_t first_dispatch,
                       uint32_t last_dispatch)
{
    const char *first = p->dispatches[first_dispatch].label, *last = p->dispatches[last_dispatch].label;
    char text[64 + 2 * VKP_LABEL_BYTES];
    /* Nothing may be freed while earlier parts still run. */
    vkp_device_settle(p->device);
    snprintf(text, sizeof text, "%s for '%s' to '%s'", what, first, last);
    if (result != VK_TIMEOUT) return vkp_vk_status(result, text);
    return vkp_fail(VKP_DEVICE_LOST,
                    "%s failed (the device has not answered for %d minutes; restart the computer, update the "
                    "driver or try another --device)",
                    text, PATIENCE / 60);
}

static vkp_status submit_segment(vkp_program *p, const vkp_program_segment *s, bool last)
{
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &s->commands};
    const VkResult result = vkQueueSubmit(p->device->queue, 1, &info, last ? p->fence : VK_NULL_HANDLE);
    for (uint32_t i = s->first; i < s->first + s->count; i++) p->device->dispatches++;
    if (result == VK_SUCCESS) return VKP_OK;
    return lost(p, result, "submitting work", p->units[s->first].dispatch,
                p->units[s->first + s->count - 1].dispatch);
}

/* Waits for the work that sets the fence; `first` and `last` are its dispatches. */
static vkp_status wait_fence(vkp_program *p, uint32_t first, uint32_t last)
{
    VkResult result = VK_TIMEOUT;
    /* Counted in waits, not by the clock: a computer may have slept. */
    for (int i = 0; i < PATIENCE && result == VK_TIMEOUT; i++)
        result = vkWaitForFences(p->device->handle, 1, &p->fence, VK_TRUE, 1000000000);
    p->device->silent = result == VK_TIMEOUT;
    if (result == VK_SUCCESS) return VKP_OK;
    return lost(p, result, "waiting for the device", first, last);
}

vkp_status vkp_program_wait(vkp_program *p)
{
    if (!p->in_flight) return VKP_OK;
    p->in_flight = false;
    const uint32_t end = p->flight_first + p->flight_count;
    return wait_fence(p, p->section_start[p->flight_first],
                      (uint32_t)(end < p->section_count ? p->section_start[end] : p->dispatch_count) - 1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static vkp_status time_segment(vkp_program *p, const vkp_program_segment *s, VkQueryPool queries, double *ms)
{
    VKP_TRY(make_fence(p));
    const double start = now_ms();
    VKP_TRY(submit_segment(p, s, true));
    VKP_TRY(wait_fence(p, p->units[s->first].dispatch, p->units[s->first + s->count - 1].dispatch));
    *ms = now_ms() - start;
    if (!queries) return VKP_OK;
    uint64_t ticks[2];
    VKP_TRY(
        vkp_vk_status(vkGetQueryPoolResults(p->device->handle, queries, 0, 2, sizeof ticks, ticks,
                                            sizeof *ticks, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
                      "reading timestamps"));
    *ms = (double)(ticks[1] - ticks[0]) * p->device->info.limits.timestamp_ns * 1e-6;
    return VKP_OK;
}

/* Runs the sections with every unit in a submission of its own and keeps how long each dispatch took. */
static vkp_status measure(vkp_program *p, uint32_t first, uint32_t count, VkQueryPool queries)
{
    VKP_TRY(record(p, true, queries));
    const uint32_t begin = p->section_start[first];
    const size_t end = first + count < p->section_count ? p->section_start[first + count] : p->dispatch_count;
    double *sums = calloc(p->dispatch_count ? p->dispatch_count : 1, sizeof *sums);
    if (!sums)
        return vkp_fail(VKP_MEMORY, "no memory for a profile (host memory ran out; close other programs)");
    vkp_status status = VKP_OK;
    for (size_t i = 0; i < p->segment_count && status == VKP_OK; i++) {
        const vkp_program_segment *s = &p->segments[i];
        if (s->section < first || s->section >= first + count) continue;
        double ms = 0;
        status = time_segment(p, s, queries, &ms);
        sums[p->units[s->first].dispatch] += ms;
    }
    for (size_t i = begin; i < end && status == VKP_OK; i++) p->dispatches[i].milliseconds = sums[i];
    free(sums);
    vkp_program_forget(p);
    return status;
}

static vkp_status measured_run(vkp_program *p, uint32_t first, uint32_t count)
{
    VkQueryPool queries = VK_NULL_HANDLE;
    if (p->device->info.limits.timestamp_ns > 0) {
        const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                            .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                            .queryCount = 2};
        VKP_TRY(VKP_VK_MADE(vkCreateQueryPool(p->device->handle, &info, NULL, &queries), &queries,
                            "making a query pool"));
        vkp_device_name(p->device, VK_OBJECT_TYPE_QUERY_POOL, (uint64_t)queries, "timestamps");
    }
    const vkp_status status = measure(p, first, count, queries);
    if (queries) vkDestroyQueryPool(p->device->handle, queries, NULL);
    return status;
}

/* Whether sections that are about to run are to be measured; notes the run. */
static bool measure_now(vkp_program *p, uint32_t first, uint32_t count)
{
    const uint32_t end = first + count < p->section_count ? first + count : p->section_count;
    bool ran = true, measured = true;
    for (uint32_t s = first; s < end; s++) {
        ran &= p->section_state[s] != VKP_SECTION_NEW;
        measured &= p->section_state[s] == VKP_SECTION_MEASURED;
    }
    for (uint32_t s = first; s < end; s++)
        if (ran) p->section_state[s] = VKP_SECTION_MEASURED;
        else if (p->section_state[s] == VKP_SECTION_NEW) p->section_state[s] = VKP_SECTION_RAN;
    return ran && !measured;
}

vkp_status vkp_program_submit(vkp_program *p, uint32_t first, uint32_t count)
{
    VKP_TRY(vkp_program_wait(p));
    if (p->generation != p->arena->generation) VKP_TRY(vkp_program_build(p, p->arena));
    if (measure_now(p, first, count)) return measured_run(p, first, count);
    if (!p->recorded) VKP_TRY(record(p, false, VK_NULL_HANDLE));
    VKP_TRY(make_fence(p));
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < p->segment_count; i++)
        if (p->segments[i].section >= first && p->segments[i].section < first + count) last = i;
    p->flight_first = first;
    p->flight_count = count;
    for (size_t i = 0; i < p->segment_count && last != SIZE_MAX; i++) {
        if (p->segments[i].section < first || p->segments[i].section >= first + count) continue;
        VKP_TRY(submit_segment(p, &p->segments[i], i == last));
        p->in_flight = i == last;
    }
    return VKP_OK;
}

vkp_status vkp_program_run(vkp_program *p, uint32_t first, uint32_t count)
{
    VKP_TRY(vkp_program_submit(p, first, count));
    return vkp_program_wait(p);
}

vkp_status vkp_program_profile(vkp_program *p, uint32_t first, uint32_t count, vkp_profile_row **rows,
                               size_t *row_count)
{
    VKP_TRY(vkp_program_wait(p));
    if (p->generation != p->arena->generation) VKP_TRY(vkp_program_build(p, p->arena));
    VKP_TRY(measured_run(p, first, count));
    const uint32_t begin = p->section_start[first];
    const size_t end = first + count < p->section_count ? p->section_start[first + count] : p->dispatch_count;
    vkp_profile_row *list = calloc(end > begin ? end - begin : 1, sizeof *list);
    if (!list)
        return vkp_fail(VKP_MEMORY, "no memory for a profile (host memory ran out; close other programs)");
    for (size_t i = begin; i < end; i++)
        list[i - begin] =
            (vkp_profile_row){p->dispatches[i].label, vkp_shader_table[p->dispatches[i].d.shader].name,
                              p->dispatches[i].milliseconds, p->dispatches[i].d.flop};
    *rows = list;
    *row_count = end - begin;
    return VKP_OK;
}
