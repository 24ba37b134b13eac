/* Compute pipelines: made when first asked for, kept for the device's life, remembered on disk.
 *
 * The disk cache lies in $XDG_CACHE_HOME/vkpix (or ~/.cache/vkpix), one file a device and driver. It is
 * only ever an acceleration: a missing, damaged or foreign file is ignored, and one that cannot be
 * written is left out. VKPIX_CACHE=off in the environment keeps it out of the way. */
#ifndef VKP_VK_PIPELINE_H
#define VKP_VK_PIPELINE_H

#include "shaders.h"
#include "vk/device.h"

#define VKP_MAX_BINDINGS 8
#define VKP_MAX_SPEC 16

/* What makes one pipeline different from another. */
typedef struct vkp_pipeline_key {
    vkp_shader shader;
    uint32_t bindings;             /* number of buffers, bound at 0, 1, ... */
    uint32_t texel_mask;           /* bit i: binding i is a uniform texel buffer, not a storage buffer */
    uint32_t push_words;           /* push constants in 32-bit words */
    uint32_t subgroup_size;        /* demanded number of lanes; 0: whatever the driver takes */
    uint32_t spec_count;
    uint32_t spec[VKP_MAX_SPEC];   /* specialization constants 0, 1, ... as 32-bit words */
} vkp_pipeline_key;

typedef struct vkp_pipeline {
    vkp_pipeline_key key;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline handle;
} vkp_pipeline;

/* Whether the build could compile the shader: older compilers do not know every extension. */
bool vkp_shader_is_built(vkp_shader shader);

/* Finds the pipeline, or notes that it is wanted: then its handle is there only after vkp_pipelines_make.
 * *out belongs to the device and lives as long, unless it cannot be made. MEMORY. */
VKP_MUST_USE vkp_status vkp_pipeline_want(vkp_device *device, const vkp_pipeline_key *key,
                                          const vkp_pipeline **out);

/* Makes all that are wanted, by several threads: drivers compile for a long time. SHADER when the driver
 * cannot make one: the text names the shader, *failed is the first that failed, in the order wanted; MEMORY,
 * DEVICE_MEMORY, DEVICE_LOST likewise. After a failure call vkp_pipelines_drop. */
VKP_MUST_USE vkp_status vkp_pipelines_make(vkp_device *device, const vkp_pipeline **failed);

/* Forgets and frees the pipelines that were wanted and could not be made. */
void vkp_pipelines_drop(vkp_device *device);

/* The pipeline that was made as the index-th of this device, or NULL beyond the last: for reports. */
const vkp_pipeline *vkp_pipeline_at(const vkp_device *device, size_t index);

/* The path of a file about this device and driver in the user's cache folder, which is made:
 * FOLDER/NAME-VENDOR-DEVICE-DRIVER.SUFFIX, malloc'd (the caller frees it). NULL where there is no such folder
 * or VKPIX_CACHE=off. */
char *vkp_cache_path(const vkp_device *device, const char *name, const char *suffix);

/* Called by vkp_device_open and vkp_device_close alone. */
VKP_MUST_USE vkp_status vkp_pipeline_cache_open(vkp_device *device);
void vkp_pipeline_cache_close(vkp_device *device);

#endif
