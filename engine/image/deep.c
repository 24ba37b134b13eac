#include "image/deep.h"

#include "image/gamut.h"

uint16_t vkp_luma16(const uint16_t rgb[3])
{
    return (uint16_t)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500u) / 1000u);
}

void vkp_deep_row(const vkp_picture *picture, int y, int channels, uint16_t *row)
{
    const size_t start = (size_t)y * (size_t)picture->width;
    const uint8_t *rgba = picture->rgba + start * 4;
    const uint16_t *deep = picture->deep + start * 2;
    for (int x = 0; x < picture->width; x++, rgba += 4, deep += 2, row += channels) {
        const float gray = vkp_luma(rgba[0], rgba[1], rgba[2]);
        float distance[3];
        for (int k = 0; k < 3; k++) distance[k] = (rgba[k] - gray) * 257;
        if (rgba[0] == rgba[1] && rgba[1] == rgba[2]) distance[0] = distance[1] = distance[2] = 0;
        const float part = vkp_gamut_part(deep[0], distance, VKP_DEEP_WHITE);
        for (int k = 0; k < 3; k++) row[k] = (uint16_t)(deep[0] + part * distance[k] + 0.5f);
        if (channels == 4) row[3] = deep[1];
    }
}
