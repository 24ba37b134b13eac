#include "tune/choices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/grow.h"
#include "vk/pipeline.h"

enum { FILE_LIMIT = 16 << 20, HEAD = 512 };

void vkp_choices_free(vkp_choices *c)
{
    free(c->list);
    *c = (vkp_choices){0};
}

static int add_shapes(char *key, int used, const vkp_tensor *tensors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const vkp_shape s = tensors[i].shape;
        if (!tensors[i].buffer || used >= VKP_CHOICE_KEY) continue;
        used +=
            snprintf(key + used, (size_t)(VKP_CHOICE_KEY - used), ":%u=%ux%ux%ux%u", i, s.n, s.c, s.h, s.w);
    }
    return used;
}

void vkp_choice_key(const vkp_node *node, const vkp_variants *variants, char key[VKP_CHOICE_KEY])
{
    const vkp_attr *a = &node->attr;
    const bool forward = variants->direction == VKP_FORWARD;
    int used = snprintf(key, VKP_CHOICE_KEY, "%s", variants->name);
    used = add_shapes(key, used, node->in, VKP_MAX_IN);
    for (uint32_t i = 0; i < VKP_MAX_OUT && forward && used < VKP_CHOICE_KEY; i++)
        if (node->out[i].buffer) used += snprintf(key + used, (size_t)(VKP_CHOICE_KEY - used), ":o%u", i);
    if (used >= VKP_CHOICE_KEY) return;
    /* A gradient's variants are behind the activation's own gradient, whose kind does not matter to them. */
    snprintf(key + used, (size_t)(VKP_CHOICE_KEY - used), ":k%u:s%u:p%u:u%u:f%u:n%u:m%u:a%u", a->kernel,
             a->stride, a->padding, a->upsample, a->factor, a->pictures, a->mode,
             forward ? (unsigned)a->activation : (unsigned)node->add[variants->gradient_of]);
}

const vkp_choice *vkp_choices_find(const vkp_choices *c, const char *key)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->list[i].key, key) == 0) return &c->list[i];
    return NULL;
}

vkp_status vkp_choices_set(vkp_choices *c, const char *key, const char *name, uint32_t microseconds)
{
    vkp_choice *place = (vkp_choice *)vkp_choices_find(c, key);
    if (!place) {
        VKP_TRY(vkp_grow((void **)&c->list, &c->capacity, c->count, sizeof *c->list));
        place = &c->list[c->count++];
    }
    *place = (vkp_choice){.microseconds = microseconds};
    snprintf(place->key, sizeof place->key, "%s", key);
    snprintf(place->name, sizeof place->name, "%s", name);
    return VKP_OK;
}

static uint64_t hash_shaders(void)
{
    uint64_t hash = 0;
    for (int i = 0; i < VKP_SHADER_COUNT; i++)
        hash = XXH3_64bits_withSeed(vkp_shader_table[i].words, vkp_shader_table[i].bytes, hash);
    return hash;
}

/* What fits, and how it is cut, follows from these; the memory's budget changes from day to day. */
static int write_limits(char *text, size_t room, const vkp_limits *l)
{
    const vkp_matrix *x = &l->matrix;
    return snprintf(text, room, "limits %" PRIu64 " %u %u %u %u %u %d %d %u %u %u %u %d", l->storage_range,
                    l->texel_elements, l->group_invocations, l->shared_bytes, l->storage_buffers,
                    l->subgroup_size, l->shuffle, l->half, l->at_once, x->m, x->n, x->k, x->loops);
}

/* The lines before the choices; returns their length. */
static size_t write_head(char head[HEAD], const vkp_device *d)
{
    const vkp_device_info *i = &d->info;
    int used = snprintf(head, HEAD, "vkpix variants 1\ndevice %08" PRIx32 " %08" PRIx32 " %08" PRIx32 " ",
                        i->vendor_id, i->device_id, i->driver_version);
    for (size_t k = 0; k < VK_UUID_SIZE; k++)
        used += snprintf(head + used, (size_t)(HEAD - used), "%02x", i->cache_uuid[k]);
    head[used++] = '\n';
    used += write_limits(head + used, (size_t)(HEAD - used), &i->limits);
    used += snprintf(head + used, (size_t)(HEAD - used), "\nshaders %016" PRIx64 "\n", hash_shaders());
    return (size_t)used;
}

vkp_status vkp_choices_write(const vkp_choices *c, const vkp_device *d, const char *path)
{
    const size_t line = VKP_CHOICE_KEY + VKP_CHOICE_NAME + 16, room = HEAD + 64 + c->count * line;
    char *text = malloc(room);
    if (!text)
        return vkp_fail(VKP_MEMORY, "no memory for %s (host memory ran out; close other programs)", path);
    size_t used = write_head(text, d);
    for (size_t i = 0; i < c->count; i++)
        used += (size_t)snprintf(text + used, room - used, "%s %s %" PRIu32 "\n", c->list[i].key,
                                 c->list[i].name, c->list[i].microseconds);
    used += (size_t)snprintf(text + used, room - used, "checksum %016" PRIx64 "\n", XXH3_64bits(text, used));
    const vkp_status status = vkp_file_write(path, text, used);
    free(text);
    return status;
}

/* Takes the lines of [at, end), each whole; false when one is not as it should be. */
static bool take_lines(vkp_choices *c, const char *at, const char *end)
{
    while (at < end) {
        vkp_choice one;
        int used = 0;
        if (sscanf(at, "%255s %31s %" SCNu32 "%n", one.key, one.name, &one.microseconds, &used) != 3)
            return false;
        if (at[used] != '\n') return false;
        if (vkp_choices_set(c, one.key, one.name, one.microseconds) != VKP_OK) return false;
        at += used + 1;
    }
    return at == end;
}

/* Takes a whole file's text apart. */
static bool take_text(vkp_choices *c, const vkp_device *d, const char *text, size_t bytes)
{
    enum { LAST = sizeof "checksum 0123456789abcdef\n" - 1 };
    char head[HEAD], last[LAST + 1];
    const size_t length = write_head(head, d);
    if (bytes < length + LAST || memcmp(text, head, length) != 0 || memchr(text, 0, bytes)) return false;
    snprintf(last, sizeof last, "checksum %016" PRIx64 "\n", XXH3_64bits(text, bytes - LAST));
    if (memcmp(text + bytes - LAST, last, LAST) != 0) return false;
    return take_lines(c, text + length, text + bytes - LAST);
}

bool vkp_choices_read(vkp_choices *c, const vkp_device *d, const char *path)
{
    void *text;
    size_t bytes;
    vkp_choices read = {0};
    if (vkp_file_read(path, FILE_LIMIT, &text, &bytes) != VKP_OK) return false;
    const bool good = take_text(&read, d, text, bytes);
    free(text);
    if (!good) {
        vkp_choices_free(&read);
        return false;
    }
    vkp_choices_free(c);
    *c = read;
    return true;
}

char *vkp_choices_path(const vkp_device *d)
{
    char limits[192], name[64];
    write_limits(limits, sizeof limits, &d->info.limits);
    snprintf(name, sizeof name, "variants-%08" PRIx32, (uint32_t)XXH3_64bits(limits, strlen(limits)));
    return vkp_cache_path(d, name, "txt");
}
