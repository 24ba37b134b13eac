#include "torch_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Names: PyTorch's capture calls the layers of a block by kind; vkpix by their place in the Sequential. */
static const struct {
    const char *block, *layers;
} blocks[] = {
    {"enc1", "conv norm out"},
    {"enc2", "pool conv norm out"},
    {"enc3", "pool conv norm out"},
    {"enc4", "pool conv norm out"},
    {"dec1", "up conv norm out"},
    {"dec2", "up conv norm out"},
    {"dec3", "up conv norm out"},
    {"dec4", "conv out"},
    {"conv1", "conv norm out"},
    {"conv2", "pool conv act conv_2 out"},
    {"conv3", "pool conv norm act conv_2 norm_2 out"},
    {"conv4", "pool conv norm act conv_2 norm_2 out"},
    {"conv5", "pool conv norm act conv_2 norm_2 out"},
};

/* Upsampling is part of the convolution behind it, a norm of its activation, and a convolution without a norm
 * of its activation too: they make no tensor. What they would hold follows from what is compared: LeakyReLU
 * and tanh can be turned back, and the convolution's gradients come from nothing but the gradient before
 * them. */
static bool is_fused(const char *block, const char *layer)
{
    const bool without_norm = strcmp(block, "dec4") == 0 || strcmp(block, "conv2") == 0;
    return strcmp(layer, "up") == 0 || strncmp(layer, "norm", 4) == 0 ||
           (without_norm && strncmp(layer, "conv", 4) == 0);
}

/* The name in vkpix's graph of "PASS.BLOCK.LAYER"; empty for a fused layer. */
static void layer_name(const char *torch, char name[48])
{
    const char *layer = strrchr(torch, '.');
    for (size_t i = 0; layer && i < sizeof blocks / sizeof *blocks; i++) {
        const size_t length = strlen(blocks[i].block);
        const char *block = layer - length;
        if (block <= torch || block[-1] != '.' || strncmp(block, blocks[i].block, length) != 0) continue;
        char layers[64];
        unsigned index = 0;
        snprintf(layers, sizeof layers, "%s", blocks[i].layers);
        for (char *rest = NULL, *word = strtok_r(layers, " ", &rest); word;
             word = strtok_r(NULL, " ", &rest), index++) {
            if (strcmp(word, layer + 1) != 0) continue;
            snprintf(name, 48, "%.*s.%u", (int)(layer - torch), torch, index);
            if (is_fused(blocks[i].block, word)) *name = 0;
            return;
        }
    }
    fail_msg("PyTorch's %s is no layer known here", torch);
}

void torch_graph_name(const char *torch, char name[48])
{
    static const struct {
        const char *torch, *name;
    } others[] = {{"gray", "gray"},
                  {"crcb", "gray.crcb"},
                  {"rgb", "rgb"},
                  {"fake", "G.dec4.1"},
                  {"fake_rgb", "fake_rgb"},
                  {"D.fake.out_patch", "D.fake.out_patch"},
                  {"D.real.out_patch", "D.real.out_patch"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(torch, others[i].torch) == 0) {
            snprintf(name, 48, "%s", others[i].name);
            return;
        }
    layer_name(torch, name);
}

bool torch_is_gradient(const char *torch)
{
    return strncmp(torch, TORCH_GRADIENT, strlen(TORCH_GRADIENT)) == 0 ||
           strncmp(torch, TORCH_G_STEP, strlen(TORCH_G_STEP)) == 0;
}

bool torch_ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

bool torch_is_rectified(const char *torch)
{
    return (torch_ends_with(torch, ".out") || torch_ends_with(torch, ".act")) &&
           !torch_ends_with(torch, ".dec4.out");
}

const char *torch_pooled_of(const char *name)
{
    static const char *const list[][2] = {{"enc1.2", "enc2.0"},   {"enc2.3", "enc3.0"},
                                          {"enc3.3", "enc4.0"},   {"conv1.2", "conv2.0"},
                                          {"conv3.6", "conv4.0"}, {"conv4.6", "conv5.0"}};
    static char pooled[48];
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (!torch_ends_with(name, list[i][0])) continue;
        snprintf(pooled, sizeof pooled, "%.*s%s", (int)(strlen(name) - strlen(list[i][0])), name, list[i][1]);
        return pooled;
    }
    return NULL;
}
