#include "image/gamut.h"

float vkp_luma(float r, float g, float b) { return 0.299f * r + 0.587f * g + 0.114f * b; }

float vkp_gamut_part(float luma, const float distance[3], float white)
{
    float part = 1;
    for (int k = 0; k < 3; k++) {
        const float end = distance[k] > 0 ? white - luma : -luma;
        if (distance[k] != 0 && end / distance[k] < part) part = end / distance[k];
    }
    return part;
}
