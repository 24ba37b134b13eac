/* `natural`: a generator that sees the whole picture, gray to CrCb.
 *
 *   gray  -> unshuffle 2 -> stem 24 (1/2) -> enc2 64 (1/4) -> enc3 128 (1/8) -> enc4 192 + residual (1/16)
 *         -> enc5 256 + residual (1/32) -> mean over the picture -> two linear layers -> FiLM of enc3..enc5
 *   up:   dec1 96 | enc4 (1/16) -> dec2 80 | enc3 (1/8) -> dec3 32 | enc2 (1/4) -> mix 40 -> chroma, classes
 *         -> up 12 | stem (1/2) -> fine 12 -> chroma again, their sum through tanh, bilinear to full size
 *
 * Convolutions are 3x3 with BatchNorm and ReLU; pooling is average pooling. FiLM: Perez et al., 2018. The
 * classes only teach (Zhang et al., Colorful Image Colorization, 2016): evaluation does without them. */
#include "nn/generators.h"

#include <stdio.h>

enum { STEM, ENC2, ENC3, ENC4, RES4A, RES4B, ENC5, RES5A, RES5B, DEC1, DEC2, DEC3, MIX, UP, FINE, BLOCKS };

/* Blocks of convolution INDEX, norm and ReLU; those with pool or upsampling have that as layer 0. */
static const struct n_block {
    const char *name;
    uint32_t index, upsample, in, out;
} blocks[] = {
    [STEM] = {"stem", 1, 1, 4, 24},      [ENC2] = {"enc2", 1, 1, 24, 64},
    [ENC3] = {"enc3", 1, 1, 64, 128},    [ENC4] = {"enc4", 1, 1, 128, 192},
    [RES4A] = {"enc4.res", 0, 1, 192, 192}, [RES4B] = {"enc4.res", 3, 1, 192, 192},
    [ENC5] = {"enc5", 1, 1, 192, 256},   [RES5A] = {"enc5.res", 0, 1, 256, 256},
    [RES5B] = {"enc5.res", 3, 1, 256, 256}, [DEC1] = {"dec1", 1, 2, 256, 96},
    [DEC2] = {"dec2", 1, 2, 288, 80},    [DEC3] = {"dec3", 1, 2, 208, 32},
    [MIX] = {"mix", 0, 1, 96, 40},       [UP] = {"up", 1, 2, 40, 12},
    [FINE] = {"fine", 0, 1, 36, 12},
};

/* What FiLM changes, and where its scales and shifts lie among the channels of film.3's output. */
enum { FILM_HIDDEN = 256, FILM_ENC3 = 0, FILM_ENC4 = 256, FILM_ENC5 = 640, FILM_CHANNELS = 1152 };

vkp_status vkp_natural_declare(vkp_params *p)
{
    for (int i = 0; i < BLOCKS; i++) {
        char layer[32];
        snprintf(layer, sizeof layer, "%s.%u", blocks[i].name, blocks[i].index);
        VKP_TRY(vkp_declare_conv(p, layer, blocks[i].in, blocks[i].out, 3, true));
        snprintf(layer, sizeof layer, "%s.%u", blocks[i].name, blocks[i].index + 1);
        VKP_TRY(vkp_declare_norm(p, layer, blocks[i].out));
    }
    VKP_TRY(vkp_declare_conv(p, "film.0", 256, FILM_HIDDEN, 1, false));
    VKP_TRY(vkp_declare_conv(p, "film.3", FILM_HIDDEN, FILM_CHANNELS, 1, false));
    VKP_TRY(vkp_declare_conv(p, "chroma", blocks[MIX].out, 2, 3, false));
    VKP_TRY(vkp_declare_conv(p, "classes", blocks[MIX].out, VKP_CLASS_SIDE * VKP_CLASS_SIDE, 1, false));
    return vkp_declare_conv(p, "fine_chroma", 12, 2, 3, false);
}

vkp_status vkp_natural_fold(const vkp_bound_params *params, vkp_bound_params *folded)
{
    for (int i = 0; i < BLOCKS; i++)
        VKP_TRY(vkp_fold_layer(params, blocks[i].name, blocks[i].index, folded));
    return VKP_OK;
}

