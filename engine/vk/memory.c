#include "vk/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Staging moves in pieces of this size, so that a large transfer needs no second copy of itself. */
#define STAGING_BYTES (16u << 20)

static int find_type(const vkp_device *d, uint32_t allowed, VkMemoryPropertyFlags wanted)
{
    for (uint32_t i = 0; i < d->memory.memoryTypeCount; i++)
        if ((allowed & (1u << i)) && (d->memory.memoryTypes[i].propertyFlags & wanted) == wanted)
            return (int)i;
    return -1;
}

/* Where host and device share memory, tensors are mapped and need no staging. A discrete device's memory is
 * not, even where the host could see it: reading through that window is slower than copying out. */
static int choose_type(const vkp_device *d, uint32_t allowed, vkp_memory_kind kind)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags host =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const bool discrete = d->info.type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    const VkMemoryPropertyFlags order[2][3] = {
        [VKP_MEMORY_DEVICE] = {discrete ? local : local | host, local, 0},
        [VKP_MEMORY_HOST] = {host | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, host, host},
    };
    for (int i = 0; i < 3; i++) {
        const int type = find_type(d, allowed, order[kind][i]);
        if (type >= 0) return type;
    }
    return -1;
}

static vkp_status allocate(vkp_device *d, vkp_memory_kind kind, const char *name, vkp_buffer *b)
{
    VkMemoryRequirements need;
    vkGetBufferMemoryRequirements(d->handle, b->handle, &need);
    const int type = choose_type(d, need.memoryTypeBits, kind);
    if (type < 0)
        return vkp_fail(VKP_DEVICE, "no memory type for %s (unusual driver; try another --device)", name);
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = need.size,
                                       .memoryTypeIndex = (uint32_t)type};
    const VkResult result = vkAllocateMemory(d->handle, &info, NULL, &b->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        b->memory = VK_NULL_HANDLE;
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "no device memory for %s (needs %" PRIu64 " MiB, %" PRIu64
                        " MiB in use; try a smaller --set "
                        "batch or --set size)",
                        name, (need.size + 0xfffff) >> 20, d->allocated >> 20);
    }
    VKP_TRY(VKP_VK_MADE(result, &b->memory, "allocating device memory"));
    vkp_device_name(d, VK_OBJECT_TYPE_DEVICE_MEMORY, (uint64_t)b->memory, name);
    VKP_TRY(vkp_vk_status(vkBindBufferMemory(d->handle, b->handle, b->memory, 0), "binding buffer memory"));
    if (d->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
        VKP_TRY(vkp_vk_status(vkMapMemory(d->handle, b->memory, 0, VK_WHOLE_SIZE, 0, &b->mapped),
                              "mapping a buffer"));
    return VKP_OK;
}

vkp_status vkp_buffer_create(vkp_device *d, uint64_t bytes, vkp_memory_kind kind, const char *name,
                             vkp_buffer *out)
{
    const uint64_t most = d->info.limits.max_allocation;
    if (bytes > most)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "no device memory for %s (needs %" PRIu64
                        " MiB in one piece, the device allows %" PRIu64
                        " MiB; try a smaller --set batch or --set size)",
                        name, bytes >> 20, most >> 20);
    vkp_buffer b = {.bytes = (bytes + 15) & ~(uint64_t)15};
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = b.bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    VKP_TRY(VKP_VK_MADE(vkCreateBuffer(d->handle, &info, NULL, &b.handle), &b.handle, "making a buffer"));
    vkp_device_name(d, VK_OBJECT_TYPE_BUFFER, (uint64_t)b.handle, name);
    const vkp_status status = allocate(d, kind, name, &b);
    if (status != VKP_OK) {
        vkDestroyBuffer(d->handle, b.handle, NULL);
        if (b.memory) vkFreeMemory(d->handle, b.memory, NULL);
        return status;
    }
    d->allocated += b.bytes;
    if (d->allocated > d->peak) d->peak = d->allocated;
    *out = b;
    return VKP_OK;
}

void vkp_buffer_destroy(vkp_device *d, vkp_buffer *b)
{
    if (b->handle) vkDestroyBuffer(d->handle, b->handle, NULL);
    if (b->memory) {
        vkFreeMemory(d->handle, b->memory, NULL);
        d->allocated -= b->bytes;
    }
    *b = (vkp_buffer){0};
}

