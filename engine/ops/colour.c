#include "ops/colour.h"
#include "ops/walk.h"

/* Quadruples of pixels for an invocation. */
#define EACH 8

vkp_colour_matrix vkp_colour_transposed(const vkp_colour_matrix *matrix)
{
    vkp_colour_matrix t = {0};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) t.m[i][j] = matrix->m[j][i];
    return t;
}

vkp_status vkp_colour_map(vkp_program *p, const vkp_colour_matrix *matrix, bool to_rgb, const vkp_tensor *rgb,
                          const vkp_tensor *y, const vkp_tensor *crcb, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_walk walk = vkp_walk_of(rgb, EACH);
    const uint32_t chunk = vkp_walk_pictures(device, (const vkp_tensor *const[]){rgb, y, crcb}, 3);
    for (uint32_t n = 0; n < rgb->shape.n; n += chunk) {
        const uint32_t count = chunk < rgb->shape.n - n ? chunk : rgb->shape.n - n;
        const vkp_tensor rgbs = vkp_tensor_pictures(rgb, n, count);
        const vkp_tensor crcbs = vkp_tensor_pictures(crcb, n, count);
        /* Where there is no y, crcb keeps its binding valid. */
        const vkp_tensor ys = vkp_tensor_pictures(y ? y : crcb, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_colour_matrix,
                          .groups = {walk.groups, 1, count},
                          .spec = {to_rgb, y != NULL, vkp_has_padding(rgb), add},
                          .spec_count = 4};
        vkp_bind(device, &d, &rgbs, to_rgb ? VKP_READ_WRITE : VKP_READ);
        vkp_bind(device, &d, &ys, to_rgb ? VKP_READ : VKP_READ_WRITE);
        vkp_bind(device, &d, &crcbs, to_rgb ? VKP_READ : VKP_READ_WRITE);
        vkp_push_walk(&d, rgb, walk);
        for (int i = 0; i < 9; i++) vkp_push_float(&d, matrix->m[i / 3][i % 3]);
        for (int i = 0; i < 3; i++) vkp_push_float(&d, matrix->k[i]);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}
