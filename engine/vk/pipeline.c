#include "vk/pipeline.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/grow.h"
#include "vk/cache_file.h"

#define CACHE_LIMIT (256u << 20)

typedef struct vkp_pipeline_cache {
    VkPipelineCache handle;
    char *path;          /* NULL: no place on disk */
    vkp_pipeline **list; /* each allocated alone: callers keep pointers */
    size_t count, capacity;
    bool changed;          /* something was made that the driver may have put into its data */
    vkp_cache_header on_disk; /* of the file; zeros: there is none to keep */
} vkp_pipeline_cache;

char *vkp_cache_path(const vkp_device *d, const char *name, const char *suffix)
{
    const char *off = getenv("VKPIX_CACHE");
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (off && strcmp(off, "off") == 0) return NULL;
    if (!(base && *base) && !(home && *home)) return NULL;
    char path[4096];
    const int n = base && *base ? snprintf(path, sizeof path, "%s/vkpix", base)
                                : snprintf(path, sizeof path, "%s/.cache/vkpix", home);
    if (n < 0 || (size_t)n + 128 > sizeof path || vkp_folder_make(path) != VKP_OK) return NULL;
    snprintf(path + n, sizeof path - (size_t)n, "/%s-%08x-%08x-%08x.%s", name, d->info.vendor_id,
             d->info.device_id, d->info.driver_version, suffix);
    char *copy = malloc(strlen(path) + 1);
    return copy ? strcpy(copy, path) : NULL;
}

/* The driver's data from the file, or nothing when it is not exactly what this device wrote. */
static void *read_cache(const vkp_device *d, vkp_pipeline_cache *c, size_t *bytes)
{
    void *file = NULL;
    size_t size = 0;
    *bytes = 0;
    if (!c->path || vkp_file_read(c->path, CACHE_LIMIT, &file, &size) != VKP_OK) return NULL;
    const void *data = vkp_cache_file_data(&d->info, file, size, bytes);
    if (data) {
        memcpy(&c->on_disk, file, sizeof c->on_disk);
        return memmove(file, data, *bytes);
    }
    free(file);
    return NULL;
}

vkp_status vkp_pipeline_cache_open(vkp_device *d)
{
    vkp_pipeline_cache *c = calloc(1, sizeof *c);
    if (!c)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the pipeline cache (host memory ran out; close other programs)");
    d->pipelines = c;
    c->path = vkp_cache_path(d, "pipelines", "bin");
    size_t bytes = 0;
    void *data = read_cache(d, c, &bytes);
    const VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                            .initialDataSize = bytes,
                                            .pInitialData = data};
    const VkResult result = vkCreatePipelineCache(d->handle, &info, NULL, &c->handle);
    free(data);
    VKP_TRY(VKP_VK_MADE(result, &c->handle, "making the pipeline cache"));
    vkp_device_name(d, VK_OBJECT_TYPE_PIPELINE_CACHE, (uint64_t)c->handle, "pipelines");
    return VKP_OK;
}

/* A cache that cannot be written costs the next start some time and nothing else: no error. What the file
 * holds is not written again: with a driver that puts nothing in, each start would wait for the disk. */
static void write_cache(const vkp_device *d, const vkp_pipeline_cache *c)
{
    size_t bytes = 0;
    if (!c->path || !c->changed || vkGetPipelineCacheData(d->handle, c->handle, &bytes, NULL) != VK_SUCCESS)
        return;
    char *file = malloc(sizeof(vkp_cache_header) + bytes);
    if (!file) return;
    char *data = file + sizeof(vkp_cache_header);
    if (vkGetPipelineCacheData(d->handle, c->handle, &bytes, data) == VK_SUCCESS) {
        const vkp_cache_header h = vkp_cache_header_for(&d->info, data, bytes);
        memcpy(file, &h, sizeof h);
        if (memcmp(&h, &c->on_disk, sizeof h) != 0 &&
            vkp_file_write(c->path, file, sizeof h + bytes) != VKP_OK)
            remove(c->path);
    }
    free(file);
}

static void destroy_pipeline(const vkp_device *d, vkp_pipeline *p)
{
    if (p->handle) vkDestroyPipeline(d->handle, p->handle, NULL);
    if (p->layout) vkDestroyPipelineLayout(d->handle, p->layout, NULL);
    if (p->set_layout) vkDestroyDescriptorSetLayout(d->handle, p->set_layout, NULL);
    free(p);
}

