#include "nn/recognize.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
    [VKP_NETWORK_UNET] = "the published U-Net",
    [VKP_NETWORK_NATURAL] = "natural's generator",
    [VKP_NETWORK_D_BATCH] = "the discriminator with batch norm",
    [VKP_NETWORK_D_INSTANCE] = "the discriminator with instance norm",
};
enum { KINDS = sizeof kinds / sizeof *kinds, REASON = 160 };

const char *vkp_network_kind_name(vkp_network_kind kind) { return kinds[kind]; }

vkp_status vkp_network_kind_declare(vkp_network_kind kind, vkp_params *params)
{
    vkp_config config = {.d_norm = VKP_CONFIG_NORM_BATCH};
    *params = (vkp_params){0};
    switch (kind) {
    case VKP_NETWORK_UNET: return vkp_generator_declare(params, VKP_CONFIG_UNET);
    case VKP_NETWORK_NATURAL: return vkp_generator_declare(params, VKP_CONFIG_NATURAL);
    case VKP_NETWORK_D_INSTANCE: config.d_norm = VKP_CONFIG_NORM_INSTANCE; break;
    case VKP_NETWORK_D_BATCH: break;
    }
    return vkp_discriminator_declare(params, &config);
}

/* How a list differs from a network: how many tensors do, and in what the first; and how many names
 * both have. */
typedef struct difference {
    unsigned count, shared;
    char first[REASON];
} difference;

static void differs(difference *d, const char *what, const char *tensor)
{
    if (!d->count++) snprintf(d->first, sizeof d->first, "tensor %.80s %s", tensor, what);
}

static const vkp_safetensor *find(const vkp_safetensor *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0) return &list[i];
    return NULL;
}

/* The tensors that a network need not have: BatchNorm's counters, each a single number. */
static bool is_counter(const vkp_params *p, const vkp_safetensor *tensor)
{
    char counter[64];
    for (uint32_t i = 0; i < p->count; i++)
        if (vkp_param_counter(&p->list[i], counter, sizeof counter) && strcmp(counter, tensor->name) == 0)
            return tensor->rank == 0;
    return false;
}

static bool is_param(const vkp_params *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (strcmp(p->list[i].name, name) == 0) return true;
    return false;
}

static difference compare(const vkp_params *p, const vkp_safetensor *list, size_t count)
{
    difference d = {0};
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        const vkp_safetensor *found = find(list, count, e->name);
        size_t shape[4];
        vkp_param_shape(e, shape);
        d.shared += found != NULL;
        if (!found) differs(&d, "is missing", e->name);
        else if (found->rank != e->rank || memcmp(found->shape, shape, e->rank * sizeof *shape) != 0)
            differs(&d, "has another shape", e->name);
    }
    for (size_t i = 0; i < count; i++)
        if (!is_param(p, list[i].name) && !is_counter(p, &list[i]))
            differs(&d, "does not belong to it", list[i].name);
    return d;
}

vkp_status vkp_recognize(const vkp_safetensor *list, size_t count, const char *name, vkp_network_kind *kind)
{
    difference nearest = {.count = UINT32_MAX};
    for (int i = 0; i < KINDS; i++) {
        vkp_params params;
        VKP_TRY(vkp_network_kind_declare((vkp_network_kind)i, &params));
        const difference d = compare(&params, list, count);
        if (d.shared < nearest.shared || (d.shared == nearest.shared && d.count >= nearest.count)) continue;
        nearest = d;
        *kind = (vkp_network_kind)i;
    }
    if (!nearest.count) return VKP_OK;
    return vkp_fail(VKP_FORMAT,
                    "%s holds no network of vkpix's (the nearest is %s, but %s; give the state_dict of "
                    "one of the networks in docs/python.md)",
                    name, kinds[*kind], nearest.first);
}
