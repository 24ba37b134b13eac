/* The published generator: a U-Net of four levels, gray to CrCb (MISSION's table). */
#include "nn/generators.h"

#include <stdio.h>

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

vkp_status vkp_unet_declare(vkp_params *p)
{
    for (int i = 0; i < G_BLOCKS; i++) {
        char layer[32];
        const uint32_t index = g_conv_index(i);
        snprintf(layer, sizeof layer, "%s.%u", g_blocks[i].name, index);
        VKP_TRY(vkp_declare_conv(p, layer, g_blocks[i].in, g_blocks[i].out, g_blocks[i].kernel, true));
        snprintf(layer, sizeof layer, "%s.%u", g_blocks[i].name, index + 1);
        VKP_TRY(vkp_declare_norm(p, layer, g_blocks[i].out));
    }
    return vkp_declare_conv(p, "dec4.0", 64, 2, 5, false);
}

vkp_status vkp_unet_fold(const vkp_bound_params *params, vkp_bound_params *folded)
{
    for (int i = 0; i < G_BLOCKS; i++)
        VKP_TRY(vkp_fold_layer(params, g_blocks[i].name, g_conv_index(i), folded));
    return VKP_OK;
}

/* A block without its pooling, which the block before it has done: `next`, if not NULL. */
static vkp_status g_block(const vkp_builder *b, int which, vkp_value x, vkp_pooling *next, vkp_value *y)
{
    return vkp_add_block(b, g_blocks[which].name, g_conv_index(which), g_blocks[which].upsample, VKP_RELU, x,
                         next, y);
}

/* The pooling that a block begins with; the decoder reads what is pooled too. */
static vkp_pooling g_pooling(int which)
{
    return (vkp_pooling){.block = g_blocks[which].name, .factor = g_blocks[which].pool};
}

/* Where a block will write its output: channels of `whole` from `c` on, by the name of its last layer. */
static vkp_status g_slice(const vkp_builder *b, int which, vkp_value whole, uint32_t c, vkp_value *out)
{
    char name[48];
    snprintf(name, sizeof name, "%s.%s.%u", b->prefix, g_blocks[which].name, g_conv_index(which) + 2);
    return vkp_graph_slice(b->graph, whole, c, g_blocks[which].out, name, out);
}

/* A tensor for concat(decoder, encoder) at a fraction of the input's size, and its two slices. */
static vkp_status make_skip(const vkp_builder *b, vkp_shape gray, uint32_t fraction, int decoder, int encoder,
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

/* What the last convolution reads is the largest tensor of a step and is not needed while D is trained; where
 * it is larger than this, memory is worth the pass that makes it again. */
#define MOST_KEPT_BYTES (256u << 20)

vkp_status vkp_unet_forward(const vkp_builder *b, vkp_value gray)
{
    const vkp_shape s = vkp_graph_at(b->graph, gray).shape;
    vkp_value cat2, cat3, cat4, enc1, enc2, enc3, enc4 = 0, dec1, dec2, dec3;
    VKP_TRY(make_skip(b, s, 1, DEC3, ENC1, &cat4, &dec3, &enc1));
    VKP_TRY(make_skip(b, s, 4, DEC2, ENC2, &cat3, &dec2, &enc2));
    VKP_TRY(make_skip(b, s, 8, DEC1, ENC3, &cat2, &dec1, &enc3));
    vkp_pooling to2 = g_pooling(ENC2), to3 = g_pooling(ENC3), to4 = g_pooling(ENC4);
    VKP_TRY(g_block(b, ENC1, gray, &to2, &enc1));
    VKP_TRY(g_block(b, ENC2, to2.out, &to3, &enc2));
    VKP_TRY(g_block(b, ENC3, to3.out, &to4, &enc3));
    VKP_TRY(g_block(b, ENC4, to4.out, NULL, &enc4));
    VKP_TRY(g_block(b, DEC1, enc4, NULL, &dec1));
    VKP_TRY(g_block(b, DEC2, cat2, NULL, &dec2));
    VKP_TRY(g_block(b, DEC3, cat3, NULL, &dec3));
    if (b->training && vkp_shape_count(vkp_graph_at(b->graph, cat4).shape) * 4 > MOST_KEPT_BYTES)
        vkp_graph_make_again(b->graph, cat4);
    return vkp_add_conv(b, "dec4.0", 1, VKP_TANH, "dec4.1", cat4, &b->pass->out);
}
