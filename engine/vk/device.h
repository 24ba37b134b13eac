/* The Vulkan device: listing, choosing and opening one, and what it can do.
 *
 * Everything an operation needs to know of the hardware is a field of vkp_limits; nothing else of the
 * library asks Vulkan for a property. Volk's function pointers are global, so one process uses one
 * open device at a time, from one thread at a time. */
#ifndef VKP_VK_DEVICE_H
#define VKP_VK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <volk.h>

#include "base/status.h"

/* Cooperative matrices: a subgroup of `lanes` lanes adds products of m x k and k x n matrices of 16-bit
 * floats to m x n matrices of 32-bit ones. m is 0 where there are none. */
typedef struct vkp_matrix {
    uint32_t m, n, k, lanes;
    bool loops; /* made up: shaders do in loops what matrices would */
} vkp_matrix;

/* Sizes are in bytes, counts in what their names say. With VKPIX_LIMITS=minimum in the environment all
 * are clamped to the smallest that Vulkan 1.1 allows and every optional feature is off; with
 * VKPIX_LIMITS=storage nothing fits a texel buffer; with VKPIX_LIMITS=matrix there are
 * cooperative matrices, made up of loops. */
typedef struct vkp_limits {
    uint64_t storage_range;      /* largest range of one storage-buffer binding */
    uint64_t max_allocation;     /* largest single allocation */
    uint64_t memory_budget;      /* bytes of device-local memory this process may use */
    uint32_t texel_elements;     /* largest number of texels in one texel-buffer view */
    uint32_t storage_align;      /* alignment of a storage binding's offset */
    uint32_t texel_align;        /* alignment of a texel view's offset */
    uint32_t group_invocations;  /* invocations in one workgroup */
    uint32_t group_size[3];      /* the same by dimension */
    uint32_t group_count[3];     /* workgroups of one dispatch by dimension */
    uint32_t shared_bytes;       /* shared memory of one workgroup */
    uint32_t push_bytes;         /* push constants */
    uint32_t storage_buffers;    /* storage buffers one shader may bind */
    uint32_t subgroup_size;      /* lanes, when it can be relied on; 0 otherwise */
    bool shuffle;                /* subgroupShuffle in compute shaders, with subgroup_size known */
    uint32_t at_once;            /* invocations that fill the device; Vulkan does not tell: a guess by type */
    bool half;                   /* operations may round what they multiply to 16-bit floats */
    vkp_matrix matrix;
    float timestamp_ns;          /* nanoseconds a timestamp tick; 0: no timestamps */
} vkp_limits;

typedef struct vkp_device_info {
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char driver[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE];
    uint32_t vendor_id, device_id, driver_version, api_version;
    uint8_t cache_uuid[VK_UUID_SIZE];
    VkPhysicalDeviceType type;
    vkp_limits limits;
} vkp_device_info;

struct vkp_pipeline_cache;
struct vkp_chooser;

/* An open device. Read its fields freely; only engine/vk writes them, but for `chooser`. */
typedef struct vkp_device {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice handle;
    VkQueue queue;
    uint32_t queue_family;
    VkCommandPool command_pool;
    VkPhysicalDeviceMemoryProperties memory;
    vkp_device_info info;
    VkDebugUtilsMessengerEXT messenger;
    bool debug_names;            /* objects are named: the validation layer is on */
    bool subgroup_control;       /* pipelines may demand a subgroup size */
    bool full_subgroups;         /* and that every subgroup has all its lanes */
    _Atomic unsigned messages;   /* warnings and errors of the validation layer so far; from any thread */
    bool silent;                 /* it did not answer in all the time it had: freeing waits for it no more */
    uint64_t dispatches;         /* dispatches submitted so far */
    uint64_t allocated, peak;    /* bytes of device memory now and at most */
    struct vkp_pipeline_cache *pipelines;
    struct vkp_chooser *chooser; /* between variants (ops/variant.h), set by who owns it; NULL: their order */
} vkp_device;

/* Lists the machine's Vulkan 1.1 devices in the driver's order. *list is malloc'd (the caller frees it);
 * *count may be 0. NO_DEVICE when there is no Vulkan loader or driver at all. */
VKP_MUST_USE vkp_status vkp_device_list(vkp_device_info **list, size_t *count);

/* Opens a device. `choice` is a number in vkp_device_list's order, "cpu" for a software device, or a
 * part of a device's name (case does not matter); NULL or "" asks the environment's VKPIX_DEVICE, and
 * without it takes the first discrete, else integrated, else virtual, else software device.
 * VKPIX_VALIDATE=1 in the environment switches the validation layer and its synchronization checks on,
 * VKPIX_PRECISION=half sets the limits' `half`.
 * The caller closes *out with vkp_device_close. NO_DEVICE when nothing matches. */
VKP_MUST_USE vkp_status vkp_device_open(const char *choice, vkp_device **out);

/* Writes the pipeline cache to disk and destroys the device; NULL is allowed. */
void vkp_device_close(vkp_device *device);

/* "discrete", "integrated", "virtual", "cpu" or "other". */
const char *vkp_device_type_name(VkPhysicalDeviceType type);

/* Whether a physical device has the extension; for the files of engine/vk. MEMORY, DEVICE. */
VKP_MUST_USE vkp_status vkp_device_has_extension(VkPhysicalDevice physical, const char *name, bool *found);

/* Turns the result of a Vulkan call into a status whose text names `what` was being done. */
VKP_MUST_USE vkp_status vkp_vk_status(VkResult result, const char *what);

/* The same for a call that makes an object of `bytes` at `handle`, which becomes null where it failed: Vulkan
 * leaves it undefined then, and what is null need not be destroyed. */
VKP_MUST_USE vkp_status vkp_vk_made(VkResult result, void *handle, size_t bytes, const char *what);
#define VKP_VK_MADE(result, handle, what) vkp_vk_made(result, handle, sizeof *(handle), what)

/* Waits until nothing runs on the device, after a failure too: then what was submitted may be freed. */
void vkp_device_settle(vkp_device *device);

/* Names a Vulkan object for the validation layer's messages; nothing when the layer is off. */
void vkp_device_name(const vkp_device *device, VkObjectType type, uint64_t handle, const char *name);

#endif
