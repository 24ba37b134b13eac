#include "image/deep.h"

uint16_t vkp_luma16(const uint16_t rgb[3])
{
    return (uint16_t)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500u) / 1000u);
}

/* The largest part, up to 1, of a colour's distance from gray that lies within 0..65535 around this luma. */
static float room(float luma, const float distance[3])
{
    float part = 1;
    for (int k = 0; k < 3; k++) {
        const float end = distance[k] > 0 ? VKP_DEEP_WHITE - luma : -luma;
        if (distance[k] != 0 && end / distance[k] < part) part = end / distance[k];
    }
    return part;
}

void vkp_deep_row(const vkp_picture *picture, int y, int channels, uint16_t *row)
{
    const size_t start = (size_t)y * (size_t)picture->width;
    const uint8_t *rgba = picture->rgba + start * 4;
    const uint16_t *deep = picture->deep + start * 2;
    for (int x = 0; x < picture->width; x++, rgba += 4, deep += 2, row += channels) {
        const float gray = 0.299f * rgba[0] + 0.587f * rgba[1] + 0.114f * rgba[2];
        float distance[3];
        for (int k = 0; k < 3; k++) distance[k] = (rgba[k] - gray) * 257;
        if (rgba[0] == rgba[1] && rgba[1] == rgba[2]) distance[0] = distance[1] = distance[2] = 0;
        const float part = room(deep[0], distance);
        for (int k = 0; k < 3; k++) row[k] = (uint16_t)(deep[0] + part * distance[k] + 0.5f);
        if (channels == 4) row[3] = deep[1];
    }
}
