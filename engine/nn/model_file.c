#include "nn/model_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/version.h"

enum { LINE_TEXT = 256 };

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a model's file (host memory ran out; close other programs)");
}

vkp_status vkp_model_file_config(const vkp_safetensors *file, const char *name, vkp_config *config,
                                 bool *configured)
{
    const char *text = vkp_safetensors_metadata(file, VKP_MODEL_FILE_CONFIG);
    vkp_config read;
    *configured = false;
    if (!text) return VKP_OK;
    VKP_TRY(vkp_config_preset(&read, NULL));
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        char line[LINE_TEXT];
        length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line), text);
        if (length >= sizeof line || vkp_config_set(&read, line) != VKP_OK) {
            const char *version = vkp_safetensors_metadata(file, VKP_MODEL_FILE_VERSION);
            return vkp_fail(VKP_FORMAT,
                            "cannot use %s (its settings have '%.80s', which this vkpix does not know; use "
                            "the one that wrote it, %.40s, or a newer one)",
                            name, line, version ? version : "unknown");
        }
    }
    *config = read;
    *configured = true;
    return VKP_OK;
}

char *vkp_model_file_settings(const vkp_config *config)
{
    char *text = calloc(vkp_config_key_count() + 1, LINE_TEXT), value[LINE_TEXT / 2];
    size_t at = 0;
    for (size_t i = 0; text && i < vkp_config_key_count(); i++)
        at += (size_t)snprintf(text + at, LINE_TEXT, "%s=%s\n", vkp_config_key_name(i),
                               vkp_config_key_value(config, i, value, sizeof value));
    return text;
}

vkp_status vkp_model_file_halve(vkp_safetensor *tensor, const char *name, uint16_t **halves)
{
    const size_t count = tensor->bytes / sizeof(float);
    *halves = malloc(count * sizeof **halves + 1);
    if (!*halves) return no_memory();
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
        if (!(fabsf(value) < 65520))
            return vkp_fail(VKP_INPUT,
                            "cannot write %s in 16 bits (tensor %s has a value of %g, and 65504 is the "
                            "largest; leave --half out)",
                            name, tensor->name, (double)value);
        (*halves)[i] = vkp_half_from_float(value);
    }
    tensor->dtype = VKP_SAFETENSORS_F16;
    tensor->data = *halves;
    tensor->bytes = count * sizeof **halves;
    return VKP_OK;
}

static vkp_status write_tensors(const char *path, const vkp_safetensor *list, size_t count,
                                const vkp_config *config)
{
    char *text = config ? vkp_model_file_settings(config) : NULL;
    if (config && !text) return no_memory();
    const vkp_safetensors_pair pairs[] = {
        {"format", "pt"}, {VKP_MODEL_FILE_VERSION, vkp_version()}, {VKP_MODEL_FILE_CONFIG, text}};
    const vkp_status status = vkp_safetensors_write(path, list, count, pairs, config ? 3 : 2);
    free(text);
    return status;
}

vkp_status vkp_model_file_write(const char *path, const vkp_safetensor *given, size_t count, const char *name,
                                const vkp_config *config, bool half)
{
    vkp_safetensor *list = calloc(count + 1, sizeof *list);
    uint16_t **halves = calloc(count + 1, sizeof *halves);
    vkp_status status = list && halves ? VKP_OK : no_memory();
    for (size_t i = 0; i < count && status == VKP_OK; i++) {
        list[i] = given[i];
        const vkp_safetensors_dtype dtype = list[i].dtype;
        if (dtype != VKP_SAFETENSORS_F32 && dtype != VKP_SAFETENSORS_F16 && dtype != VKP_SAFETENSORS_I64)
            status = vkp_fail(VKP_FORMAT,
                              "cannot write %s (tensor %s is neither F32, F16 nor I64; save it as F32)", name,
                              list[i].name);
        else if (half && dtype == VKP_SAFETENSORS_F32)
            status = vkp_model_file_halve(&list[i], name, &halves[i]);
    }
    if (status == VKP_OK) status = write_tensors(path, list, count, config);
    for (size_t i = 0; halves && i < count; i++) free(halves[i]);
    free(halves);
    free(list);
    return status;
}
