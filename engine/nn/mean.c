#include "nn/mean.h"

#include <stdlib.h>
#include <string.h>

static bool is_float(const vkp_safetensor *t)
{
    return t->dtype == VKP_SAFETENSORS_F32 || t->dtype == VKP_SAFETENSORS_F16;
}

/* The file has shown that the bytes of its tensors can be counted. */
static size_t elements(const vkp_safetensor *t)
{
    size_t count = 1;
    for (size_t i = 0; i < t->rank; i++) count *= t->shape[i];
    return count;
}

/* `sum` and `one` have room for the tensor. */
static vkp_status mean_of_tensor(const vkp_weights *models, size_t count, const vkp_safetensor *t, double *sum,
                                 float *one, float *values)
{
    const size_t n = elements(t);
    memset(sum, 0, n * sizeof *sum);
    for (size_t m = 0; m < count; m++) {
        VKP_TRY(vkp_safetensors_copy_f32(models[m].file, t->name, t->rank, t->shape, one));
        for (size_t i = 0; i < n; i++) sum[i] += (double)one[i];
    }
    for (size_t i = 0; i < n; i++) values[i] = (float)(sum[i] / (double)count);
    return VKP_OK;
}

static vkp_status fill(const vkp_weights *models, size_t count, size_t largest, vkp_mean *mean)
{
    double *sum = malloc((largest + 1) * sizeof *sum);
    float *one = malloc((largest + 1) * sizeof *one), *values = mean->values;
    vkp_status status = VKP_OK;
    if (!sum || !one)
        status = vkp_fail(VKP_MEMORY, "no memory for a mean (host memory ran out; close other programs)");
    for (size_t i = 0; i < mean->count && status == VKP_OK; i++) {
        vkp_safetensor *t = &mean->list[i];
        if (!is_float(t)) continue;
        status = mean_of_tensor(models, count, t, sum, one, values);
        t->dtype = VKP_SAFETENSORS_F32;
        t->data = values;
        t->bytes = elements(t) * sizeof *values;
        values += elements(t);
    }
    free(sum);
    free(one);
    return status;
}

vkp_status vkp_mean_make(const vkp_weights *models, size_t count, vkp_mean *mean)
{
    size_t total = 0, largest = 0;
    *mean = (vkp_mean){0};
    const vkp_safetensor *list = vkp_safetensors_list(models[0].file, &mean->count);
    for (size_t i = 0; i < mean->count; i++) {
        const size_t n = is_float(&list[i]) ? elements(&list[i]) : 0;
        total += n;
        if (n > largest) largest = n;
    }
    mean->list = malloc((mean->count + 1) * sizeof *mean->list);
    mean->values = malloc((total + 1) * sizeof *mean->values);
    vkp_status status = VKP_OK;
    if (!mean->list || !mean->values) {
        status = vkp_fail(VKP_MEMORY, "no memory for a mean (host memory ran out; close other programs)");
    } else {
        memcpy(mean->list, list, mean->count * sizeof *list);
        status = fill(models, count, largest, mean);
    }
    if (status != VKP_OK) vkp_mean_free(mean);
    return status;
}

void vkp_mean_free(vkp_mean *mean)
{
    free(mean->list);
    free(mean->values);
    *mean = (vkp_mean){0};
}
