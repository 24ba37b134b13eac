#define VOLK_IMPLEMENTATION
#include "vk/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vk/matrix.h"
#include "vk/pipeline.h"

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

static bool environment_is(const char *name, const char *value)
{
    const char *found = getenv(name);
    return found && strcmp(found, value) == 0;
}

vkp_status vkp_vk_status(VkResult result, const char *what)
{
    switch (result) {
    case VK_SUCCESS:
        return VKP_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return vkp_fail(VKP_MEMORY, "%s failed (the driver ran out of host memory; close other programs)",
                        what);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "%s failed (out of device memory; use a smaller batch or size, or another --device)",
                        what);
    case VK_ERROR_DEVICE_LOST:
        return vkp_fail(VKP_DEVICE_LOST,
                        "%s failed (the device was lost; update its driver or try another --device)", what);
    default:
        return vkp_fail(VKP_DEVICE, "%s failed (Vulkan result %d; update the driver or try another --device)",
                        what, (int)result);
    }
}

vkp_status vkp_vk_made(VkResult result, void *handle, size_t bytes, const char *what)
{
    if (result != VK_SUCCESS) memset(handle, 0, bytes);
    return vkp_vk_status(result, what);
}

void vkp_device_settle(vkp_device *d)
{
    /* A wait that found no memory says nothing about the work. A lost device has none. */
    enum { TRIES = 3 };
    for (int i = 0; i < TRIES && !d->silent; i++) {
        const VkResult result = vkDeviceWaitIdle(d->handle);
        if (result == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST) return;
    }
}

const char *vkp_device_type_name(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return "cpu";
    default: return "other";
    }
}

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    (void)severity;
    (void)types;
    ((vkp_device *)user)->messages++;
    fprintf(stderr, "vkpix: validation: %s\n", data->pMessage);
    return VK_FALSE;
}

static VkDebugUtilsMessengerCreateInfoEXT messenger_info(vkp_device *device)
{
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType =
            VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = device,
    };
}

/* The instance; with `device` and VKPIX_VALIDATE=1 also the validation layer, reporting to that device. */
static vkp_status make_instance(vkp_device *device, VkInstance *out)
{
    if (volkInitialize() != VK_SUCCESS)
        return vkp_fail(VKP_NO_DEVICE,
                        "no Vulkan loader (libvulkan.so.1 was not found; install libvulkan1 and a "
                        "driver such as mesa-vulkan-drivers)");
    const bool validate = device && environment_is("VKPIX_VALIDATE", "1");
    const char *layers[] = {VALIDATION_LAYER};
    const char *extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    const VkValidationFeatureEnableEXT enables[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(device);
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .pNext = &messenger,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = enables};
    const uint32_t loader = volkGetInstanceVersion();
    const VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .pApplicationName = "vkpix",
                                   .apiVersion =
                                       loader < VK_API_VERSION_1_1 ? VK_API_VERSION_1_0 : VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
    if (validate) {
        info.pNext = &features;
        info.enabledLayerCount = 1;
        info.ppEnabledLayerNames = layers;
        info.enabledExtensionCount = 1;
        info.ppEnabledExtensionNames = extensions;
    }
    const VkResult result = vkCreateInstance(&info, NULL, out);
    if (result == VK_ERROR_LAYER_NOT_PRESENT)
        return vkp_fail(VKP_NO_DEVICE, "no Vulkan validation layer (VKPIX_VALIDATE=1 asks for it; install "
                                       "vulkan-validationlayers)");
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return vkp_fail(VKP_NO_DEVICE, "no Vulkan driver (the loader found none; install a driver such as "
                                       "mesa-vulkan-drivers)");
    VKP_TRY(VKP_VK_MADE(result, out, "making the Vulkan instance"));
    volkLoadInstance(*out);
    if (validate) {
        device->debug_names = true;
        const VkResult made = vkCreateDebugUtilsMessengerEXT(*out, &messenger, NULL, &device->messenger);
        VKP_TRY(VKP_VK_MADE(made, &device->messenger, "making the validation messenger"));
    }
    return VKP_OK;
}

vkp_status vkp_device_has_extension(VkPhysicalDevice physical, const char *name, bool *found)
{
    *found = false;
    uint32_t count = 0;
    VKP_TRY(vkp_vk_status(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, NULL),
                          "listing extensions"));
    VkExtensionProperties *list = calloc(count ? count : 1, sizeof *list);
    if (!list)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the list of extensions (host memory ran out; close programs)");
    const VkResult result = vkEnumerateDeviceExtensionProperties(physical, NULL, &count, list);
    for (uint32_t i = 0; i < count && result >= VK_SUCCESS; i++)
        if (strcmp(list[i].extensionName, name) == 0) *found = true;
    free(list);
    return result < VK_SUCCESS ? vkp_vk_status(result, "listing extensions") : VKP_OK;
}

