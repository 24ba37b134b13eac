/* Weight files: header, tensors, metadata and the settings in them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "nn/model_file.h"

static void copy(const vkp_safetensors *file, const vkp_safetensor *t)
{
    size_t count = 1;
    for (size_t i = 0; i < t->rank; i++) count *= t->shape[i];
    if (t->dtype == VKP_SAFETENSORS_OTHER) count = 0; /* its shape was not checked */
    int64_t *values = malloc(count * sizeof *values + 1);
    fuzz_check(values != NULL);
    const bool real = t->dtype == VKP_SAFETENSORS_F32 || t->dtype == VKP_SAFETENSORS_F16;
    const bool whole = t->dtype == VKP_SAFETENSORS_I64;
    const vkp_status f32 = vkp_safetensors_copy_f32(file, t->name, t->rank, t->shape, (float *)values);
    fuzz_check((f32 == VKP_OK) == real);
    if (!real) fuzz_check_error(f32);
    const vkp_status i64 = vkp_safetensors_copy_i64(file, t->name, t->rank, t->shape, values);
    fuzz_check((i64 == VKP_OK) == whole);
    if (!whole) fuzz_check_error(i64);
    free(values);
}

/* Every byte of every tensor is there. */
static size_t sum(const vkp_safetensor *t)
{
    const uint8_t *bytes = t->data;
    size_t all = 0;
    for (size_t i = 0; i < t->bytes; i++) all += bytes[i];
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vkp_safetensors *file;
    vkp_config config;
    bool configured;
    size_t count, total = 0;
    vkp_status status = vkp_safetensors_open(data, size, "fuzz", &file);
    if (status != VKP_OK) {
        fuzz_check_error(status);
        fuzz_check(!file);
        return 0;
    }
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    for (size_t i = 0; i < count; i++) {
        fuzz_check(vkp_safetensors_find(file, list[i].name) == &list[i]);
        total += list[i].bytes;
        fuzz_check(sum(&list[i]) <= 255 * list[i].bytes);
        copy(file, &list[i]);
    }
    fuzz_check(total <= size);
    status = vkp_model_file_config(file, "fuzz", &config, &configured);
    if (status != VKP_OK) fuzz_check_error(status);
    else if (configured) fuzz_check(config.size >= 16 && config.size <= 4096);
    vkp_safetensors_free(file);
    return 0;
}