/* One transfer command recorded, submitted and waited for. Without a source the region is filled with zeros.
 */
static vkp_status transfer(vkp_device *d, VkBuffer from, VkBuffer to, const VkBufferCopy *region)
{
    VkCommandBuffer cmd;
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = d->command_pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    VKP_TRY(vkp_vk_status(vkAllocateCommandBuffers(d->handle, &info, &cmd), "making a command buffer"));
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkResult result = vkBeginCommandBuffer(cmd, &begin);
    if (result == VK_SUCCESS) {
        if (from)
            vkCmdCopyBuffer(cmd, from, to, 1, region);
        else
            vkCmdFillBuffer(cmd, to, region->dstOffset, region->size, 0);
        const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                         .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                         .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT |
                                                          VK_ACCESS_SHADER_READ_BIT |
                                                          VK_ACCESS_SHADER_WRITE_BIT};
        vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT,
                             VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                             &barrier, 0, NULL, 0, NULL);
        result = vkEndCommandBuffer(cmd);
    }
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &cmd};
    if (result == VK_SUCCESS) {
        result = vkQueueSubmit(d->queue, 1, &submit, VK_NULL_HANDLE);
        if (result == VK_SUCCESS) result = vkQueueWaitIdle(d->queue);
        if (result != VK_SUCCESS) vkp_device_settle(d);
    }
    vkFreeCommandBuffers(d->handle, d->command_pool, 1, &cmd);
    return vkp_vk_status(result, "copying between host and device");
}

/* Moves through a staging buffer piece by piece; exactly one of `in` and `out` is given. */
static vkp_status stage(vkp_device *d, const vkp_buffer *b, uint64_t offset, const void *in, void *out,
                        uint64_t bytes)
{
    vkp_buffer staging = {0};
    VKP_TRY(vkp_buffer_create(d, bytes < STAGING_BYTES ? bytes : STAGING_BYTES, VKP_MEMORY_HOST, "staging",
                              &staging));
    vkp_status status = VKP_OK;
    for (uint64_t done = 0; done < bytes && status == VKP_OK;) {
        const uint64_t piece = bytes - done < STAGING_BYTES ? bytes - done : STAGING_BYTES;
        if (in) {
            memcpy(staging.mapped, (const char *)in + done, piece);
            status = transfer(d, staging.handle, b->handle,
                              &(VkBufferCopy){.dstOffset = offset + done, .size = piece});
        } else {
            status = transfer(d, b->handle, staging.handle,
                              &(VkBufferCopy){.srcOffset = offset + done, .size = piece});
            if (status == VKP_OK) memcpy((char *)out + done, staging.mapped, piece);
        }
        done += piece;
    }
    vkp_buffer_destroy(d, &staging);
    return status;
}

static vkp_status check_range(const vkp_buffer *b, uint64_t offset, uint64_t bytes)
{
    if (offset > b->bytes || bytes > b->bytes - offset)
        return vkp_fail(VKP_INTERNAL,
                        "copy of %" PRIu64 " bytes at %" PRIu64 " leaves a buffer of %" PRIu64
                        " bytes (a mistake in vkpix; please report it)",
                        bytes, offset, b->bytes);
    return VKP_OK;
}

vkp_status vkp_buffer_write(vkp_device *d, const vkp_buffer *b, uint64_t offset, const void *data,
                            uint64_t bytes)
{
    VKP_TRY(check_range(b, offset, bytes));
    if (!b->mapped) return stage(d, b, offset, data, NULL, bytes);
    memcpy((char *)b->mapped + offset, data, bytes);
    return VKP_OK;
}

vkp_status vkp_buffer_read(vkp_device *d, const vkp_buffer *b, uint64_t offset, void *data, uint64_t bytes)
{
    VKP_TRY(check_range(b, offset, bytes));
    if (!b->mapped) return stage(d, b, offset, NULL, data, bytes);
    memcpy(data, (const char *)b->mapped + offset, bytes);
    return VKP_OK;
}

vkp_status vkp_buffer_clear(vkp_device *d, const vkp_buffer *b)
{
    if (!b->mapped) return transfer(d, VK_NULL_HANDLE, b->handle, &(VkBufferCopy){.size = b->bytes});
    memset(b->mapped, 0, b->bytes);
    return VKP_OK;
}