void vkp_pipeline_cache_close(vkp_device *d)
{
    vkp_pipeline_cache *c = d->pipelines;
    if (!c) return;
    if (c->handle) {
        write_cache(d, c);
        vkDestroyPipelineCache(d->handle, c->handle, NULL);
    }
    for (size_t i = 0; i < c->count; i++) destroy_pipeline(d, c->list[i]);
    free(c->list);
    free(c->path);
    free(c);
    d->pipelines = NULL;
}

static vkp_status make_layouts(vkp_device *d, vkp_pipeline *p)
{
    const char *name = vkp_shader_table[p->key.shader].name;
    VkDescriptorSetLayoutBinding bindings[VKP_MAX_BINDINGS];
    for (uint32_t i = 0; i < p->key.bindings; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = p->key.texel_mask & (1u << i) ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                                            : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    const VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                 .bindingCount = p->key.bindings,
                                                 .pBindings = bindings};
    VKP_TRY(VKP_VK_MADE(vkCreateDescriptorSetLayout(d->handle, &set, NULL, &p->set_layout), &p->set_layout,
                        "making a descriptor set layout"));
    vkp_device_name(d, VK_OBJECT_TYPE_DESCRIPTOR_SET_LAYOUT, (uint64_t)p->set_layout, name);
    const VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                      .size = p->key.push_words * 4};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .setLayoutCount = 1,
                                               .pSetLayouts = &p->set_layout,
                                               .pushConstantRangeCount = p->key.push_words ? 1 : 0,
                                               .pPushConstantRanges = &push};
    VKP_TRY(VKP_VK_MADE(vkCreatePipelineLayout(d->handle, &layout, NULL, &p->layout), &p->layout,
                        "making a pipeline layout"));
    vkp_device_name(d, VK_OBJECT_TYPE_PIPELINE_LAYOUT, (uint64_t)p->layout, name);
    return VKP_OK;
}

static VkResult make_handle(vkp_device *d, VkShaderModule module, vkp_pipeline *p)
{
    VkSpecializationMapEntry entries[VKP_MAX_SPEC];
    for (uint32_t i = 0; i < p->key.spec_count; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = i * 4, .size = 4};
    const VkSpecializationInfo spec = {.mapEntryCount = p->key.spec_count,
                                       .pMapEntries = entries,
                                       .dataSize = p->key.spec_count * 4,
                                       .pData = p->key.spec};
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfoEXT lanes = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO_EXT,
        .requiredSubgroupSize = p->key.subgroup_size};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_DISPATCH_BASE,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = p->key.subgroup_size && d->subgroup_control ? &lanes : NULL,
                  .flags = p->key.subgroup_size && d->full_subgroups
                               ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT
                               : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &spec},
        .layout = p->layout};
    return vkCreateComputePipelines(d->handle, d->pipelines->handle, 1, &info, NULL, &p->handle);
}

bool vkp_shader_is_built(vkp_shader shader) { return vkp_shader_table[shader].bytes > 0; }

/* A driver's front end takes several times as long for a shader whose loops it has to unroll as for what
 * comes out, and a software driver keeps no cache of that: for some pipelines the build has done it. */
static const vkp_shader_code *find_code(const vkp_pipeline_key *key)
{
    for (const vkp_specialized_code *s = vkp_specialized_table; s->code.words; s++)
        if (s->shader == key->shader && s->spec_count == key->spec_count &&
            memcmp(s->spec, key->spec, key->spec_count * sizeof *key->spec) == 0)
            return &s->code;
    return &vkp_shader_table[key->shader];
}

static vkp_status make_pipeline(vkp_device *d, vkp_pipeline *p)
{
    const vkp_shader_code *code = find_code(&p->key);
    VKP_TRY(make_layouts(d, p));
    VkShaderModule module;
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = code->bytes, .pCode = code->words};
    VkResult result = vkCreateShaderModule(d->handle, &info, NULL, &module);
    if (result == VK_SUCCESS) {
        vkp_device_name(d, VK_OBJECT_TYPE_SHADER_MODULE, (uint64_t)module, code->name);
        result = make_handle(d, module, p);
        vkDestroyShaderModule(d->handle, module, NULL);
    }
    if (result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY ||
        result == VK_ERROR_DEVICE_LOST) {
        char what[96];
        snprintf(what, sizeof what, "making a pipeline of shader %s", code->name);
        return vkp_vk_status(result, what);
    }
    if (result != VK_SUCCESS)
        return vkp_fail(VKP_SHADER,
                        "cannot make shader %s (Vulkan result %d; update the driver or try another "
                        "--device)",
                        code->name, (int)result);
    vkp_device_name(d, VK_OBJECT_TYPE_PIPELINE, (uint64_t)p->handle, code->name);
    return VKP_OK;
}

