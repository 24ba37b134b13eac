#include "nn/layers.h"

#include <math.h>
#include <stdio.h>

#define MOMENTUM 0.1f
#define LEAKY_SLOPE 0.2f

vkp_status vkp_declare_conv(vkp_params *p, const char *layer, uint32_t in, uint32_t out, uint32_t kernel,
                            bool cancelled)
{
    char name[40];
    const float bound = 1 / sqrtf((float)(in * kernel * kernel));
    snprintf(name, sizeof name, "%s.weight", layer);
    VKP_TRY(vkp_params_declare(p, name, 4, (vkp_shape){out, in, kernel, kernel}, true, bound, 0));
    snprintf(name, sizeof name, "%s.bias", layer);
    VKP_TRY(vkp_params_declare(p, name, 1, (vkp_shape){1, out, 1, 1}, true, bound, 0));
    p->list[p->count - 1].zero_grad = cancelled;
    return VKP_OK;
}

vkp_status vkp_declare_norm(vkp_params *p, const char *layer, uint32_t channels)
{
    static const struct {
        const char *name;
        bool trained;
        float fill;
    } parts[] = {
        {"weight", true, 1}, {"bias", true, 0}, {"running_mean", false, 0}, {"running_var", false, 1}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s.%s", layer, parts[i].name);
        VKP_TRY(vkp_params_declare(p, name, 1, (vkp_shape){1, channels, 1, 1}, parts[i].trained, 0,
                                   parts[i].fill));
    }
    return VKP_OK;
}

/* Convolution "BLOCK.INDEX" with the activation that follows it, whose layer `result` names the output;
 * upsample 1 for none. out[0] given: written into; `statistics`: out[1] becomes those of out[0]. */
static vkp_status conv_into(const vkp_builder *b, const char *layer, uint32_t upsample,
                            vkp_activation activation, const char *result, bool statistics, vkp_value x,
                            vkp_value out[VKP_MAX_OUT])
{
    char name[48];
    const vkp_value weight = vkp_bound_find(b->params, "%s.weight", layer);
    const uint32_t kernel = vkp_graph_at(b->graph, weight).shape.h;
    const vkp_attr attr = {.kernel = kernel,
                           .stride = 1,
                           .padding = kernel / 2,
                           .upsample = upsample,
                           .activation = activation,
                           .slope = LEAKY_SLOPE,
                           .statistics = statistics,
                           .pictures = b->pictures};
    const vkp_value in[VKP_MAX_IN] = {x, weight, vkp_bound_find(b->params, "%s.bias", layer)};
    snprintf(name, sizeof name, "%s.%s", b->prefix, result);
    return vkp_graph_apply(b->graph, &vkp_op_conv2d, &attr, name, in, out);
}

vkp_status vkp_add_conv(const vkp_builder *b, const char *layer, uint32_t upsample, vkp_activation activation,
                        const char *result, vkp_value x, vkp_value *y)
{
    vkp_value out[VKP_MAX_OUT] = {*y};
    VKP_TRY(conv_into(b, layer, upsample, activation, result, false, x, out));
    *y = out[0];
    return VKP_OK;
}

vkp_status vkp_add_pool(const vkp_builder *b, const char *layer, uint32_t factor, vkp_value x, vkp_value *y)
{
    char name[48];
    const vkp_value in[VKP_MAX_IN] = {x};
    vkp_value out[VKP_MAX_OUT] = {0};
    snprintf(name, sizeof name, "%s.%s", b->prefix, layer);
    VKP_TRY(vkp_graph_apply(b->graph, &vkp_op_avg_pool, &(vkp_attr){.factor = factor}, name, in, out));
    *y = out[0];
    return VKP_OK;
}

/* Where a norm will write what it pools of x. */
static vkp_status make_pooled(const vkp_builder *b, vkp_value x, vkp_pooling *next)
{
    char name[48];
    const vkp_shape s = vkp_graph_at(b->graph, x).shape;
    snprintf(name, sizeof name, "%s.%s.0", b->prefix, next->block);
    return vkp_graph_activation(b->graph, (vkp_shape){s.n, s.c, s.h / next->factor, s.w / next->factor}, name,
                                &next->out);
}

/* Norm "BLOCK.INDEX" with the activation that follows it, whose layer index is one higher: that is the
 * output's name. `stats` are x's statistics. *y given: written into. `next` may be NULL; where nothing but it
 * is wanted there is no y, unless the graph keeps all values. */
