#include "image/scores.h"

#include <math.h>

#include "image/metrics.h"

static const vkp_score_info scores_known[] = {
#define X(name, heading, digits, better, meaning) {#name, heading, digits, better, meaning},
    VKP_SCORE_MAP(X)
#undef X
};

const vkp_score_info *vkp_score_get(size_t score) { return &scores_known[score]; }

static vkp_status compute_colorfulness(const uint8_t *a, const uint8_t *b, int w, int h, double *v)
{
    VKP_TRY(vkp_metric_colorfulness(a, w, h, &v[VKP_SCORE_colorfulness]));
    VKP_TRY(vkp_metric_colorfulness(b, w, h, &v[VKP_SCORE_original_colorfulness]));
    VKP_TRY(vkp_metric_colorfulness_abs(a, w, h, &v[VKP_SCORE_colorfulness_abs]));
    VKP_TRY(vkp_metric_colorfulness_abs(b, w, h, &v[VKP_SCORE_original_colorfulness_abs]));
    v[VKP_SCORE_delta_cf] = v[VKP_SCORE_colorfulness] - v[VKP_SCORE_original_colorfulness];
    v[VKP_SCORE_delta_cf_abs] = v[VKP_SCORE_colorfulness_abs] - v[VKP_SCORE_original_colorfulness_abs];
    v[VKP_SCORE_abs_delta_cf] = fabs(v[VKP_SCORE_delta_cf]);
    v[VKP_SCORE_abs_delta_cf_abs] = fabs(v[VKP_SCORE_delta_cf_abs]);
    return VKP_OK;
}

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
    VKP_TRY(vkp_metric_l1_rgb(a, b, w, h, &v[VKP_SCORE_l1]));
    VKP_TRY(vkp_metric_l1_crcb(a, b, w, h, &v[VKP_SCORE_l1_crcb]));
    VKP_TRY(vkp_metric_emd_crcb(a, b, w, h, &v[VKP_SCORE_emd_crcb]));
    VKP_TRY(compute_colorfulness(a, b, w, h, v));
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
