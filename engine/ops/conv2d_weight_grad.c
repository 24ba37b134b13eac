/* The weight gradient of convolutions with stride 1, for devices that shuffle within a subgroup: partial
 * results in registers over parts of the batch, then their sum in a fixed order. How many parts there are
 * follows from the shapes and the device, so that two runs agree to the bit. */
#include "ops/conv2d.h"

/* What one workgroup does. G is the operand whose channels lie over the lanes, H the other one. */
typedef struct tiling {
    bool swapped;       /* G is the input, H the output gradient */
    uint32_t channels;  /* of H a group */
    uint32_t per_lane;  /* channels of G a lane */
    uint32_t quads, rows; /* of pixels a tile */
} tiling;

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t whole(uint32_t items, uint32_t size) { return (items + size - 1) / size; }

/* The time of a tiling in cycles of a core that runs `lanes` lanes at once, as measured on llvmpipe: 20 for
 * four values fetched a lane, 2.5 for a shuffle, half of one for a multiplication with its addition. */
static double cost(const tiling *t, uint32_t lanes, uint32_t kernel, vkp_shape x, uint32_t co)
{
    const uint32_t high = t->rows + kernel - 1, wide = t->quads + (kernel > 1 ? 2 : 0), taps = kernel * kernel;
    const double fetches = whole(t->channels * high * wide, lanes) + t->per_lane * t->rows * t->quads;
    const double shuffles = t->channels * high * (t->quads * 4.0 + kernel - 1);
    const double products = (double)t->channels * t->per_lane * taps * t->rows * t->quads * 4;
    const double tiles = (double)whole(vkp_pitch(x.w) / 4, t->quads) * whole(x.h, t->rows);
    const double blocks = (double)whole(t->swapped ? x.c : co, lanes * t->per_lane) * whole(t->swapped ? co : x.c, t->channels);
    return blocks * tiles * (20 * fetches + 2.5 * shuffles + 0.5 * products + t->channels * t->per_lane * taps);
}

static tiling choose(uint32_t lanes, const vkp_node *node)
{
    const uint32_t taps = node->attr.kernel * node->attr.kernel;
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    tiling best = {0};
    double lowest = 0;
    for (uint32_t i = 0; i < 2 * 16 * 8 * 5 * 4; i++) {
        const tiling t = {.swapped = i % 2, .channels = 1 + i / 2 % 16, .per_lane = 1 + i / 32 % 8,
                          .quads = 1 + i / 256 % 5, .rows = 1 + i / 1280};
        const uint32_t sums = t.channels * t.per_lane * taps;
        if (sums > 144 || sums * t.quads * 4 * t.rows > 4096) continue;
        const double c = cost(&t, lanes, node->attr.kernel, x, node->out[VKP_CONV_Y].shape.c);
        if (lowest > 0 && c >= lowest) continue;
        lowest = c;
        best = t;
    }
    return best;
}

bool vkp_conv2d_lanes_weight_grad_fits(const vkp_device *device, const vkp_node *node)
{
    const vkp_limits *l = &device->info.limits;
    const vkp_attr *a = &node->attr;
    return l->shuffle && l->subgroup_size <= l->group_size[0] && a->stride == 1 && vkp_conv_upsample(node) == 1 &&
           a->padding == a->kernel / 2 && a->kernel % 2 == 1 && a->kernel <= 5;
}

/* The pictures of one dispatch and their share of the partial results. */
typedef struct share {
    uint32_t n, count; /* pictures */
    uint32_t first, parts, rows_a_group;
} share;

static vkp_status reduce(vkp_program *p, const vkp_node *node, const vkp_tensor *parts)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *dw = &node->d_in[VKP_CONV_WEIGHT];
    const uint32_t weights = (uint32_t)vkp_shape_count(dw->shape);
    vkp_dispatch d = {.shader = VKP_SHADER_conv2d_weight_grad_reduce, .groups = {vkp_groups(weights, 4 * 64), 1, 1},
                      .spec = {node->add[VKP_CONV_WEIGHT]}, .spec_count = 1};
    vkp_bind(device, &d, dw, VKP_READ_WRITE);
    vkp_bind_quads(device, &d, parts, VKP_READ, false);
    vkp_push(&d, parts->shape.n);
    vkp_push(&d, weights);
    return vkp_program_dispatch(p, &d);
}