/* The smallest limits of the Vulkan 1.1 specification's table "Required Limits", and no feature. */
static void force_minimum(vkp_limits *l)
{
    const vkp_limits least = {.storage_range = 1u << 27, .texel_elements = 65536, .storage_align = 256,
                              .texel_align = 256, .group_invocations = 128, .group_size = {128, 128, 64},
                              .group_count = {65535, 65535, 65535}, .shared_bytes = 16384, .push_bytes = 128,
                              .storage_buffers = 4};
    const uint64_t allocation = l->max_allocation < 1u << 30 ? l->max_allocation : 1u << 30;
    const uint64_t budget = l->memory_budget;
    const uint32_t at_once = l->at_once;
    *l = least;
    l->max_allocation = allocation;
    l->memory_budget = budget;
    l->at_once = at_once;
}

/* Of a discrete GPU four groups of 128 on each of 128 processors; others have some ten processors, and a
 * software driver has the host's cores. */
static uint32_t guess_at_once(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 65536;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 256;
    default: return 8192;
    }
}

static vkp_status read_limits(VkPhysicalDevice physical, const VkPhysicalDeviceProperties *p, vkp_limits *l)
{
    bool size_control, budget_known;
    VKP_TRY(vkp_device_has_extension(physical, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, &size_control));
    VKP_TRY(vkp_device_has_extension(physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, &budget_known));
    VkPhysicalDeviceSubgroupSizeControlPropertiesEXT control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType =
                                                       VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
                                                   .pNext = size_control ? &control : NULL};
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &maintenance};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {.sType =
                                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                                .pNext = budget_known ? &budget : NULL};
    vkGetPhysicalDeviceMemoryProperties2(physical, &memory);

    *l = (vkp_limits){.storage_range = p->limits.maxStorageBufferRange,
                      .max_allocation = maintenance.maxMemoryAllocationSize,
                      .texel_elements = p->limits.maxTexelBufferElements,
                      .storage_align = (uint32_t)p->limits.minStorageBufferOffsetAlignment,
                      .texel_align = (uint32_t)p->limits.minTexelBufferOffsetAlignment,
                      .group_invocations = p->limits.maxComputeWorkGroupInvocations,
                      .shared_bytes = p->limits.maxComputeSharedMemorySize,
                      .push_bytes = p->limits.maxPushConstantsSize,
                      .storage_buffers = p->limits.maxPerStageDescriptorStorageBuffers,
                      .at_once = guess_at_once(p->deviceType)};
    for (int i = 0; i < 3; i++) {
        l->group_size[i] = p->limits.maxComputeWorkGroupSize[i];
        l->group_count[i] = p->limits.maxComputeWorkGroupCount[i];
    }
    for (uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; i++) {
        if (!(memory.memoryProperties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)) continue;
        const uint64_t bytes =
            budget_known ? budget.heapBudget[i] : memory.memoryProperties.memoryHeaps[i].size;
        if (bytes > l->memory_budget) l->memory_budget = bytes;
    }
    /* A software driver's memory is the host's, whatever size it makes up for its heap. */
    if (p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) {
        const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        const uint64_t host = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 4 * 3 : 0;
        if (host > l->memory_budget) l->memory_budget = host;
    }
    /* A shader that counts on the lanes of a subgroup needs to choose their number, or a device that has
     * only one; without the extension nothing says which, so such shaders are not used. */
    const bool fixed = size_control && (control.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                       subgroup.subgroupSize >= control.minSubgroupSize &&
                       subgroup.subgroupSize <= control.maxSubgroupSize;
    if (fixed) l->subgroup_size = subgroup.subgroupSize;
    l->shuffle = fixed && (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                 (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    if (fixed) VKP_TRY(vkp_matrix_read(physical, l->subgroup_size, &l->matrix));
    if (p->limits.timestampComputeAndGraphics) l->timestamp_ns = p->limits.timestampPeriod;
    if (environment_is("VKPIX_LIMITS", "minimum")) force_minimum(l);
    if (environment_is("VKPIX_LIMITS", "storage")) l->texel_elements = 0;
    if (environment_is("VKPIX_LIMITS", "matrix"))
        l->matrix = (vkp_matrix){.m = 16, .n = 16, .k = 16, .lanes = 32, .loops = true};
    l->half = environment_is("VKPIX_PRECISION", "half");
    return VKP_OK;
}

static vkp_status read_info(VkPhysicalDevice physical, vkp_device_info *info)
{
    bool driver_known;
    VKP_TRY(vkp_device_has_extension(physical, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME, &driver_known));
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = driver_known ? &driver : NULL};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    const VkPhysicalDeviceProperties *p = &properties.properties;
    *info = (vkp_device_info){.vendor_id = p->vendorID, .device_id = p->deviceID, .type = p->deviceType,
                              .driver_version = p->driverVersion, .api_version = p->apiVersion};
    snprintf(info->name, sizeof info->name, "%s", p->deviceName);
    snprintf(info->driver, sizeof info->driver, "%s%s%s", driver.driverName, driver.driverInfo[0] ? " " : "",
             driver.driverInfo);
    memcpy(info->cache_uuid, p->pipelineCacheUUID, sizeof info->cache_uuid);
    return read_limits(physical, p, &info->limits);
}

/* All physical devices of Vulkan 1.1 or later, with what is known of each. Both lists are malloc'd. */
static vkp_status enumerate(VkInstance instance, VkPhysicalDevice **handles, vkp_device_info **infos,
                            size_t *count)
{
    uint32_t n = 0;
    VKP_TRY(vkp_vk_status(vkEnumeratePhysicalDevices(instance, &n, NULL), "listing Vulkan devices"));
    VkPhysicalDevice *all = calloc(n ? n : 1, sizeof *all);
    vkp_device_info *list = calloc(n ? n : 1, sizeof *list);
    vkp_status status = all && list
                            ? VKP_OK
                            : vkp_fail(VKP_MEMORY, "no memory for the list of devices (host memory ran out; "
                                                   "close other programs)");
    if (status == VKP_OK)
        status = vkp_vk_status(vkEnumeratePhysicalDevices(instance, &n, all), "listing Vulkan devices");
    *count = 0;
    for (uint32_t i = 0; i < n && status == VKP_OK; i++) {
        VkPhysicalDeviceProperties p;
        vkGetPhysicalDeviceProperties(all[i], &p);
        if (p.apiVersion < VK_API_VERSION_1_1) continue;
        status = read_info(all[i], &list[*count]);
        all[(*count)++] = all[i];
    }
    if (status != VKP_OK) {
        free(all);
        free(list);
        return status;
    }
    *handles = all;
    *infos = list;
    return VKP_OK;
}

vkp_status vkp_device_list(vkp_device_info **list, size_t *count)
{
    VkInstance instance = VK_NULL_HANDLE;
    VKP_TRY(make_instance(NULL, &instance));
    VkPhysicalDevice *handles = NULL;
    const vkp_status status = enumerate(instance, &handles, list, count);
    free(handles);
    vkDestroyInstance(instance, NULL);
    return status;
}

static bool name_contains(const char *name, const char *part)
{
    const size_t length = strlen(part);
    for (; *name; name++)
        if (strncasecmp(name, part, length) == 0) return true;
    return false;
}

/* Lower is better; the order is part of the command line's contract. */
static int preference(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 3;
    default: return 4;
    }
}