static vkp_status norm(const vkp_builder *b, const char *block, uint32_t index, vkp_activation activation,
                       vkp_value x, vkp_value stats, vkp_pooling *next, vkp_value *y)
{
    char name[48];
    snprintf(name, sizeof name, "%s.%s.%u", b->prefix, block, index + 1);
    const vkp_attr attr = {.training = true,
                           .pictures = b->pictures,
                           .factor = next ? next->factor : 0,
                           .pooled_only = next && next->only && !vkp_graph_keeps_all(b->graph),
                           .activation = activation,
                           .slope = LEAKY_SLOPE,
                           .eps = VKP_NORM_EPS};
    const vkp_value mean = vkp_bound_find(b->params, "%s.%u.running_mean", block, index);
    const vkp_value var = vkp_bound_find(b->params, "%s.%u.running_var", block, index);
    const vkp_value in[VKP_MAX_IN] = {x, vkp_bound_find(b->params, "%s.%u.weight", block, index),
                                      vkp_bound_find(b->params, "%s.%u.bias", block, index), 0, 0, stats};
    if (next) VKP_TRY(make_pooled(b, x, next));
    vkp_value out[VKP_MAX_OUT] = {*y, 0, next ? next->out : 0};
    VKP_TRY(vkp_graph_apply(b->graph, &vkp_op_norm, &attr, name, in, out));
    *y = out[0];
    if (!mean) return VKP_OK;
    vkp_pass *p = b->pass;
    const vkp_shape s = vkp_graph_at(b->graph, x).shape;
    const uint32_t pictures = s.n / vkp_graph_at(b->graph, stats).shape.n;
    p->stats[p->norms] = stats;
    p->running_mean[p->norms] = mean;
    p->running_var[p->norms] = var;
    p->elements[p->norms++] = (double)pictures * s.h * s.w;
    return VKP_OK;
}

vkp_status vkp_add_block(const vkp_builder *b, const char *block, uint32_t index, uint32_t upsample,
                         vkp_activation activation, vkp_value x, vkp_pooling *next, vkp_value *y)
{
    char layer[32], result[32];
    vkp_value out[VKP_MAX_OUT] = {0};
    snprintf(layer, sizeof layer, "%s.%u", block, index);
    if (b->training) {
        VKP_TRY(conv_into(b, layer, upsample, VKP_LINEAR, layer, true, x, out));
        return norm(b, block, index + 1, activation, out[0], out[1], next, y);
    }
    snprintf(result, sizeof result, "%s.%u", block, index + 2);
    VKP_TRY(vkp_add_conv(b, layer, upsample, activation, result, x, y));
    if (!next) return VKP_OK;
    snprintf(layer, sizeof layer, "%s.0", next->block);
    return vkp_add_pool(b, layer, next->factor, *y, &next->out);
}

vkp_status vkp_fold_layer(const vkp_bound_params *params, const char *block, uint32_t index,
                          vkp_bound_params *folded)
{
    char name[48], norm_layer[32];
    snprintf(name, sizeof name, "%s.%u", block, index);
    snprintf(norm_layer, sizeof norm_layer, "%s.%u", block, index + 1);
    const vkp_value in[VKP_MAX_IN] = {vkp_bound_find(params, "%s.weight", name),
                                      vkp_bound_find(params, "%s.bias", name),
                                      vkp_bound_find(params, "%s.weight", norm_layer),
                                      vkp_bound_find(params, "%s.bias", norm_layer),
                                      vkp_bound_find(params, "%s.running_mean", norm_layer),
                                      vkp_bound_find(params, "%s.running_var", norm_layer)};
    vkp_value out[VKP_MAX_OUT] = {0};
    snprintf(name, sizeof name, "%s.%u folded", block, index);
    VKP_TRY(vkp_graph_apply(params->graph, &vkp_op_fold_norm, &(vkp_attr){.eps = VKP_NORM_EPS}, name, in, out));
    for (int part = 0; part < 2; part++) {
        for (uint32_t k = 0; k < params->params->count; k++)
            if (params->values[k] == in[part]) folded->values[k] = out[part];
        vkp_program_keep(vkp_graph_program(params->graph), vkp_graph_at(params->graph, out[part]).buffer);
    }
    return VKP_OK;
}

vkp_status vkp_pass_update_running(const vkp_pass *pass, vkp_graph *graph, uint32_t batch)
{
    for (uint32_t i = 0; i < pass->norms; i++) {
        vkp_value stats;
        VKP_TRY(vkp_graph_pictures(graph, pass->stats[i], batch, 1, "statistics of a batch", &stats));
        const vkp_attr attr = {.momentum = MOMENTUM, .scale = (float)pass->elements[i]};
        const vkp_value in[VKP_MAX_IN] = {stats, pass->running_mean[i], pass->running_var[i]};
        vkp_value out[VKP_MAX_OUT] = {pass->running_mean[i], pass->running_var[i]};
        VKP_TRY(vkp_graph_apply(graph, &vkp_op_running_stats, &attr, "running statistics", in, out));
    }
    return VKP_OK;
}
