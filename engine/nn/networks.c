#include "nn/networks.h"

#include "nn/generators.h"

static const struct {
    vkp_status (*declare)(vkp_params *);
    vkp_status (*fold)(const vkp_bound_params *, vkp_bound_params *);
    vkp_status (*forward)(const vkp_builder *, vkp_value);
    uint32_t granularity;
} generators[] = {
    [VKP_CONFIG_UNET] = {vkp_unet_declare, vkp_unet_fold, vkp_unet_forward, 16},
    [VKP_CONFIG_NATURAL] = {vkp_natural_declare, vkp_natural_fold, vkp_natural_forward, 32},
};

uint32_t vkp_generator_granularity(vkp_config_network network) { return generators[network].granularity; }

vkp_status vkp_generator_declare(vkp_params *params, vkp_config_network network)
{
    params->network = (int)network;
    return generators[network].declare(params);
}

vkp_status vkp_generator_fold(const vkp_bound_params *params, vkp_bound_params *folded)
{
    *folded = *params;
    return generators[params->params->network].fold(params, folded);
}

vkp_status vkp_generator_forward(const vkp_bound_params *params, vkp_value gray, bool training,
                                 const vkp_dropout *dropout, const char *prefix, vkp_pass *pass)
{
    *pass = (vkp_pass){0};
    const int network = params->params->network;
    const vkp_builder b = {.params = params,
                           .graph = params->graph,
                           .prefix = prefix,
                           .pass = pass,
                           .training = training,
                           .dropout = dropout};
    const uint32_t unit = generators[network].granularity;
    const vkp_shape s = vkp_graph_at(b.graph, gray).shape;
    char text[48];
    if (s.h % unit || s.w % unit || !s.h || !s.w)
        return vkp_fail(VKP_SHAPE,
                        "the generator cannot take %s (sides must be multiples of %u; choose another size)",
                        vkp_shape_text(s, text), unit);
    return generators[network].forward(&b, gray);
}
