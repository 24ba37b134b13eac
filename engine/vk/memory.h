/* Buffers: allocation, and bytes in and out of them. */
#ifndef VKP_VK_MEMORY_H
#define VKP_VK_MEMORY_H

#include "vk/device.h"

typedef enum vkp_memory_kind {
    VKP_MEMORY_DEVICE, /* fast for the device; mapped only where the device shares the host's memory */
    VKP_MEMORY_HOST,   /* always mapped and coherent: for what host and device exchange each step */
} vkp_memory_kind;

/* A buffer with memory of its own. `mapped` is NULL when the host cannot see it. */
typedef struct vkp_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    uint64_t bytes;
    void *mapped;
} vkp_buffer;

/* Makes a storage, texel and transfer buffer of `bytes` (> 0), content undefined. `name` is for messages.
 * DEVICE_MEMORY when the device has no room: the text says how much was asked for.
 * The caller frees it with vkp_buffer_destroy. */
VKP_MUST_USE vkp_status vkp_buffer_create(vkp_device *device, uint64_t bytes, vkp_memory_kind kind,
                                          const char *name, vkp_buffer *out);

/* Frees a buffer that no submitted work uses; a zeroed one is allowed. Zeroes *buffer. */
void vkp_buffer_destroy(vkp_device *device, vkp_buffer *buffer);

/* Copies `bytes` to or from `offset` of a buffer, through a staging buffer where it is not mapped.
 * The device must be idle. Offsets and sizes are in bytes, multiples of 4. */
VKP_MUST_USE vkp_status vkp_buffer_write(vkp_device *device, const vkp_buffer *buffer, uint64_t offset,
                                         const void *data, uint64_t bytes);
VKP_MUST_USE vkp_status vkp_buffer_read(vkp_device *device, const vkp_buffer *buffer, uint64_t offset,
                                        void *data, uint64_t bytes);

/* Sets all of a buffer to zero. The device must be idle. */
VKP_MUST_USE vkp_status vkp_buffer_clear(vkp_device *device, const vkp_buffer *buffer);

#endif
