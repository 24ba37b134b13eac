#include "image/result_check.h"

#include <math.h>
#include <stdlib.h>

static const double STRONG = 0.6, CONSTANT = 0.1; /* length of the mean; deviation as a part of it */
enum { LEVELS = 3 };

/* Mean and variance of finite values; false if one is not finite. */
static bool moments(const float *values, size_t count, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        const double v = (double)values[i];
        if (!isfinite(v)) return false;
        sum += v;
        squares += v * v;
    }
    *mean = sum / (double)count;
    *variance = fmax(squares / (double)count - *mean * *mean, 0);
    return true;
}

vkp_status vkp_chroma_check(const float *crcb, size_t count, const char *model)
{
    double mean[2], variance[2];
    for (size_t c = 0; c < 2; c++)
        if (!moments(crcb + c * count, count, &mean[c], &variance[c]))
            return vkp_fail(VKP_NOT_FINITE, "the prediction is not finite (the weights of %s are damaged or "
                            "diverged; use another model)", model);
    const double length = hypot(mean[0], mean[1]);
    if (length > STRONG && sqrt(variance[0] + variance[1]) < CONSTANT * length)
        return vkp_fail(VKP_INPUT, "the prediction is all one colour, Cr %.2f and Cb %.2f (the weights of %s "
                        "are damaged or diverged; use another model)", mean[0], mean[1], model);
    return VKP_OK;
}

static int luma(const uint8_t *rgb) { return (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000; }

vkp_status vkp_result_check(const vkp_picture *original, const vkp_picture *colored)
{
    if (original->width != colored->width || original->height != colored->height)
        return vkp_fail(VKP_INTERNAL, "the result has %dx%d pixels, the original %dx%d (a mistake in vkpix; "
                        "report it)", colored->width, colored->height, original->width, original->height);
    const size_t count = (size_t)original->width * (size_t)original->height;
    uint64_t difference = 0;
    for (size_t i = 0; i < count; i++)
        difference += (uint64_t)abs(luma(original->rgba + 4 * i) - luma(colored->rgba + 4 * i));
    if (difference > LEVELS * (uint64_t)count)
        return vkp_fail(VKP_DEVICE, "the result is not the picture any more, its brightness is %.1f levels "
                        "off (the device or its driver made mistakes; try another --device)",
                        (double)difference / (double)count);
    return VKP_OK;
}
