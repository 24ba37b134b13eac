/* Blur: the 3x3 kernels of the augmentation, for the operation blur3. */
#ifndef VKP_IMAGE_BLUR_H
#define VKP_IMAGE_BLUR_H

/* name, what it does */
#define VKP_BLUR_MAP(X)                                                                                  \
    X(NONE, "leaves the picture as it is")                                                               \
    X(GAUSSIAN, "outer product of (1,2,1)/4: OpenCV's GaussianBlur of size 3 (sigma 0.8, in its table)") \
    X(MOTION_RIGHT, "mean of three pixels of a row")                                                     \
    X(MOTION_DOWN, "mean of three pixels of a column")                                                   \
    X(MOTION_FALLING, "mean of three pixels from the upper left to the lower right")                     \
    X(MOTION_RISING, "mean of three pixels from the lower left to the upper right")

typedef enum vkp_blur {
#define X(name, meaning) VKP_BLUR_##name,
    VKP_BLUR_MAP(X)
#undef X
    VKP_BLUR_COUNT
} vkp_blur;

/* The nine weights, rows from top to bottom; their sum is 1. Unknown kinds leave the picture as it is. */
void vkp_blur_kernel(vkp_blur kind, float weights[9]);

#endif
