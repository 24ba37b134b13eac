#include "vk/matrix.h"

#include <stdlib.h>

#define MOST_SIDE 32 /* of a matrix of sums: see matrix_tiles of engine/ops/conv2d_gemm_tile.c */
#define MOST_DEPTH 32

const char *const vkp_matrix_extensions[VKP_MATRIX_EXTENSIONS] = {
    VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME,
    VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME};

static bool is_power_of_two(uint32_t n) { return n && !(n & (n - 1)); }

/* Rows of sums are read in quads, and rows of the tiles begin at multiples of 16 bytes. */
static bool is_usable(const VkCooperativeMatrixPropertiesKHR *p)
{
    return p->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && p->BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
           p->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && p->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
           p->scope == VK_SCOPE_SUBGROUP_KHR && !p->saturatingAccumulation && is_power_of_two(p->MSize) &&
           is_power_of_two(p->NSize) && is_power_of_two(p->KSize) && p->MSize <= MOST_SIDE && p->NSize >= 4 &&
           p->NSize <= MOST_SIDE && p->KSize >= 8 && p->KSize <= MOST_DEPTH;
}

/* Products for a value of a factor. */
static double reuse(const vkp_matrix *x) { return (double)x->m * x->n / (x->m + x->n); }

vkp_matrix vkp_matrix_choose(const VkCooperativeMatrixPropertiesKHR *list, size_t count)
{
    vkp_matrix best = {0};
    for (size_t i = 0; i < count; i++) {
        const vkp_matrix x = {.m = list[i].MSize, .n = list[i].NSize, .k = list[i].KSize};
        if (!is_usable(&list[i])) continue;
        if (!best.m || reuse(&x) > reuse(&best) || (reuse(&x) == reuse(&best) && x.k > best.k)) best = x;
    }
    return best;
}

void vkp_matrix_enable(vkp_matrix_features *f, void *next)
{
    *f = (vkp_matrix_features){
        .float16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES_KHR,
                    .pNext = next,
                    .shaderFloat16 = VK_TRUE},
        .memory_model = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES_KHR,
                         .pNext = &f->float16,
                         .vulkanMemoryModel = VK_TRUE},
        .matrix = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
                   .pNext = &f->memory_model,
                   .cooperativeMatrix = VK_TRUE},
        .first = &f->matrix};
}

/* Whether compute shaders may have any. */
static vkp_status is_offered(VkPhysicalDevice physical, bool *offered)
{
    *offered = false;
    for (size_t i = 0; i < VKP_MATRIX_EXTENSIONS; i++) {
        bool found;
        VKP_TRY(vkp_device_has_extension(physical, vkp_matrix_extensions[i], &found));
        if (!found) return VKP_OK;
    }
    vkp_matrix_features f;
    vkp_matrix_enable(&f, NULL);
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = f.first};
    vkGetPhysicalDeviceFeatures2(physical, &features);
    VkPhysicalDeviceCooperativeMatrixPropertiesKHR stages = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &stages};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    *offered = f.float16.shaderFloat16 && f.memory_model.vulkanMemoryModel && f.matrix.cooperativeMatrix &&
               (stages.cooperativeMatrixSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
    return VKP_OK;
}

vkp_status vkp_matrix_read(VkPhysicalDevice physical, uint32_t lanes, vkp_matrix *out)
{
    bool offered;
    *out = (vkp_matrix){0};
    VKP_TRY(is_offered(physical, &offered));
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR list_kinds =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)vkGetInstanceProcAddr(
            volkGetLoadedInstance(), "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    if (!offered || !list_kinds) return VKP_OK;
    uint32_t count = 0;
    VKP_TRY(vkp_vk_status(list_kinds(physical, &count, NULL), "listing cooperative matrices"));
    VkCooperativeMatrixPropertiesKHR *list = calloc(count ? count : 1, sizeof *list);
    if (!list)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the list of matrices (host memory ran out; close programs)");
    for (uint32_t i = 0; i < count; i++) list[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    const VkResult result = list_kinds(physical, &count, list);
    if (result >= VK_SUCCESS) *out = vkp_matrix_choose(list, count);
    if (out->m) out->lanes = lanes;
    free(list);
    return result < VK_SUCCESS ? vkp_vk_status(result, "listing cooperative matrices") : VKP_OK;
}