static vkp_status block(const vkp_builder *b, int which, vkp_activation activation, vkp_value x,
                        vkp_pooling *next, vkp_value *y)
{
    return vkp_add_block(b, blocks[which].name, blocks[which].index, blocks[which].upsample, activation, x,
                         next, y);
}

/* An operation of one or two inputs; *y given: written into. */
static vkp_status apply(const vkp_builder *b, const vkp_op *op, const vkp_attr *attr, const char *layer,
                        vkp_value x, vkp_value second, vkp_value *y)
{
    char name[48];
    const vkp_value in[VKP_MAX_IN] = {x, second};
    vkp_value out[VKP_MAX_OUT] = {*y};
    snprintf(name, sizeof name, "%s.%s", b->prefix, layer);
    VKP_TRY(vkp_graph_apply(b->graph, op, attr, name, in, out));
    *y = out[0];
    return VKP_OK;
}

/* relu(x + norm(conv(relu(norm(conv(x)))))): He et al., 2016, the basic block. */
static vkp_status residual(const vkp_builder *b, int first, const char *result, vkp_value x, vkp_value *y)
{
    vkp_value inner = 0, branch = 0;
    VKP_TRY(block(b, first, VKP_RELU, x, NULL, &inner));
    VKP_TRY(block(b, first + 1, VKP_LINEAR, inner, NULL, &branch));
    return apply(b, &vkp_op_add, &(vkp_attr){.activation = VKP_RELU}, result, x, branch, y);
}

/* A tensor for concat(decoder, skip) at a fraction of the input's size, and its two slices. */
static vkp_status make_skip(const vkp_builder *b, vkp_shape gray, uint32_t fraction, int decoder, int encoder,
                            vkp_value *whole, vkp_value *dec, vkp_value *enc)
{
    char name[48];
    const uint32_t left = blocks[decoder].out, right = blocks[encoder].out;
    snprintf(name, sizeof name, "%s.%s|%s", b->prefix, blocks[decoder].name, blocks[encoder].name);
    const vkp_shape shape = {gray.n, left + right, gray.h / fraction, gray.w / fraction};
    VKP_TRY(vkp_graph_activation(b->graph, shape, name, whole));
    VKP_TRY(vkp_graph_slice(b->graph, *whole, 0, left, name, dec));
    return vkp_graph_slice(b->graph, *whole, left, right, name, enc);
}

/* The scales and shifts of all FiLMs (n,FILM_CHANNELS,1,1). */
static vkp_status global_path(const vkp_builder *b, vkp_value deepest, vkp_value *film)
{
    vkp_value mean = 0, hidden = 0, dropped = 0;
    VKP_TRY(apply(b, &vkp_op_global_avg_pool, &(vkp_attr){0}, "mean", deepest, 0, &mean));
    VKP_TRY(vkp_add_conv(b, "film.0", 1, VKP_RELU, "film.1", mean, &hidden));
    if (b->dropout && b->dropout->probability > 0)
        VKP_TRY(apply(b, &vkp_op_dropout, &(vkp_attr){.scale = b->dropout->probability}, "film.2", hidden,
                      b->dropout->state, &dropped));
    else dropped = hidden;
    return vkp_add_conv(b, "film.3", 1, VKP_LINEAR, "film.3", dropped, film);
}

static vkp_status film(const vkp_builder *b, int which, uint32_t from, vkp_value all, const char *layer,
                       vkp_value x, vkp_value *y)
{
    vkp_value own = 0;
    VKP_TRY(vkp_graph_slice(b->graph, all, from, 2 * blocks[which].out, layer, &own));
    return apply(b, &vkp_op_film, &(vkp_attr){0}, layer, x, own, y);
}

