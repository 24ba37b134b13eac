#include "faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "fault_shader.h"
#include "shaders.h"

#define H VK_ERROR_OUT_OF_HOST_MEMORY
#define D VK_ERROR_OUT_OF_DEVICE_MEMORY
#define L VK_ERROR_DEVICE_LOST

/* name without vk; results as the specification lists them; the words an error has. */
#define CALLS(X)                                                                                      \
    X(CreateInstance, "instance", H, D, VK_ERROR_INITIALIZATION_FAILED)                               \
    X(EnumeratePhysicalDevices, "devices", H, D, VK_ERROR_INITIALIZATION_FAILED)                      \
    X(EnumerateDeviceExtensionProperties, "extensions", H, D)                                         \
    X(CreateDevice, "opening the Vulkan device", H, VK_ERROR_INITIALIZATION_FAILED, L)                \
    X(CreateDebugUtilsMessengerEXT, "messenger", H)                                                   \
    X(CreateCommandPool, "command pool", H, D)                                                        \
    X(CreatePipelineCache, "pipeline cache", H, D)                                                    \
    X(GetPipelineCacheData, "", H, D)                                                                 \
    X(CreateBuffer, "buffer", H, D)                                                                   \
    X(AllocateMemory, "memory", D, H)                                                                 \
    X(BindBufferMemory, "binding", H, D)                                                              \
    X(MapMemory, "mapping", H, VK_ERROR_MEMORY_MAP_FAILED)                                            \
    X(CreateBufferView, "buffer view", H, D)                                                          \
    X(CreateDescriptorSetLayout, "descriptor set layout", H, D)                                       \
    X(CreatePipelineLayout, "pipeline layout", H, D)                                                  \
    X(CreateShaderModule, "", H, VK_ERROR_INVALID_SHADER_NV)                                          \
    X(CreateComputePipelines, "", H, D, VK_ERROR_INVALID_SHADER_NV)                                   \
    X(CreateDescriptorPool, "descriptor pool", H, D)                                                  \
    X(AllocateDescriptorSets, "descriptor set", D, VK_ERROR_FRAGMENTED_POOL, H)                       \
    X(AllocateCommandBuffers, "command buffer", H, D)                                                 \
    X(BeginCommandBuffer, "", H, D)                                                                   \
    X(EndCommandBuffer, "", H, D)                                                                     \
    X(CreateFence, "fence", H, D)                                                                     \
    X(ResetFences, "fence", D)                                                                        \
    X(CreateQueryPool, "query pool", H, D)                                                            \
    X(GetQueryPoolResults, "timestamps", L, H)                                                        \
    X(QueueSubmit, "", L, H, D)                                                                       \
    X(WaitForFences, "waiting for the device", L, H, VK_TIMEOUT)                                      \
    X(QueueWaitIdle, "", L, D)                                                                        \
    X(DeviceWaitIdle, "", L, H)

enum {
#define X(name, says, ...) CALL_##name,
    CALLS(X)
#undef X
        CALL_COUNT
};

static const faults_call calls[] = {
#define X(name, says, ...) {"vk" #name, says, {__VA_ARGS__}},
    CALLS(X)
#undef X
};

#undef H
#undef D
#undef L

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    size_t call;
    unsigned nth; /* 0: nothing is armed */
    VkResult result;
    bool lasting, struck, lost;
} armed;
static unsigned made[CALL_COUNT];
static unsigned mistakes;
static faults_tally tally;
static uint64_t memory_limit, memory_peak;
static char broken[64];
static float broken_value;
static unsigned *broken_stores;

const faults_call *faults_call_at(size_t index) { return index < CALL_COUNT ? &calls[index] : NULL; }

size_t faults_find(const char *name)
{
    for (size_t i = 0; i < CALL_COUNT; i++)
        if (strcmp(calls[i].name, name) == 0) return i;
    fail_msg("no call %s", name);
    return 0;
}

void faults_arm(size_t call, unsigned nth, VkResult result, bool lasting)
{
    pthread_mutex_lock(&lock);
    memset(made, 0, sizeof made);
    armed.call = call;
    armed.nth = nth;
    armed.result = result;
    armed.lasting = lasting;
    armed.struck = armed.lost = false;
    pthread_mutex_unlock(&lock);
}

