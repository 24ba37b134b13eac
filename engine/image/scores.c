#include "image/scores.h"

#include <math.h>

#include "image/metrics.h"

static const struct {
    const char *name;
    int digits;
} scores_known[] = {
#define X(name, digits, meaning) {#name, digits},
    VKP_SCORE_MAP(X)
#undef X
};

const char *vkp_score_name(size_t score) { return scores_known[score].name; }
int vkp_score_digits(size_t score) { return scores_known[score].digits; }

vkp_status vkp_scores_compute(const vkp_picture *result, const vkp_picture *original, vkp_scores *scores)
{
    const int w = original->width, h = original->height;
    const uint8_t *a = result->rgba, *b = original->rgba;
    double *v = scores->values;
    if (result->width != w || result->height != h)
        return vkp_fail(VKP_SHAPE,
                        "cannot compare pictures of %dx%d and %dx%d pixels (their sizes differ; compare "
                        "pictures of one size)",
                        result->width, result->height, w, h);
    VKP_TRY(vkp_metric_psnr(a, b, w, h, &v[VKP_SCORE_psnr]));
    VKP_TRY(vkp_metric_psnr_crcb(a, b, w, h, &v[VKP_SCORE_psnr_crcb]));
    VKP_TRY(vkp_metric_ssim(a, b, w, h, &v[VKP_SCORE_ssim]));
    VKP_TRY(vkp_metric_colorfulness(a, w, h, &v[VKP_SCORE_colorfulness]));
    VKP_TRY(vkp_metric_colorfulness(b, w, h, &v[VKP_SCORE_original_colorfulness]));
    VKP_TRY(vkp_metric_l1_rgb(a, b, w, h, &v[VKP_SCORE_l1]));
    VKP_TRY(vkp_metric_l1_crcb(a, b, w, h, &v[VKP_SCORE_l1_crcb]));
    v[VKP_SCORE_psnr] = fmin(v[VKP_SCORE_psnr], VKP_SCORE_PSNR_LIMIT);
    v[VKP_SCORE_psnr_crcb] = fmin(v[VKP_SCORE_psnr_crcb], VKP_SCORE_PSNR_LIMIT);
    return VKP_OK;
}

vkp_scores vkp_scores_mean(const vkp_scores *first, size_t count, size_t stride)
{
    vkp_scores mean = {{0}};
    const char *at = (const char *)first;
    for (size_t i = 0; i < count; i++, at += stride)
        for (int s = 0; s < VKP_SCORE_COUNT; s++)
            mean.values[s] += ((const vkp_scores *)(const void *)at)->values[s] / (double)count;
    return mean;
}