/* Chroma at full size, from the features at 1/4 of it; `up` is the part of `half` that is made of them. */
static vkp_status write_heads(const vkp_builder *b, vkp_value quarter, vkp_value up, vkp_value half)
{
    const vkp_attr twice = {.factor = 2};
    vkp_value coarse = 0, coarse_up = 0, fine = 0, detail = 0, chroma = 0;
    VKP_TRY(vkp_add_conv(b, "chroma", 1, VKP_LINEAR, "chroma", quarter, &coarse));
    if (b->training)
        VKP_TRY(vkp_add_conv(b, "classes", 1, VKP_LINEAR, "classes", quarter, &b->pass->classes));
    VKP_TRY(block(b, UP, VKP_RELU, quarter, NULL, &up));
    VKP_TRY(block(b, FINE, VKP_RELU, half, NULL, &fine));
    VKP_TRY(vkp_add_conv(b, "fine_chroma", 1, VKP_LINEAR, "fine_chroma", fine, &detail));
    VKP_TRY(apply(b, &vkp_op_upsample_bilinear, &twice, "coarse", coarse, 0, &coarse_up));
    VKP_TRY(apply(b, &vkp_op_add, &(vkp_attr){.activation = VKP_TANH}, "sum", coarse_up, detail, &chroma));
    return apply(b, &vkp_op_upsample_bilinear, &twice, "crcb", chroma, 0, &b->pass->out);
}

vkp_status vkp_natural_forward(const vkp_builder *b, vkp_value gray)
{
    const vkp_shape s = vkp_graph_at(b->graph, gray).shape;
    vkp_value cat16, cat8, cat4, cat2, stem, enc2, skip3, skip4, dec1, dec2, dec3, up;
    vkp_value quads = 0, enc3 = 0, first4 = 0, enc4 = 0, pooled4 = 0, first5 = 0, enc5 = 0, deepest = 0;
    vkp_value films = 0, mixed = 0;
    VKP_TRY(make_skip(b, s, 2, UP, STEM, &cat2, &up, &stem));
    VKP_TRY(make_skip(b, s, 4, DEC3, ENC2, &cat4, &dec3, &enc2));
    VKP_TRY(make_skip(b, s, 8, DEC2, ENC3, &cat8, &dec2, &skip3));
    VKP_TRY(make_skip(b, s, 16, DEC1, ENC4, &cat16, &dec1, &skip4));
    vkp_pooling to2 = {.block = "enc2", .factor = 2}, to3 = {.block = "enc3", .factor = 2},
                to4 = {.block = "enc4", .factor = 2};

    VKP_TRY(apply(b, &vkp_op_pixel_unshuffle, &(vkp_attr){.factor = 2}, "stem.0", gray, 0, &quads));
    VKP_TRY(block(b, STEM, VKP_RELU, quads, &to2, &stem));
    VKP_TRY(block(b, ENC2, VKP_RELU, to2.out, &to3, &enc2));
    VKP_TRY(block(b, ENC3, VKP_RELU, to3.out, &to4, &enc3));
    VKP_TRY(block(b, ENC4, VKP_RELU, to4.out, NULL, &first4));
    VKP_TRY(residual(b, RES4A, "enc4.res", first4, &enc4));
    VKP_TRY(vkp_add_pool(b, "enc5.0", 2, enc4, &pooled4));
    VKP_TRY(block(b, ENC5, VKP_RELU, pooled4, NULL, &first5));
    VKP_TRY(residual(b, RES5A, "enc5.res", first5, &enc5));

    VKP_TRY(global_path(b, enc5, &films));
    VKP_TRY(film(b, ENC3, FILM_ENC3, films, "film.enc3", enc3, &skip3));
    VKP_TRY(film(b, ENC4, FILM_ENC4, films, "film.enc4", enc4, &skip4));
    VKP_TRY(film(b, ENC5, FILM_ENC5, films, "film.enc5", enc5, &deepest));

    VKP_TRY(block(b, DEC1, VKP_RELU, deepest, NULL, &dec1));
    VKP_TRY(block(b, DEC2, VKP_RELU, cat16, NULL, &dec2));
    VKP_TRY(block(b, DEC3, VKP_RELU, cat8, NULL, &dec3));
    VKP_TRY(block(b, MIX, VKP_RELU, cat4, NULL, &mixed));
    return write_heads(b, mixed, up, cat2);
}
