#include "ops/planes.h"

static vkp_status record_run(vkp_program *p, const vkp_planes *planes, uint32_t n, uint32_t count)
{
    const vkp_shape s = planes->tensors[0]->shape;
    vkp_dispatch d = {.shader = planes->shader, .spec = {planes->add}, .spec_count = 1,
                      .groups = {vkp_groups(s.w, 32), vkp_groups(s.h, planes->tall),
                                 (planes->whole ? 1 : s.c) * count}};
    for (uint32_t i = 0; i < planes->tensor_count; i++) {
        const vkp_tensor *whole = planes->tensors[i];
        const vkp_tensor part = whole->shape.n == s.n ? vkp_tensor_pictures(whole, n, count) : *whole;
        vkp_bind(vkp_program_device(p), &d, &part, i == 0 ? VKP_READ_WRITE : VKP_READ);
    }
    for (uint32_t i = 0; i < planes->word_count; i++) vkp_push(&d, planes->words[i]);
    return vkp_program_dispatch(p, &d);
}

vkp_status vkp_planes_record(vkp_program *p, const vkp_planes *planes)
{
    const vkp_shape s = planes->tensors[0]->shape;
    const vkp_tensor *cut[4] = {NULL};
    for (uint32_t i = 0; i < planes->tensor_count; i++)
        if (planes->tensors[i]->shape.n == s.n) cut[i] = planes->tensors[i];
    const uint32_t chunk = vkp_pictures_per_dispatch(vkp_program_device(p), cut, 4, planes->whole ? 1 : s.c);
    for (uint32_t n = 0; n < s.n; n += chunk)
        VKP_TRY(record_run(p, planes, n, s.n - n < chunk ? s.n - n : chunk));
    return VKP_OK;
}
