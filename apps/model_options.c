#include "model_options.h"

#include "report.h"

vkp_status vkp_options_model(const vkp_options *options, vkp_fit *fit, vkp_colorizer_options *chosen)
{
    const char *fit_name = vkp_options_value(options, "fit");
    long size = 0;
    VKP_TRY(vkp_options_integer(options, "size", 16, VKP_COLORIZER_MAX_SIZE, &size));
    if (fit_name) VKP_TRY(vkp_fit_parse(fit_name, fit));
    *chosen = (vkp_colorizer_options){.model = vkp_options_value(options, "model"),
                                      .size = (uint32_t)size,
                                      .fit = fit_name ? fit : NULL,
                                      .flip_average = vkp_options_given(options, "flip-average")};
    return VKP_OK;
}

vkp_status vkp_options_colorizer(const vkp_options *options, vkp_device **device, vkp_colorizer **colorizer)
{
    vkp_fit fit;
    vkp_colorizer_options chosen;
    *device = NULL;
    *colorizer = NULL;
    VKP_TRY(vkp_options_model(options, &fit, &chosen));
    VKP_TRY(vkp_options_device(options, device));
    const vkp_status status = vkp_colorizer_create(*device, &chosen, colorizer);
    if (status != VKP_OK) {
        vkp_options_close(*device);
        *device = NULL;
        return status;
    }
    vkp_report("model: %s (size %u, fit %s)", vkp_colorizer_model(*colorizer), vkp_colorizer_size(*colorizer),
               vkp_fit_name(vkp_colorizer_fit(*colorizer)));
    return VKP_OK;
}

vkp_status vkp_options_saturation(const vkp_options *options, double *factor)
{
    *factor = -1;
    return vkp_options_real(options, "saturation", 0, 10, factor);
}

double vkp_saturation(double given, const vkp_colorizer *colorizer)
{
    return given < 0 ? vkp_colorizer_saturation(colorizer) : given;
}
