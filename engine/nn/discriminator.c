/* The PatchGAN discriminator, RGB to one logit a patch (MISSION's table). */
#include "nn/layers.h"

#include <stdio.h>

static vkp_status declare_d_norm(vkp_params *p, const char *layer, uint32_t channels,
                                 const vkp_config *config)
{
    /* PyTorch's InstanceNorm2d has neither parameters nor running statistics by default. */
    return config->d_norm == VKP_CONFIG_NORM_BATCH ? vkp_declare_norm(p, layer, channels) : VKP_OK;
}

vkp_status vkp_discriminator_declare(vkp_params *p, const vkp_config *config)
{
    VKP_TRY(vkp_declare_conv(p, "conv1.0", 3, 16, 5, true));
    VKP_TRY(declare_d_norm(p, "conv1.1", 16, config));
    VKP_TRY(vkp_declare_conv(p, "conv2.1", 16, 32, 3, false));
    VKP_TRY(vkp_declare_conv(p, "conv2.3", 32, 32, 3, false));
    for (uint32_t i = 3, channels = 32; i <= 5; i++, channels *= 2) {
        char layer[32];
        for (uint32_t half = 0; half < 2; half++) {
            snprintf(layer, sizeof layer, "conv%u.%u", i, 1 + 3 * half);
            VKP_TRY(vkp_declare_conv(p, layer, half ? 2 * channels : channels, 2 * channels, 3, true));
            snprintf(layer, sizeof layer, "conv%u.%u", i, 2 + 3 * half);
            VKP_TRY(declare_d_norm(p, layer, 2 * channels, config));
        }
    }
    return vkp_declare_conv(p, "out_patch", 256, 1, 1, false);
}

vkp_status vkp_discriminator_forward(const vkp_bound_params *params, const vkp_config *config, vkp_value rgb,
                                     uint32_t batches, const char *prefix, vkp_pass *pass)
{
    *pass = (vkp_pass){0};
    const uint32_t n = vkp_graph_at(params->graph, rgb).shape.n;
    const vkp_builder b = {.params = params,
                       .graph = params->graph,
                       .prefix = prefix,
                       .pass = pass,
                       .training = true,
                       .pictures = config->d_norm == VKP_CONFIG_NORM_INSTANCE ? 1 : n / batches};
    static const char *const blocks[] = {"conv3", "conv4", "conv5"};
    vkp_pooling next = {.block = "conv2", .factor = config->d_pools[0], .only = true};
    vkp_value x = 0, y = 0;
    VKP_TRY(vkp_add_block(&b, "conv1", 0, 1, VKP_LEAKY_RELU, rgb, &next, &y));
    VKP_TRY(vkp_add_conv(&b, "conv2.1", 1, VKP_LEAKY_RELU, "conv2.2", next.out, &x));
    y = 0;
    VKP_TRY(vkp_add_conv(&b, "conv2.3", 1, VKP_LEAKY_RELU, "conv2.4", x, &y));
    VKP_TRY(vkp_add_pool(&b, "conv3.0", config->d_pools[1], y, &x));
    for (uint32_t i = 0; i < 3; i++) {
        const bool last = i == 2;
        y = 0;
        VKP_TRY(vkp_add_block(&b, blocks[i], 1, 1, VKP_LEAKY_RELU, x, NULL, &y));
        if (!last)
            next = (vkp_pooling){.block = blocks[i + 1], .factor = config->d_pools[i + 2], .only = true};
        x = 0;
        VKP_TRY(vkp_add_block(&b, blocks[i], 4, 1, VKP_LEAKY_RELU, y, last ? NULL : &next, &x));
        if (!last) x = next.out;
    }
    return vkp_add_conv(&b, "out_patch", 1, VKP_LINEAR, "out_patch", x, &pass->out);
}