static vkp_status record_share(vkp_program *p, const vkp_node *node, const tiling *t, const share *s,
                               const vkp_tensor *parts, bool texels)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t lanes = device->info.limits.subgroup_size, kernel = node->attr.kernel, taps = kernel * kernel;
    const vkp_tensor x = vkp_tensor_pictures(&node->in[VKP_CONV_X], s->n, s->count);
    const vkp_tensor dy = vkp_tensor_pictures(&node->d_out[VKP_CONV_Y], s->n, s->count);
    const vkp_tensor *g = t->swapped ? &x : &dy, *h = t->swapped ? &dy : &x;
    vkp_dispatch d = {
        .shader = texels ? VKP_SHADER_conv2d_weight_grad_lanes_texel : VKP_SHADER_conv2d_weight_grad_lanes,
        .groups = {vkp_groups(g->shape.c, lanes * t->per_lane), vkp_groups(h->shape.c, t->channels), s->parts},
        .spec = {lanes, kernel, t->channels, t->per_lane, t->quads, t->rows, t->swapped}, .spec_count = 7,
        .subgroup_size = lanes,
        .flop = 2.0 * (double)vkp_shape_count(dy.shape) * x.shape.c * taps};
    vkp_bind_quads(device, &d, parts, VKP_WRITE, false);
    for (uint32_t i = d.push_words - 4; i < d.push_words; i++) d.push[i] *= 4;
    vkp_bind_quads(device, &d, h, VKP_READ, texels);
    vkp_bind_quads(device, &d, g, VKP_READ, texels);
    const uint32_t tile_rows = whole(x.shape.h, t->rows), row = x.shape.c * taps;
    const uint32_t words[] = {x.shape.h, tile_rows, h->shape.c, g->shape.c, t->swapped ? row : taps,
                              t->swapped ? taps : row, tile_rows * s->count, s->rows_a_group, s->first};
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) vkp_push(&d, words[i]);
    return vkp_program_dispatch(p, &d);
}

vkp_status vkp_conv2d_lanes_weight_grad(vkp_program *p, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t lanes = device->info.limits.subgroup_size;
    const vkp_tensor *x = &node->in[VKP_CONV_X], *dy = &node->d_out[VKP_CONV_Y];
    const tiling t = choose(lanes, node);
    const uint32_t chunk = least(vkp_pictures_per_binding(device, (const vkp_tensor *const[]){x, dy}, 2), x->shape.n);
    /* Groups enough for every core or compute unit, and no more partial results than that takes. */
    const uint32_t blocks = whole(t.swapped ? x->shape.c : dy->shape.c, lanes * t.per_lane) *
                            whole(t.swapped ? dy->shape.c : x->shape.c, t.channels);
    const uint32_t chunks = whole(x->shape.n, chunk), tile_rows = whole(x->shape.h, t.rows) * chunk;
    const uint32_t wanted = whole(whole(32 * lanes, blocks), chunks);
    share s = {.rows_a_group = whole(tile_rows, least(wanted, tile_rows))};
    s.parts = whole(tile_rows, s.rows_a_group);
    vkp_tensor parts;
    const uint32_t weights = (uint32_t)vkp_shape_count(node->d_in[VKP_CONV_WEIGHT].shape);
    VKP_TRY(vkp_tensor_new(p, (vkp_shape){chunks * s.parts, 1, 1, weights}, "weight gradient parts", &parts));
    const vkp_tensor x_chunk = vkp_tensor_pictures(x, 0, chunk), dy_chunk = vkp_tensor_pictures(dy, 0, chunk);
    const bool texels = vkp_texels_fit(device, &x_chunk, 4) && vkp_texels_fit(device, &dy_chunk, 4);
    for (; s.n < x->shape.n; s.n += chunk, s.first += s.parts) {
        s.count = least(chunk, x->shape.n - s.n);
        VKP_TRY(record_share(p, node, &t, &s, &parts, texels));
    }
    return reduce(p, node, &parts);
}
