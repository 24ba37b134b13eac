#include "vk/cache_file.h"

#include <string.h>

#include <xxhash.h>

#define CACHE_MAGIC 0x31504b56u /* "VKP1" */

vkp_cache_header vkp_cache_header_for(const vkp_device_info *device, const void *data, size_t bytes)
{
    vkp_cache_header h = {.magic = CACHE_MAGIC,
                          .vendor_id = device->vendor_id,
                          .device_id = device->device_id,
                          .driver_version = device->driver_version,
                          .bytes = bytes,
                          .checksum = XXH3_64bits(data, bytes)};
    memcpy(h.uuid, device->cache_uuid, sizeof h.uuid);
    return h;
}

const void *vkp_cache_file_data(const vkp_device_info *device, const void *file, size_t size, size_t *bytes)
{
    *bytes = 0;
    if (size < sizeof(vkp_cache_header)) return NULL;
    const uint8_t *data = (const uint8_t *)file + sizeof(vkp_cache_header);
    const vkp_cache_header want = vkp_cache_header_for(device, data, size - sizeof want);
    if (memcmp(file, &want, sizeof want) != 0) return NULL;
    *bytes = size - sizeof want;
    return data;
}
