/* The file that keeps a driver's pipeline cache: a header that says whose the data is and whether it is
 * whole, then the driver's own data. The driver checks its part too, but not against damage. */
#ifndef VKP_VK_CACHE_FILE_H
#define VKP_VK_CACHE_FILE_H

#include "vk/device.h"

typedef struct vkp_cache_header {
    uint32_t magic, vendor_id, device_id, driver_version;
    uint8_t uuid[VK_UUID_SIZE];
    uint64_t bytes, checksum; /* of the data: length and XXH3 */
} vkp_cache_header;

/* The header of a file with this data, for the device. */
vkp_cache_header vkp_cache_header_for(const vkp_device_info *device, const void *data, size_t bytes);

/* The data in a whole file and its length, a part of `file`; NULL when the file is not exactly what this
 * device wrote. */
const void *vkp_cache_file_data(const vkp_device_info *device, const void *file, size_t size, size_t *bytes);

#endif