vkp_status vkp_pipeline_want(vkp_device *d, const vkp_pipeline_key *key, const vkp_pipeline **out)
{
    vkp_pipeline_cache *c = d->pipelines;
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->list[i]->key, key, sizeof *key) == 0) {
            *out = c->list[i];
            return VKP_OK;
        }
    VKP_TRY(vkp_grow((void **)&c->list, &c->capacity, c->count, sizeof *c->list));
    vkp_pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return vkp_fail(VKP_MEMORY, "no memory for a pipeline (host memory ran out; close other programs)");
    p->key = *key;
    c->list[c->count++] = p;
    *out = p;
    return VKP_OK;
}

enum { MOST_THREADS = 8, ERROR_TEXT = 1024 };

/* What the threads share: who takes `next` makes that pipeline. Errors are told by thread, so the first one,
 * in the list's order, is copied here. */
typedef struct makers {
    vkp_device *device;
    pthread_mutex_t lock;
    size_t *order; /* places in the list of those wanted */
    size_t next, wanted, failed; /* failed: the list's count while there is none */
    vkp_status status;
    char error[ERROR_TEXT];
} makers;

static void *make_some(void *user)
{
    makers *m = user;
    vkp_pipeline_cache *c = m->device->pipelines;
    for (;;) {
        pthread_mutex_lock(&m->lock);
        const size_t i = m->next < m->wanted ? m->order[m->next++] : c->count;
        pthread_mutex_unlock(&m->lock);
        if (i == c->count) return NULL;
        const vkp_status status = make_pipeline(m->device, c->list[i]);
        if (status == VKP_OK) continue;
        pthread_mutex_lock(&m->lock);
        if (i < m->failed) {
            m->failed = i;
            m->status = status;
            snprintf(m->error, sizeof m->error, "%s", vkp_error());
        }
        m->next = m->wanted;
        pthread_mutex_unlock(&m->lock);
    }
}

static void make_by_threads(makers *m)
{
    pthread_t threads[MOST_THREADS];
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = 0;
    /* This thread is one of them; one that cannot be started leaves its share to the others. */
    while (count + 1 < m->wanted && (long)count + 1 < cores && count < MOST_THREADS &&
           pthread_create(&threads[count], NULL, make_some, m) == 0)
        count++;
    make_some(m);
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

/* Puts the pipelines that are wanted in the order to make them: the longest code first, so that no thread
 * starts on it when the others are done. */
static void order_wanted(const vkp_pipeline_cache *c, makers *m)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i]->handle) continue;
        const size_t bytes = find_code(&c->list[i]->key)->bytes;
        size_t at = m->wanted++;
        for (; at > 0 && find_code(&c->list[m->order[at - 1]]->key)->bytes < bytes; at--)
            m->order[at] = m->order[at - 1];
        m->order[at] = i;
    }
}

vkp_status vkp_pipelines_make(vkp_device *d, const vkp_pipeline **failed)
{
    vkp_pipeline_cache *c = d->pipelines;
    makers m = {.device = d, .lock = PTHREAD_MUTEX_INITIALIZER, .failed = c->count};
    *failed = NULL;
    m.order = calloc(c->count + 1, sizeof *m.order);
    if (!m.order)
        return vkp_fail(VKP_MEMORY, "no memory for pipelines (host memory ran out; close other programs)");
    order_wanted(c, &m);
    if (m.wanted) make_by_threads(&m);
    c->changed |= m.wanted > 0;
    free(m.order);
    pthread_mutex_destroy(&m.lock);
    if (m.status == VKP_OK) return VKP_OK;
    *failed = c->list[m.failed];
    return vkp_fail(m.status, "%s", m.error);
}

void vkp_pipelines_drop(vkp_device *d)
{
    vkp_pipeline_cache *c = d->pipelines;
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i]->handle)
            c->list[kept++] = c->list[i];
        else
            destroy_pipeline(d, c->list[i]);
    c->count = kept;
}

const vkp_pipeline *vkp_pipeline_at(const vkp_device *d, size_t index)
{
    return index < d->pipelines->count ? d->pipelines->list[index] : NULL;
}
