#include "nn/networks.h"

#include <math.h>
#include <stdio.h>

#define EPS 1e-5f
#define MOMENTUM 0.1f
#define LEAKY_SLOPE 0.2f

/* What a sequence of layers is written into. */
typedef struct builder {
    const vkp_bound_params *params;
    vkp_graph *graph;
    const char *prefix;
    vkp_pass *pass;
    bool training;
    uint32_t pictures; /* of one statistic of a norm; 0: all */
    vkp_activation activation;
} builder;

/* A norm with the batch's own statistics takes away whatever is added to all of a channel: where one follows
 * (`cancelled`), the gradient of the bias is exactly zero. */
static vkp_status declare_conv(vkp_params *p, const char *layer, uint32_t in, uint32_t out, uint32_t kernel,
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

static vkp_status declare_norm(vkp_params *p, const char *layer, uint32_t channels)
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
static vkp_status conv_into(const builder *b, const char *layer, uint32_t upsample, vkp_activation activation,
                            const char *result, bool statistics, vkp_value x, vkp_value out[VKP_MAX_OUT])
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

static vkp_status conv(const builder *b, const char *layer, uint32_t upsample, vkp_activation activation,
                       const char *result, vkp_value x, vkp_value *y)
{
    vkp_value out[VKP_MAX_OUT] = {0};
    VKP_TRY(conv_into(b, layer, upsample, activation, result, false, x, out));
    *y = out[0];
    return VKP_OK;
}

static vkp_status pool(const builder *b, const char *layer, uint32_t factor, vkp_value x, vkp_value *y)
{
    char name[48];
    const vkp_value in[VKP_MAX_IN] = {x};
    vkp_value out[VKP_MAX_OUT] = {0};
    snprintf(name, sizeof name, "%s.%s", b->prefix, layer);
    VKP_TRY(vkp_graph_apply(b->graph, &vkp_op_avg_pool, &(vkp_attr){.factor = factor}, name, in, out));
    *y = out[0];
    return VKP_OK;
}

/* The average pooling that the next block begins with. A norm makes it in its own pass. */
typedef struct pooling {
    const char *block; /* the next; its layer 0 pools */
    uint32_t factor;
    bool only;         /* nobody else reads what is pooled */
    vkp_value out;
} pooling;

/* Where a norm will write what it pools of x. */
static vkp_status make_pooled(const builder *b, vkp_value x, pooling *next)
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
static vkp_status norm(const builder *b, const char *block, uint32_t index, vkp_value x, vkp_value stats,
                       pooling *next, vkp_value *y)
{
    char name[48];
    snprintf(name, sizeof name, "%s.%s.%u", b->prefix, block, index + 1);
    const vkp_attr attr = {.training = true,
                           .pictures = b->pictures,
                           .factor = next ? next->factor : 0,
                           .pooled_only = next && next->only && !vkp_graph_keeps_all(b->graph),
                           .activation = b->activation,
                           .slope = LEAKY_SLOPE,
                           .eps = EPS};
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

/* Convolution "BLOCK.INDEX" with the norm, the activation and, if not NULL, the pooling that follow it. *y
 * given: written into. */
static vkp_status conv_norm(const builder *b, const char *block, uint32_t index, uint32_t upsample,
                            vkp_value x, pooling *next, vkp_value *y)
{
    char layer[32];
    vkp_value out[VKP_MAX_OUT] = {0};
    snprintf(layer, sizeof layer, "%s.%u", block, index);
    VKP_TRY(conv_into(b, layer, upsample, VKP_LINEAR, layer, true, x, out));
    return norm(b, block, index + 1, out[0], out[1], next, y);
}

/* The generator's encoder and decoder blocks, in forward order. A block's output is a channel slice of
 * what the decoder concatenates, so that the concatenation costs nothing. */
static const struct g_block {
    const char *name;
    uint32_t pool, upsample, in, out, kernel;
} g_blocks[] = {
    {"enc1", 0, 0, 1, 32, 5},    {"enc2", 4, 0, 32, 64, 3},   {"enc3", 2, 0, 64, 128, 3},
    {"enc4", 2, 0, 128, 256, 3}, {"dec1", 0, 2, 256, 128, 3}, {"dec2", 0, 2, 256, 64, 3},
    {"dec3", 0, 4, 128, 32, 3},
};
enum { ENC1, ENC2, ENC3, ENC4, DEC1, DEC2, DEC3, G_BLOCKS };

/* A block's convolution comes after its pool or upsampling, if there is one; then norm and activation. */
static uint32_t g_conv_index(int which) { return g_blocks[which].pool || g_blocks[which].upsample ? 1 : 0; }

vkp_status vkp_generator_declare(vkp_params *p)
{
    for (int i = 0; i < G_BLOCKS; i++) {
        char layer[32];
        const uint32_t index = g_conv_index(i);
        snprintf(layer, sizeof layer, "%s.%u", g_blocks[i].name, index);
        VKP_TRY(declare_conv(p, layer, g_blocks[i].in, g_blocks[i].out, g_blocks[i].kernel, true));
        snprintf(layer, sizeof layer, "%s.%u", g_blocks[i].name, index + 1);
        VKP_TRY(declare_norm(p, layer, g_blocks[i].out));
    }
    return declare_conv(p, "dec4.0", 64, 2, 5, false);
}

vkp_status vkp_generator_fold(const vkp_bound_params *params, vkp_bound_params *folded)
{
    vkp_graph *g = params->graph;
    *folded = *params;
    for (int i = 0; i < G_BLOCKS; i++) {
        char name[48], conv_layer[32], norm_layer[32];
        snprintf(conv_layer, sizeof conv_layer, "%s.%u", g_blocks[i].name, g_conv_index(i));
        snprintf(norm_layer, sizeof norm_layer, "%s.%u", g_blocks[i].name, g_conv_index(i) + 1);
        const vkp_value in[VKP_MAX_IN] = {vkp_bound_find(params, "%s.weight", conv_layer),
                                          vkp_bound_find(params, "%s.bias", conv_layer),
                                          vkp_bound_find(params, "%s.weight", norm_layer),
                                          vkp_bound_find(params, "%s.bias", norm_layer),
                                          vkp_bound_find(params, "%s.running_mean", norm_layer),
                                          vkp_bound_find(params, "%s.running_var", norm_layer)};
        vkp_value out[VKP_MAX_OUT] = {0};
        snprintf(name, sizeof name, "%s folded", conv_layer);
        VKP_TRY(vkp_graph_apply(g, &vkp_op_fold_norm, &(vkp_attr){.eps = EPS}, name, in, out));
        for (uint32_t k = 0; k < params->params->count; k++)
            for (int part = 0; part < 2; part++)
                if (params->values[k] == in[part]) folded->values[k] = out[part];
        for (int part = 0; part < 2; part++)
            vkp_program_keep(vkp_graph_program(g), vkp_graph_at(g, out[part]).buffer);
    }
    return VKP_OK;
}

/* A block without its pooling, which the block before it has done: `next`, if not NULL. */
static vkp_status g_block(const builder *b, int which, vkp_value x, pooling *next, vkp_value *y)
{
    char layer[32], result[32];
    const uint32_t index = g_conv_index(which);
    if (b->training) return conv_norm(b, g_blocks[which].name, index, g_blocks[which].upsample, x, next, y);
    vkp_value out[VKP_MAX_OUT] = {*y};
    snprintf(layer, sizeof layer, "%s.%u", g_blocks[which].name, index);
    snprintf(result, sizeof result, "%s.%u", g_blocks[which].name, index + 2);
    VKP_TRY(conv_into(b, layer, g_blocks[which].upsample, b->activation, result, false, x, out));
    *y = out[0];
    if (!next) return VKP_OK;
    snprintf(layer, sizeof layer, "%s.0", next->block);
    return pool(b, layer, next->factor, *y, &next->out);
}

/* The pooling that a block begins with; the decoder reads what is pooled too. */
static pooling g_pooling(int which)
{
    return (pooling){.block = g_blocks[which].name, .factor = g_blocks[which].pool};
}

/* Where a block will write its output: channels of `whole` from `c` on, by the name of its last layer. */
static vkp_status g_slice(const builder *b, int which, vkp_value whole, uint32_t c, vkp_value *out)
{
    char name[48];
    snprintf(name, sizeof name, "%s.%s.%u", b->prefix, g_blocks[which].name, g_conv_index(which) + 2);
    return vkp_graph_slice(b->graph, whole, c, g_blocks[which].out, name, out);
}

/* A tensor for concat(decoder, encoder) at a fraction of the input's size, and its two slices. */
static vkp_status make_skip(const builder *b, vkp_shape gray, uint32_t fraction, int decoder, int encoder,
                            vkp_value *whole, vkp_value *dec, vkp_value *enc)
{
    char name[48];
    const uint32_t channels = g_blocks[decoder].out + g_blocks[encoder].out;
    const vkp_shape shape = {gray.n, channels, gray.h / fraction, gray.w / fraction};
    snprintf(name, sizeof name, "%s.%s|%s", b->prefix, g_blocks[decoder].name, g_blocks[encoder].name);
    VKP_TRY(vkp_graph_activation(b->graph, shape, name, whole));
    VKP_TRY(g_slice(b, decoder, *whole, 0, dec));
    return g_slice(b, encoder, *whole, g_blocks[decoder].out, enc);
}

vkp_status vkp_generator_forward(const vkp_bound_params *params, vkp_value gray, bool training,
                                 const char *prefix, vkp_pass *pass)
{
    *pass = (vkp_pass){0};
    vkp_graph *g = params->graph;
    const builder b = {.params = params,
                       .graph = g,
                       .prefix = prefix,
                       .pass = pass,
                       .training = training,
                       .activation = VKP_RELU};
    const vkp_shape s = vkp_graph_at(g, gray).shape;
    char text[48];
    if (s.h % 16 || s.w % 16 || !s.h || !s.w)
        return vkp_fail(VKP_SHAPE,
                        "the generator cannot take %s (sides must be multiples of 16; choose another size)",
                        vkp_shape_text(s, text));
    vkp_value cat2, cat3, cat4, enc1, enc2, enc3, enc4 = 0, dec1, dec2, dec3;
    VKP_TRY(make_skip(&b, s, 1, DEC3, ENC1, &cat4, &dec3, &enc1));
    VKP_TRY(make_skip(&b, s, 4, DEC2, ENC2, &cat3, &dec2, &enc2));
    VKP_TRY(make_skip(&b, s, 8, DEC1, ENC3, &cat2, &dec1, &enc3));
    pooling to2 = g_pooling(ENC2), to3 = g_pooling(ENC3), to4 = g_pooling(ENC4);
    VKP_TRY(g_block(&b, ENC1, gray, &to2, &enc1));
    VKP_TRY(g_block(&b, ENC2, to2.out, &to3, &enc2));
    VKP_TRY(g_block(&b, ENC3, to3.out, &to4, &enc3));
    VKP_TRY(g_block(&b, ENC4, to4.out, NULL, &enc4));
    VKP_TRY(g_block(&b, DEC1, enc4, NULL, &dec1));
    VKP_TRY(g_block(&b, DEC2, cat2, NULL, &dec2));
    VKP_TRY(g_block(&b, DEC3, cat3, NULL, &dec3));
    return conv(&b, "dec4.0", 1, VKP_TANH, "dec4.1", cat4, &pass->out);
}

static vkp_status declare_d_norm(vkp_params *p, const char *layer, uint32_t channels,
                                 const vkp_config *config)
{
    /* PyTorch's InstanceNorm2d has neither parameters nor running statistics by default. */
    return config->d_norm == VKP_CONFIG_NORM_BATCH ? declare_norm(p, layer, channels) : VKP_OK;
}

vkp_status vkp_discriminator_declare(vkp_params *p, const vkp_config *config)
{
    VKP_TRY(declare_conv(p, "conv1.0", 3, 16, 5, true));
    VKP_TRY(declare_d_norm(p, "conv1.1", 16, config));
    VKP_TRY(declare_conv(p, "conv2.1", 16, 32, 3, false));
    VKP_TRY(declare_conv(p, "conv2.3", 32, 32, 3, false));
    for (uint32_t i = 3, channels = 32; i <= 5; i++, channels *= 2) {
        char layer[32];
        for (uint32_t half = 0; half < 2; half++) {
            snprintf(layer, sizeof layer, "conv%u.%u", i, 1 + 3 * half);
            VKP_TRY(declare_conv(p, layer, half ? 2 * channels : channels, 2 * channels, 3, true));
            snprintf(layer, sizeof layer, "conv%u.%u", i, 2 + 3 * half);
            VKP_TRY(declare_d_norm(p, layer, 2 * channels, config));
        }
    }
    return declare_conv(p, "out_patch", 256, 1, 1, false);
}

vkp_status vkp_discriminator_forward(const vkp_bound_params *params, const vkp_config *config, vkp_value rgb,
                                     uint32_t batches, const char *prefix, vkp_pass *pass)
{
    *pass = (vkp_pass){0};
    const uint32_t n = vkp_graph_at(params->graph, rgb).shape.n;
    const builder b = {.params = params,
                       .graph = params->graph,
                       .prefix = prefix,
                       .pass = pass,
                       .training = true,
                       .pictures = config->d_norm == VKP_CONFIG_NORM_INSTANCE ? 1 : n / batches,
                       .activation = VKP_LEAKY_RELU};
    static const char *const blocks[] = {"conv3", "conv4", "conv5"};
    pooling next = {.block = "conv2", .factor = config->d_pools[0], .only = true};
    vkp_value x, y = 0;
    VKP_TRY(conv_norm(&b, "conv1", 0, 1, rgb, &next, &y));
    VKP_TRY(conv(&b, "conv2.1", 1, VKP_LEAKY_RELU, "conv2.2", next.out, &x));
    VKP_TRY(conv(&b, "conv2.3", 1, VKP_LEAKY_RELU, "conv2.4", x, &x));
    VKP_TRY(pool(&b, "conv3.0", config->d_pools[1], x, &x));
    for (uint32_t i = 0; i < 3; i++) {
        const bool last = i == 2;
        y = 0;
        VKP_TRY(conv_norm(&b, blocks[i], 1, 1, x, NULL, &y));
        if (!last) next = (pooling){.block = blocks[i + 1], .factor = config->d_pools[i + 2], .only = true};
        x = 0;
        VKP_TRY(conv_norm(&b, blocks[i], 4, 1, y, last ? NULL : &next, &x));
        if (!last) x = next.out;
    }
    return conv(&b, "out_patch", 1, VKP_LINEAR, "out_patch", x, &pass->out);
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