static vkp_status choose(const vkp_device_info *infos, size_t count, const char *choice, size_t *index)
{
    if (!count)
        return vkp_fail(VKP_NO_DEVICE, "no Vulkan 1.1 device (no driver offers one; install a driver such as "
                                       "mesa-vulkan-drivers)");
    if (!choice || !*choice) choice = getenv("VKPIX_DEVICE");
    if (choice && *choice) {
        char *end;
        const unsigned long number = strtoul(choice, &end, 10);
        const bool is_number = isdigit((unsigned char)*choice) && !*end;
        for (size_t i = 0; i < count; i++) {
            const bool cpu = strcmp(choice, "cpu") == 0 && infos[i].type == VK_PHYSICAL_DEVICE_TYPE_CPU;
            if (is_number ? i == number : cpu || name_contains(infos[i].name, choice)) {
                *index = i;
                return VKP_OK;
            }
        }
        return vkp_fail(VKP_NO_DEVICE, "no device '%s' (there are %zu, numbered from 0; see vkpix devices)",
                        choice, count);
    }
    *index = 0;
    for (size_t i = 1; i < count; i++)
        if (preference(infos[i].type) < preference(infos[*index].type)) *index = i;
    return VKP_OK;
}

static vkp_status pick_queue_family(vkp_device *d)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = sizeof families / sizeof *families;
    vkGetPhysicalDeviceQueueFamilyProperties(d->physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        d->queue_family = i;
        if (!families[i].timestampValidBits) d->info.limits.timestamp_ns = 0;
        return VKP_OK;
    }
    return vkp_fail(VKP_NO_DEVICE,
                    "device %s cannot compute (it has no compute queue; choose another --device)",
                    d->info.name);
}

