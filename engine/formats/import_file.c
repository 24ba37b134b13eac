#include "formats/import_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/half.h"
#include "formats/torch_file.h"
#include "nn/model_file.h"

/* One import on its way. */
typedef struct import {
    const char *name;
    void *bytes; /* the file */
    size_t size;
    vkp_torch_file *torch;
    vkp_safetensors *safetensors;
    vkp_safetensor *list; /* what is written */
    float **widened;      /* data of those that have become F32 */
    size_t count;
    bool configured;
    vkp_config config;
} import;

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for an import (host memory ran out; close other programs)");
}

static vkp_status take_list(import *m, const vkp_safetensor *list, size_t count)
{
    m->count = count;
    m->list = calloc(count + 1, sizeof *m->list);
    m->widened = calloc(count + 1, sizeof *m->widened);
    if (!m->list || !m->widened) return no_memory();
    memcpy(m->list, list, count * sizeof *list);
    return VKP_OK;
}

/* Takes `prefix` away from all names if all have it. */
static void strip(import *m, const char *prefix)
{
    const size_t length = strlen(prefix);
    for (size_t i = 0; i < m->count; i++)
        if (strncmp(m->list[i].name, prefix, length) != 0) return;
    for (size_t i = 0; i < m->count; i++) m->list[i].name += length;
}

/* The names and shapes of what the file has; a PyTorch file's values are not read yet. */
static vkp_status open_file(import *m)
{
    size_t count;
    const vkp_safetensor *list;
    VKP_TRY(vkp_file_read(m->name, VKP_SAFETENSORS_MAX_BYTES, &m->bytes, &m->size));
    if (vkp_torch_file_is(m->bytes, m->size)) {
        VKP_TRY(vkp_torch_file_open(m->bytes, m->size, m->name, &m->torch));
        list = vkp_torch_file_list(m->torch, &count);
    } else {
        VKP_TRY(vkp_safetensors_open(m->bytes, m->size, m->name, &m->safetensors));
        VKP_TRY(vkp_model_file_config(m->safetensors, m->name, &m->config, &m->configured));
        list = vkp_safetensors_list(m->safetensors, &count);
    }
    VKP_TRY(take_list(m, list, count));
    strip(m, "_orig_mod."); /* torch.compile's */
    strip(m, "module.");    /* DataParallel's */
    return VKP_OK;
}

/* Reads the values of a PyTorch file, now that they are known to be worth it. */
static vkp_status load_values(import *m)
{
    if (!m->torch) return VKP_OK;
    VKP_TRY(vkp_torch_file_load(m->torch));
    const vkp_safetensor *loaded = vkp_torch_file_list(m->torch, &m->count);
    for (size_t i = 0; i < m->count; i++) {
        m->list[i].data = loaded[i].data;
        m->list[i].bytes = loaded[i].bytes;
    }
    return VKP_OK;
}

static float element(const vkp_safetensor *t, size_t i)
{
    double wide;
    float value;
    uint16_t half;
    if (t->dtype == VKP_SAFETENSORS_F64) {
        memcpy(&wide, (const char *)t->data + 8 * i, sizeof wide);
        return (float)wide;
    }
    if (t->dtype == VKP_SAFETENSORS_F32) {
        memcpy(&value, (const char *)t->data + 4 * i, sizeof value);
        return value;
    }
    memcpy(&half, (const char *)t->data + 2 * i, sizeof half);
    if (t->dtype == VKP_SAFETENSORS_F16) return vkp_half_to_float(half);
    const uint32_t bits = (uint32_t)half << 16; /* BF16 is the upper half of an F32 */
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Makes a weight F32 unless it is F16, and holds its values to account. */
static vkp_status take_weight(import *m, size_t i)
{
    vkp_safetensor *t = &m->list[i];
    const bool wide = t->dtype == VKP_SAFETENSORS_F64, kept = t->dtype == VKP_SAFETENSORS_F16;
    if (!wide && !kept && t->dtype != VKP_SAFETENSORS_F32 && t->dtype != VKP_SAFETENSORS_BF16)
        return vkp_fail(VKP_FORMAT,
                        "cannot use %s (tensor %s holds no floats; save the network as it was trained)",
                        m->name, t->name);
    const size_t count = t->bytes / (wide ? 8 : t->dtype == VKP_SAFETENSORS_F32 ? 4 : 2);
    float *values = malloc(count * sizeof *values + 1);
    if (!values) return no_memory();
    m->widened[i] = values;
    for (size_t k = 0; k < count; k++) {
        values[k] = element(t, k);
        if (!isfinite(values[k]))
            return vkp_fail(VKP_FORMAT,
                            "cannot use %s (tensor %s has a value that is not finite; save a network that "
                            "has learned)",
                            m->name, t->name);
    }
    if (kept) return VKP_OK;
    t->dtype = VKP_SAFETENSORS_F32;
    t->data = values;
    t->bytes = count * sizeof *values;
    return VKP_OK;
}

/* BatchNorm's counters are the only whole numbers of a network. */
static vkp_status take_values(import *m, const vkp_params *params)
{
    for (size_t i = 0; i < m->count; i++) {
        bool weight = false;
        for (uint32_t k = 0; k < params->count && !weight; k++)
            weight = strcmp(params->list[k].name, m->list[i].name) == 0;
        if (weight)
            VKP_TRY(take_weight(m, i));
        else if (m->list[i].dtype != VKP_SAFETENSORS_I64)
            return vkp_fail(VKP_FORMAT,
                            "cannot use %s (tensor %s is no whole number; save the network as it was "
                            "trained)",
                            m->name, m->list[i].name);
    }
    return VKP_OK;
}

/* The settings that go with the network. */
static vkp_status configure(import *m, vkp_network_kind kind, const char *preset)
{
    const bool natural = kind == VKP_NETWORK_NATURAL, generator = natural || kind == VKP_NETWORK_UNET;
    if (!generator) {
        m->configured = false;
        return VKP_OK;
    }
    if (!preset && m->configured) return VKP_OK;
    if (!preset && !natural) return VKP_OK;
    VKP_TRY(vkp_config_preset(&m->config, preset ? preset : "natural"));
    m->configured = true;
    if ((m->config.network == VKP_CONFIG_NATURAL) == natural) return VKP_OK;
    return vkp_fail(VKP_USAGE, "preset %s is not for %s (%s; give another --preset)", preset, m->name,
                    vkp_network_kind_name(kind));
}

static vkp_status import_all(import *m, const char *to, const char *preset, vkp_imported *out)
{
    vkp_params params;
    VKP_TRY(open_file(m));
    VKP_TRY(vkp_recognize(m->list, m->count, m->name, &out->kind));
    VKP_TRY(configure(m, out->kind, preset));
    VKP_TRY(vkp_network_kind_declare(out->kind, &params));
    VKP_TRY(load_values(m));
    VKP_TRY(take_values(m, &params));
    out->tensors = m->count;
    out->configured = m->configured;
    return vkp_model_file_write(to, m->list, m->count, m->name, m->configured ? &m->config : NULL, false);
}

vkp_status vkp_import_file(const char *from, const char *to, const char *preset, vkp_imported *imported)
{
import m = {.name = from };
    *imported = (vkp_imported){.tensors = 0};
    const vkp_status status = import_all(&m, to, preset, imported);
    for (size_t i = 0; m.widened && i < m.count; i++) free(m.widened[i]);
    free(m.widened);
    free(m.list);
    vkp_torch_file_close(m.torch);
    vkp_safetensors_free(m.safetensors);
    free(m.bytes);
    return status;
}