void faults_disarm(void) { faults_arm(0, 0, VK_SUCCESS, false); }
bool faults_struck(void) { return armed.struck; }
unsigned faults_made(size_t call) { return made[call]; }
void faults_memory(uint64_t bytes)
{
    memory_limit = bytes;
    memory_peak = tally.bytes;
}
uint64_t faults_memory_peak(void) { return memory_peak; }
faults_tally faults_now(void) { return tally; }
unsigned faults_mistakes(void) { return mistakes; }

void faults_shader(const char *name, float value, unsigned *stores)
{
    snprintf(broken, sizeof broken, "%s", name ? name : "");
    broken_value = value;
    broken_stores = stores;
    if (stores) *stores = 0;
}

static void mistake(const char *what)
{
    fprintf(stderr, "mistake: %s\n", what);
    mistakes++;
}

static bool can_be_lost(size_t call)
{
    for (int i = 0; i < FAULTS_RESULTS; i++)
        if (calls[call].results[i] == VK_ERROR_DEVICE_LOST) return true;
    return false;
}

/* Counts a call; what it gives instead of being made, or VK_SUCCESS. */
static VkResult strike(size_t call)
{
    pthread_mutex_lock(&lock);
    VkResult result = VK_SUCCESS;
    made[call]++;
    if (armed.lost && can_be_lost(call)) result = VK_ERROR_DEVICE_LOST;
    if (armed.nth && call == armed.call && (made[call] == armed.nth || (armed.lasting && armed.struck))) {
        armed.struck = true;
        result = armed.result;
        armed.lost = result == VK_ERROR_DEVICE_LOST;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

/* What a failed call leaves in its output. */
static void spoil(void *out, size_t bytes) { memset(out, 0xab, bytes); }

static bool spoiled(const void *handle, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((const unsigned char *)handle)[i] != 0xab) return false;
    return true;
}

static VkResult count_made(VkResult result)
{
    pthread_mutex_lock(&lock);
    tally.objects += result == VK_SUCCESS;
    pthread_mutex_unlock(&lock);
    return result;
}

/* Whether the handle may be given on to be destroyed. */
static bool count_destroyed(const void *handle, size_t bytes, const char *name)
{
    static const unsigned char null[16];
    if (memcmp(handle, null, bytes) == 0) return true;
    pthread_mutex_lock(&lock);
    const bool wrong = spoiled(handle, bytes);
    if (wrong) mistake(name);
    else tally.objects--;
    pthread_mutex_unlock(&lock);
    return !wrong;
}

/* The real functions. */
#define X(name, says, ...) static PFN_vk##name real_##name;
CALLS(X)
#undef X

/* Objects that are made of one parent and one structure: the type's name, and its parent's. */
#define OBJECTS(X)                                                                                    \
    X(CommandPool)                                                                                    \
    X(PipelineCache)                                                                                  \
    X(Buffer)                                                                                         \
    X(BufferView)                                                                                     \
    X(DescriptorSetLayout)                                                                            \
    X(PipelineLayout)                                                                                 \
    X(DescriptorPool)                                                                                 \
    X(Fence)                                                                                          \
    X(QueryPool)

#define X(type)                                                                                       \
    static PFN_vkDestroy##type real_Destroy##type;                                                    \
    static VKAPI_ATTR VkResult VKAPI_CALL own_Create##type(                                           \
        VkDevice device, const Vk##type##CreateInfo *info, const VkAllocationCallbacks *host, Vk##type *out) \
    {                                                                                                 \
        const VkResult fault = strike(CALL_Create##type);                                             \
        if (fault == VK_SUCCESS) return count_made(real_Create##type(device, info, host, out));       \
        spoil(out, sizeof *out);                                                                      \
        return fault;                                                                                 \
    }                                                                                                 \
    static VKAPI_ATTR void VKAPI_CALL own_Destroy##type(VkDevice device, Vk##type handle,             \
                                                        const VkAllocationCallbacks *host)            \
    {                                                                                                 \
        if (count_destroyed(&handle, sizeof handle, "vkDestroy" #type))                               \
            real_Destroy##type(device, handle, host);                                                 \
    }
OBJECTS(X)
#undef X

static PFN_vkDestroyInstance real_DestroyInstance;
static PFN_vkDestroyDevice real_DestroyDevice;
static PFN_vkDestroyDebugUtilsMessengerEXT real_DestroyDebugUtilsMessengerEXT;
static PFN_vkFreeMemory real_FreeMemory;
static PFN_vkFreeCommandBuffers real_FreeCommandBuffers;
static PFN_vkDestroyPipeline real_DestroyPipeline;
static PFN_vkDestroyShaderModule real_DestroyShaderModule;
static PFN_vkGetInstanceProcAddr real_GetInstanceProcAddr;
static PFN_vkGetDeviceProcAddr real_GetDeviceProcAddr;

/* The engine's own callback, behind one that counts. */
static PFN_vkDebugUtilsMessengerCallbackEXT engine_callback;

static VKAPI_ATTR VkBool32 VKAPI_CALL count_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                    VkDebugUtilsMessageTypeFlagsEXT types,
                                                    const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                    void *user)
{
    pthread_mutex_lock(&lock);
    mistake("a message of the validation layer");
    pthread_mutex_unlock(&lock);
    return engine_callback(severity, types, data, user);
}

static VkDebugUtilsMessengerCreateInfoEXT counting(const VkDebugUtilsMessengerCreateInfoEXT *info)
{
    VkDebugUtilsMessengerCreateInfoEXT own = *info;
    engine_callback = info->pfnUserCallback;
    own.pfnUserCallback = count_message;
    return own;
}

/* What the layer says while the instance is destroyed comes to the messenger at the end of this chain. */
static VKAPI_ATTR VkResult VKAPI_CALL own_CreateInstance(const VkInstanceCreateInfo *info,
                                                         const VkAllocationCallbacks *host, VkInstance *out)
{
    const VkResult fault = strike(CALL_CreateInstance);
    if (fault != VK_SUCCESS) {
        spoil(out, sizeof *out);
        return fault;
    }
    const VkValidationFeaturesEXT *features = info->pNext;
    if (!features) return count_made(real_CreateInstance(info, host, out));
    const VkDebugUtilsMessengerCreateInfoEXT messenger = counting(features->pNext);
    VkValidationFeaturesEXT own_features = *features;
    VkInstanceCreateInfo own_info = *info;
    own_features.pNext = &messenger;
    own_info.pNext = &own_features;
    return count_made(real_CreateInstance(&own_info, host, out));
}

static VKAPI_ATTR void VKAPI_CALL own_DestroyInstance(VkInstance instance, const VkAllocationCallbacks *host)
{
    if (count_destroyed(&instance, sizeof instance, "vkDestroyInstance"))
        real_DestroyInstance(instance, host);
}

static VKAPI_ATTR VkResult VKAPI_CALL own_CreateDebugUtilsMessengerEXT(
    VkInstance instance, const VkDebugUtilsMessengerCreateInfoEXT *info, const VkAllocationCallbacks *host,
    VkDebugUtilsMessengerEXT *out)
{
    const VkResult fault = strike(CALL_CreateDebugUtilsMessengerEXT);
    if (fault != VK_SUCCESS) {
        spoil(out, sizeof *out);
        return fault;
    }
    const VkDebugUtilsMessengerCreateInfoEXT own = counting(info);
    return count_made(real_CreateDebugUtilsMessengerEXT(instance, &own, host, out));
}

static VKAPI_ATTR void VKAPI_CALL own_DestroyDebugUtilsMessengerEXT(VkInstance instance,
                                                                    VkDebugUtilsMessengerEXT messenger,
                                                                    const VkAllocationCallbacks *host)
{
    if (count_destroyed(&messenger, sizeof messenger, "vkDestroyDebugUtilsMessengerEXT"))
        real_DestroyDebugUtilsMessengerEXT(instance, messenger, host);
}

static VKAPI_ATTR VkResult VKAPI_CALL own_CreateDevice(VkPhysicalDevice physical,
                                                       const VkDeviceCreateInfo *info,
                                                       const VkAllocationCallbacks *host, VkDevice *out)
{
    const VkResult fault = strike(CALL_CreateDevice);
    if (fault == VK_SUCCESS) return count_made(real_CreateDevice(physical, info, host, out));
    spoil(out, sizeof *out);
    return fault;
}

static VKAPI_ATTR void VKAPI_CALL own_DestroyDevice(VkDevice device, const VkAllocationCallbacks *host)
{
    if (count_destroyed(&device, sizeof device, "vkDestroyDevice")) real_DestroyDevice(device, host);
}

/* Calls that make nothing: the structure of their parameters and arguments. */
#define PLAIN(name, parameters, arguments)                                                            \
    static VKAPI_ATTR VkResult VKAPI_CALL own_##name parameters                                       \
    {                                                                                                 \
        const VkResult fault = strike(CALL_##name);                                                   \
        return fault == VK_SUCCESS ? real_##name arguments : fault;                                   \
    }
PLAIN(EnumeratePhysicalDevices, (VkInstance instance, uint32_t *count, VkPhysicalDevice *list),
      (instance, count, list))
PLAIN(EnumerateDeviceExtensionProperties,
      (VkPhysicalDevice physical, const char *layer, uint32_t *count, VkExtensionProperties *list),
      (physical, layer, count, list))
PLAIN(GetPipelineCacheData, (VkDevice device, VkPipelineCache cache, size_t *bytes, void *data),
      (device, cache, bytes, data))
PLAIN(BindBufferMemory, (VkDevice device, VkBuffer buffer, VkDeviceMemory memory, VkDeviceSize offset),
      (device, buffer, memory, offset))
PLAIN(BeginCommandBuffer, (VkCommandBuffer commands, const VkCommandBufferBeginInfo *info), (commands, info))
PLAIN(EndCommandBuffer, (VkCommandBuffer commands), (commands))
PLAIN(ResetFences, (VkDevice device, uint32_t count, const VkFence *fences), (device, count, fences))
PLAIN(GetQueryPoolResults,
      (VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count, size_t bytes, void *data,
       VkDeviceSize stride, VkQueryResultFlags flags),
      (device, pool, first, count, bytes, data, stride, flags))
PLAIN(QueueSubmit, (VkQueue queue, uint32_t count, const VkSubmitInfo *infos, VkFence fence),
      (queue, count, infos, fence))

/* As PLAIN, but with an output that Vulkan leaves null or undefined. */
static VKAPI_ATTR VkResult VKAPI_CALL own_MapMemory(VkDevice device, VkDeviceMemory memory,
                                                    VkDeviceSize offset, VkDeviceSize bytes,
                                                    VkMemoryMapFlags flags, void **data)
{
    const VkResult fault = strike(CALL_MapMemory);
    if (fault == VK_SUCCESS) return real_MapMemory(device, memory, offset, bytes, flags, data);
    spoil(data, sizeof *data);
    return fault;
}

static VKAPI_ATTR VkResult VKAPI_CALL own_AllocateDescriptorSets(VkDevice device,
                                                                 const VkDescriptorSetAllocateInfo *info,
                                                                 VkDescriptorSet *sets)
{
    const VkResult fault = strike(CALL_AllocateDescriptorSets);
    if (fault == VK_SUCCESS) return real_AllocateDescriptorSets(device, info, sets);
    memset(sets, 0, info->descriptorSetCount * sizeof *sets);
    return fault;
}

static VKAPI_ATTR VkResult VKAPI_CALL own_AllocateCommandBuffers(VkDevice device,
                                                                 const VkCommandBufferAllocateInfo *info,
                                                                 VkCommandBuffer *commands)
{
    const VkResult fault = strike(CALL_AllocateCommandBuffers);
    if (fault == VK_SUCCESS) return count_made(real_AllocateCommandBuffers(device, info, commands));
    memset(commands, 0, info->commandBufferCount * sizeof *commands);
    return fault;
}

static VKAPI_ATTR void VKAPI_CALL own_FreeCommandBuffers(VkDevice device, VkCommandPool pool, uint32_t count,
                                                         const VkCommandBuffer *commands)
{
    if (count_destroyed(commands, sizeof *commands, "vkFreeCommandBuffers"))
        real_FreeCommandBuffers(device, pool, count, commands);
}

/* What waits report of a device that is lost, or that will never answer, is true: nothing runs any more. */
static bool ends_work(VkResult fault)
{
    return fault == VK_ERROR_DEVICE_LOST || (fault == VK_TIMEOUT && armed.lasting);
}

static VKAPI_ATTR VkResult VKAPI_CALL own_DeviceWaitIdle(VkDevice device)
{
    const VkResult fault = strike(CALL_DeviceWaitIdle);
    return fault == VK_SUCCESS || ends_work(fault) ? (real_DeviceWaitIdle(device), fault) : fault;
}

static VKAPI_ATTR VkResult VKAPI_CALL own_QueueWaitIdle(VkQueue queue)
{
    const VkResult fault = strike(CALL_QueueWaitIdle);
    return fault == VK_SUCCESS || ends_work(fault) ? (real_QueueWaitIdle(queue), fault) : fault;
}

static VKAPI_ATTR VkResult VKAPI_CALL own_WaitForFences(VkDevice device, uint32_t count,
                                                        const VkFence *fences, VkBool32 all, uint64_t timeout)
{
    const VkResult fault = strike(CALL_WaitForFences);
    if (fault == VK_SUCCESS) return real_WaitForFences(device, count, fences, all, timeout);
    if (ends_work(fault)) real_DeviceWaitIdle(device);
    return fault;
}

/* The sizes of what is allocated. */
enum { ALLOCATIONS = 4096 };
static struct {
    VkDeviceMemory memory;
    uint64_t bytes;
} allocations[ALLOCATIONS];

static void note_allocation(VkDeviceMemory memory, uint64_t bytes)
{
    for (size_t i = 0; i < ALLOCATIONS; i++) {
        if (allocations[i].bytes) continue;
        allocations[i].memory = memory;
        allocations[i].bytes = bytes;
        tally.bytes += bytes;
        if (tally.bytes > memory_peak) memory_peak = tally.bytes;
        return;
    }
    mistake("too many allocations for the test");
}

static void forget_allocation(VkDeviceMemory memory)
{
    for (size_t i = 0; i < ALLOCATIONS; i++) {
        if (!allocations[i].bytes || allocations[i].memory != memory) continue;
        tally.bytes -= allocations[i].bytes;
        allocations[i].bytes = 0;
        return;
    }
    mistake("memory freed that was not allocated");
}

static VKAPI_ATTR VkResult VKAPI_CALL own_AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                         const VkAllocationCallbacks *host,
                                                         VkDeviceMemory *out)
{
    VkResult result = strike(CALL_AllocateMemory);
    if (result == VK_SUCCESS && memory_limit && tally.bytes + info->allocationSize > memory_limit)
        result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (result != VK_SUCCESS) {
        spoil(out, sizeof *out);
        return result;
    }
    result = count_made(real_AllocateMemory(device, info, host, out));
    if (result == VK_SUCCESS) note_allocation(*out, info->allocationSize);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL own_FreeMemory(VkDevice device, VkDeviceMemory memory,
                                                 const VkAllocationCallbacks *host)
{
    if (!count_destroyed(&memory, sizeof memory, "vkFreeMemory")) return;
    if (memory) forget_allocation(memory);
    real_FreeMemory(device, memory, host);
}

/* Vulkan promises that the pipelines that were not made are null. */
static VKAPI_ATTR VkResult VKAPI_CALL own_CreateComputePipelines(
    VkDevice device, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos,
    const VkAllocationCallbacks *host, VkPipeline *out)
{
    const VkResult fault = strike(CALL_CreateComputePipelines);
    if (fault == VK_SUCCESS)
        return count_made(real_CreateComputePipelines(device, cache, count, infos, host, out));
    memset(out, 0, count * sizeof *out);
    return fault;
}

static VKAPI_ATTR void VKAPI_CALL own_DestroyPipeline(VkDevice device, VkPipeline pipeline,
                                                      const VkAllocationCallbacks *host)
{
    if (count_destroyed(&pipeline, sizeof pipeline, "vkDestroyPipeline"))
        real_DestroyPipeline(device, pipeline, host);
}

/* The name of the shader that the code is of. */
static const char *name_of(const uint32_t *code)
{
    for (size_t i = 0; i < VKP_SHADER_COUNT; i++)
        if (vkp_shader_table[i].words == code) return vkp_shader_table[i].name;
    for (const vkp_specialized_code *s = vkp_specialized_table; s->code.words; s++)
        if (s->code.words == code) return vkp_shader_table[s->shader].name;
    return "";
}

static VKAPI_ATTR VkResult VKAPI_CALL own_CreateShaderModule(VkDevice device,
                                                             const VkShaderModuleCreateInfo *info,
                                                             const VkAllocationCallbacks *host,
                                                             VkShaderModule *out)
{
    const VkResult fault = strike(CALL_CreateShaderModule);
    if (fault != VK_SUCCESS) {
        spoil(out, sizeof *out);
        return fault;
    }
    if (!broken[0] || strcmp(broken, name_of(info->pCode)) != 0)
        return count_made(real_CreateShaderModule(device, info, host, out));
    VkShaderModuleCreateInfo own = *info;
    unsigned stores;
    uint32_t *code = fault_shader(info->pCode, &own.codeSize, broken_value, &stores);
    if (broken_stores) *broken_stores += stores;
    own.pCode = code;
    const VkResult result = count_made(real_CreateShaderModule(device, &own, host, out));
    free(code);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL own_DestroyShaderModule(VkDevice device, VkShaderModule module,
                                                          const VkAllocationCallbacks *host)
{
    if (count_destroyed(&module, sizeof module, "vkDestroyShaderModule"))
        real_DestroyShaderModule(device, module, host);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL own_GetDeviceProcAddr(VkDevice device, const char *name);

/* What stands before which real function. Every function of Vulkan may be cast to PFN_vkVoidFunction. */
typedef struct replacement {
    const char *name;
    PFN_vkVoidFunction own;
    void *real; /* where its address is kept */
} replacement;

static const replacement replacements[] = {
#define X(name, ...) {"vk" #name, (PFN_vkVoidFunction)own_##name, &real_##name},
    CALLS(X)
#undef X
#define X(type) {"vkDestroy" #type, (PFN_vkVoidFunction)own_Destroy##type, &real_Destroy##type},
    OBJECTS(X)
#undef X
    {"vkDestroyInstance", (PFN_vkVoidFunction)own_DestroyInstance, &real_DestroyInstance},
    {"vkDestroyDevice", (PFN_vkVoidFunction)own_DestroyDevice, &real_DestroyDevice},
    {"vkDestroyDebugUtilsMessengerEXT", (PFN_vkVoidFunction)own_DestroyDebugUtilsMessengerEXT,
     &real_DestroyDebugUtilsMessengerEXT},
    {"vkFreeMemory", (PFN_vkVoidFunction)own_FreeMemory, &real_FreeMemory},
    {"vkFreeCommandBuffers", (PFN_vkVoidFunction)own_FreeCommandBuffers, &real_FreeCommandBuffers},
    {"vkDestroyPipeline", (PFN_vkVoidFunction)own_DestroyPipeline, &real_DestroyPipeline},
    {"vkDestroyShaderModule", (PFN_vkVoidFunction)own_DestroyShaderModule, &real_DestroyShaderModule},
    {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)own_GetDeviceProcAddr, &real_GetDeviceProcAddr},
};

static PFN_vkVoidFunction replace(const char *name, PFN_vkVoidFunction real)
{
    for (size_t i = 0; i < sizeof replacements / sizeof *replacements && real; i++)
        if (strcmp(replacements[i].name, name) == 0) {
            memcpy(replacements[i].real, &real, sizeof real);
            return replacements[i].own;
        }
    return real;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL own_GetDeviceProcAddr(VkDevice device, const char *name)
{
    return replace(name, real_GetDeviceProcAddr(device, name));
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL own_GetInstanceProcAddr(VkInstance instance, const char *name)
{
    return replace(name, real_GetInstanceProcAddr(instance, name));
}

/* The linker leads the calls of dlsym here, and __real_dlsym to dlsym. */
void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);

void *__wrap_dlsym(void *library, const char *name)
{
    void *found = __real_dlsym(library, name);
    if (!found || strcmp(name, "vkGetInstanceProcAddr") != 0) return found;
    memcpy(&real_GetInstanceProcAddr, &found, sizeof found);
    PFN_vkGetInstanceProcAddr own = own_GetInstanceProcAddr;
    memcpy(&found, &own, sizeof found);
    return found;
}