/* What of the optional features is asked for. */
typedef struct optional {
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT subgroups;
    vkp_matrix_features matrix;
    const char *extensions[1 + VKP_MATRIX_EXTENSIONS];
    uint32_t extension_count;
    void *first; /* of the chain of features */
} optional;

/* Fills it, and takes back what the device's limits promise where a feature behind it is missing. */
static void ask_for_features(vkp_device *d, optional *o)
{
    vkp_limits *l = &d->info.limits;
    *o = (optional){
        .subgroups = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT}};
    if (l->subgroup_size) {
        VkPhysicalDeviceFeatures2 asked = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                           .pNext = &o->subgroups};
        vkGetPhysicalDeviceFeatures2(d->physical, &asked);
        d->full_subgroups = o->subgroups.computeFullSubgroups;
        d->subgroup_control = o->subgroups.subgroupSizeControl;
        if (!d->subgroup_control) l->subgroup_size = 0, l->shuffle = false;
    }
    if (d->subgroup_control) {
        o->extensions[o->extension_count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
        o->first = &o->subgroups;
    }
    if (!l->matrix.m || l->matrix.loops) return;
    if (!d->subgroup_control || !d->full_subgroups) {
        l->matrix = (vkp_matrix){0};
        return;
    }
    vkp_matrix_enable(&o->matrix, o->first);
    o->first = o->matrix.first;
    for (size_t i = 0; i < VKP_MATRIX_EXTENSIONS; i++)
        o->extensions[o->extension_count++] = vkp_matrix_extensions[i];
}

static vkp_status make_device(vkp_device *d)
{
    optional features;
    ask_for_features(d, &features);
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = d->queue_family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = features.first,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = features.extension_count,
                                     .ppEnabledExtensionNames = features.extensions};
    VKP_TRY(VKP_VK_MADE(vkCreateDevice(d->physical, &info, NULL, &d->handle), &d->handle,
                        "opening the Vulkan device"));
    volkLoadDevice(d->handle);
    vkGetDeviceQueue(d->handle, d->queue_family, 0, &d->queue);
    vkGetPhysicalDeviceMemoryProperties(d->physical, &d->memory);
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = d->queue_family};
    VKP_TRY(VKP_VK_MADE(vkCreateCommandPool(d->handle, &pool, NULL, &d->command_pool), &d->command_pool,
                        "making the command pool"));
    vkp_device_name(d, VK_OBJECT_TYPE_COMMAND_POOL, (uint64_t)d->command_pool, "commands");
    vkp_device_name(d, VK_OBJECT_TYPE_QUEUE, (uint64_t)(uintptr_t)d->queue, "compute");
    return VKP_OK;
}

static vkp_status open_chosen(vkp_device *d, const char *choice)
{
    VKP_TRY(make_instance(d, &d->instance));
    VkPhysicalDevice *handles = NULL;
    vkp_device_info *infos = NULL;
    size_t count = 0, index = 0;
    VKP_TRY(enumerate(d->instance, &handles, &infos, &count));
    const vkp_status status = choose(infos, count, choice, &index);
    if (status == VKP_OK) {
        d->physical = handles[index];
        d->info = infos[index];
    }
    free(handles);
    free(infos);
    VKP_TRY(status);
    VKP_TRY(pick_queue_family(d));
    VKP_TRY(make_device(d));
    return vkp_pipeline_cache_open(d);
}

vkp_status vkp_device_open(const char *choice, vkp_device **out)
{
    vkp_device *d = calloc(1, sizeof *d);
    if (!d) return vkp_fail(VKP_MEMORY, "no memory for a device (host memory ran out; close other programs)");
    const vkp_status status = open_chosen(d, choice);
    if (status != VKP_OK) {
        vkp_device_close(d);
        return status;
    }
    *out = d;
    return VKP_OK;
}

void vkp_device_close(vkp_device *d)
{
    if (!d) return;
    if (d->handle) {
        vkp_device_settle(d);
        vkp_pipeline_cache_close(d);
        if (d->command_pool) vkDestroyCommandPool(d->handle, d->command_pool, NULL);
        vkDestroyDevice(d->handle, NULL);
    }
    if (d->messenger) vkDestroyDebugUtilsMessengerEXT(d->instance, d->messenger, NULL);
    if (d->instance) vkDestroyInstance(d->instance, NULL);
    free(d);
}

void vkp_device_name(const vkp_device *d, VkObjectType type, uint64_t handle, const char *name)
{
    if (!d->debug_names || !name) return;
    const VkDebugUtilsObjectNameInfoEXT info = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                                .objectType = type,
                                                .objectHandle = handle,
                                                .pObjectName = name};
    /* A name is a convenience of the debugger: failing to set one changes nothing that is computed. */
    (void)vkSetDebugUtilsObjectNameEXT(d->handle, &info);
}
