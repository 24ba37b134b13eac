/* In the place of what the fuzz targets would drag in and never use: shaders, whose compilation takes
 * minutes, the folder of caches, and the program's version. */
#include "base/version.h"
#include "vk/pipeline.h"

const vkp_shader_code vkp_shader_table[VKP_SHADER_COUNT];

char *vkp_cache_path(const vkp_device *device, const char *name, const char *suffix)
{
    (void)device, (void)name, (void)suffix;
    return NULL;
}

const char *vkp_version(void) { return "fuzz"; }
const char *vkp_version_commit(void) { return "fuzz"; }
