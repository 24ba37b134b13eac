#include "image/blur.h"

#include <string.h>

void vkp_blur_kernel(vkp_blur kind, float weights[9])
{
    /* Each motion's first place and the step to its next: three places on a line through the centre. */
    static const int lines[][2] = {[VKP_BLUR_MOTION_RIGHT] = {3, 1},
                                   [VKP_BLUR_MOTION_DOWN] = {1, 3},
                                   [VKP_BLUR_MOTION_FALLING] = {0, 4},
                                   [VKP_BLUR_MOTION_RISING] = {2, 2}};
    static const float binomial[3] = {0.25f, 0.5f, 0.25f};
    memset(weights, 0, 9 * sizeof *weights);
    switch (kind) {
    case VKP_BLUR_GAUSSIAN:
        for (int i = 0; i < 9; i++) weights[i] = binomial[i / 3] * binomial[i % 3];
        break;
    case VKP_BLUR_MOTION_RIGHT:
    case VKP_BLUR_MOTION_DOWN:
    case VKP_BLUR_MOTION_FALLING:
    case VKP_BLUR_MOTION_RISING:
        for (int i = 0; i < 3; i++) weights[lines[kind][0] + i * lines[kind][1]] = 1 / 3.0f;
        break;
    default: weights[4] = 1;
    }
}
