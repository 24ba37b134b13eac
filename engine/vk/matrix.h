/* Cooperative matrices (VK_KHR_cooperative_matrix): what a device offers, and switching it on.
 *
 * Vulkan headers before 1.3.255 do not have the extension: what is used of it is declared here after the
 * specification. volk of that age does not load its function either, so it is asked for by name. */
#ifndef VKP_VK_MATRIX_H
#define VKP_VK_MATRIX_H

#include "vk/device.h"

#ifndef VK_KHR_cooperative_matrix
#define VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME "VK_KHR_cooperative_matrix"
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR ((VkStructureType)1000506000)
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR ((VkStructureType)1000506001)
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR ((VkStructureType)1000506002)
typedef enum VkComponentTypeKHR {
    VK_COMPONENT_TYPE_FLOAT16_KHR = 0,
    VK_COMPONENT_TYPE_FLOAT32_KHR = 1,
    VK_COMPONENT_TYPE_MAX_ENUM_KHR = 0x7fffffff
} VkComponentTypeKHR;
typedef enum VkScopeKHR {
    VK_SCOPE_WORKGROUP_KHR = 2,
    VK_SCOPE_SUBGROUP_KHR = 3,
    VK_SCOPE_MAX_ENUM_KHR = 0x7fffffff
} VkScopeKHR;
typedef struct VkCooperativeMatrixPropertiesKHR {
    VkStructureType sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    VkComponentTypeKHR AType, BType, CType, ResultType;
    VkBool32 saturatingAccumulation;
    VkScopeKHR scope;
} VkCooperativeMatrixPropertiesKHR;
typedef struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
} VkPhysicalDeviceCooperativeMatrixFeaturesKHR;
typedef struct VkPhysicalDeviceCooperativeMatrixPropertiesKHR {
    VkStructureType sType;
    void *pNext;
    VkShaderStageFlags cooperativeMatrixSupportedStages;
} VkPhysicalDeviceCooperativeMatrixPropertiesKHR;
typedef VkResult(VKAPI_PTR *PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(
    VkPhysicalDevice, uint32_t *, VkCooperativeMatrixPropertiesKHR *);
#endif

/* Of what a device lists, the kind that shaders use: 16-bit factors, 32-bit sums, of a subgroup, in sizes
 * that the shaders' tiles are multiples of; of several the one that has most products for what it loads. m is
 * 0 when there is none; `lanes` is left 0. */
vkp_matrix vkp_matrix_choose(const VkCooperativeMatrixPropertiesKHR *list, size_t count);

/* The kind that compute shaders may use on a device whose subgroups have `lanes` lanes; m is 0 when it has
 * none, or not all the extensions and features that the shaders need. MEMORY, DEVICE. */
VKP_MUST_USE vkp_status vkp_matrix_read(VkPhysicalDevice physical, uint32_t lanes, vkp_matrix *out);

/* What to open a device with that it may be used. `first` is the head of the chain of features. */
typedef struct vkp_matrix_features {
    VkPhysicalDeviceShaderFloat16Int8FeaturesKHR float16;
    VkPhysicalDeviceVulkanMemoryModelFeaturesKHR memory_model;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix;
    void *first;
} vkp_matrix_features;
enum { VKP_MATRIX_EXTENSIONS = 3 };
extern const char *const vkp_matrix_extensions[VKP_MATRIX_EXTENSIONS];

/* Fills *features with just what is needed, followed by the chain `next`. */
void vkp_matrix_enable(vkp_matrix_features *features, void *next);

#endif
