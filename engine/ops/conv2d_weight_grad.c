/* The weight gradient of convolutions with stride 1, for devices that shuffle within a subgroup: partial
 * results in registers over parts of the batch, then their sum in a fixed order. How many parts there are
 * follows from the shapes and the device, so that two runs agree to the bit. */
#include "ops/conv2d.h"

/* What one workgroup does. G is the operand whose channels lie over the lanes, H the other one. */
typedef struct tiling {
    bool swapped;         /* G is the input, H the output gradient */
    uint32_t channels;    /* of H a group */
    uint32_t per_lane;    /* channels of G a lane */
    uint32_t quads, rows; /* of a tile: width in quads of pixels, height */
} tiling;

/* How a batch is divided: into chunks of pictures by what a binding holds, a dispatch each, and those into
 * parts, a partial result each. */
typedef struct division {
    uint32_t g_blocks, h_blocks; /* workgroups by channels */
    uint32_t tile_rows;          /* of a picture */
    uint32_t pictures, chunks;   /* of a chunk; in all */
    uint32_t parts, rows_a_part; /* of a chunk; rows of tiles */
} division;

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t whole(uint32_t items, uint32_t size) { return (items + size - 1) / size; }

/* Cycles that a core which runs all lanes at once needs, as measured on llvmpipe: for four values fetched a
 * lane, for a shuffle, for a multiplication with its addition, to take up and put down a sum for a tile. */
static const double FETCH = 50, SHUFFLE = 1, PRODUCT = 0.5, SUM = 1;

/* Sums that an invocation keeps: a GPU has registers for few beside a tile's values; on a CPU most of them
 * lie on the stack and have to stay in the nearest cache. Products of a tile: they are unrolled, and the code
 * has to stay in that cache too. */
static uint32_t most_sums(const vkp_device *device)
{
    return device->info.type == VK_PHYSICAL_DEVICE_TYPE_CPU ? 224 : 64;
}
#define MOST_PRODUCTS 1200u

/* The cycles that one tile takes before its products, and how many sums those go into: UINT32_MAX where there
 * can be no such tile. */
typedef double tile_cost(const tiling *t, uint32_t lanes, const vkp_node *node, uint32_t *sums);

static double lanes_cost(const tiling *t, uint32_t lanes, const vkp_node *node, uint32_t *sums)
{
    const uint32_t kernel = node->attr.kernel, taps = kernel * kernel;
    const uint32_t high = t->rows + kernel - 1;
    const double fetches = whole(t->channels * high, lanes) * t->quads + t->per_lane * t->rows * t->quads;
    const double shuffles = t->channels * high * (t->quads * 4.0 + kernel - 1);
    *sums = t->channels * t->per_lane * taps;
    return FETCH * fetches + SHUFFLE * shuffles;
}

static double phases_cost(const tiling *t, uint32_t lanes, const vkp_node *node, uint32_t *sums)
{
    (void)node;
    const double values = (double)t->channels * t->rows * (t->quads * 4 + 2);
    const double fetches = t->quads * t->rows * (whole(t->channels, lanes) * 5.0 / 3 + 3.5 * t->per_lane);
    *sums = 3 * t->channels * t->per_lane;
    return FETCH * fetches + (SHUFFLE + PRODUCT) * values;
}

/* Quads of a row of the input. */
static uint32_t row_quads(const vkp_node *node) { return vkp_pitch(node->in[VKP_CONV_X].shape.w) / 4; }

/* Tiles are as wide as a row; of one as high as the picture no row beyond it is fetched. */
static double planes_cost(const tiling *t, uint32_t lanes, const vkp_node *node, uint32_t *sums)
{
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    const uint32_t kernel = node->attr.kernel;
    const uint32_t high = t->rows == x.h ? t->rows : t->rows + kernel - 1;
    const uint32_t quads = t->channels * high * t->quads;
    *sums = x.h % t->rows ? UINT32_MAX : t->channels * t->per_lane * kernel * kernel;
    return FETCH * (whole(quads, lanes) + t->per_lane * t->rows * t->quads) + SHUFFLE * 4 * quads;
}

static uint32_t g_channels(const tiling *t, const vkp_node *node)
{
    return t->swapped ? node->in[VKP_CONV_X].shape.c : node->out[VKP_CONV_Y].shape.c;
}

static uint32_t h_channels(const tiling *t, const vkp_node *node)
{
    return t->swapped ? node->out[VKP_CONV_Y].shape.c : node->in[VKP_CONV_X].shape.c;
}

/* The tiling that should take the least time. `quads`: width of the tiles; 0: up to five. */
static tiling choose(const vkp_device *device, const vkp_node *node, tile_cost *cost, uint32_t quads,
                     bool may_swap)
{
    const uint32_t lanes = device->info.limits.subgroup_size;
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    tiling best = {0};
    double lowest = 0;
    for (uint32_t i = 0; i < 2 * 16 * 8 * 5 * 4; i++) {
        const tiling t = {.swapped = i % 2,
                          .channels = 1 + i / 2 % 16,
                          .per_lane = 1 + i / 32 % 8,
                          .quads = quads ? quads : 1 + i / 256 % 5,
                          .rows = 1 + i / 1280};
        uint32_t sums;
        double cycles = cost(&t, lanes, node, &sums);
        const uint32_t products = sums * t.rows * t.quads * 4;
        if (sums > most_sums(device) || products > MOST_PRODUCTS || (t.swapped && !may_swap)) continue;
        cycles += PRODUCT * products + SUM * sums;
        cycles *= (double)whole(vkp_pitch(x.w) / 4, t.quads) * whole(x.h, t.rows);
        cycles *= whole(g_channels(&t, node), lanes * t.per_lane);
        cycles *= whole(h_channels(&t, node), t.channels);
        if (lowest > 0 && cycles >= lowest) continue;
        lowest = cycles;
        best = t;
    }
    return best;
}

static uint64_t weights(const vkp_node *node) { return vkp_shape_count(node->in[VKP_CONV_WEIGHT].shape); }

/* `sums` is bound beside or instead of the output's gradient; NULL: nothing is. */
static division divide(const vkp_device *device, const vkp_node *node, const tiling *t,
                       const vkp_tensor *sums)
{
    const vkp_tensor *x = &node->in[VKP_CONV_X];
    const uint32_t lanes = device->info.limits.subgroup_size;
    division d = {.g_blocks = whole(g_channels(t, node), lanes * t->per_lane),
                  .h_blocks = whole(h_channels(t, node), t->channels),
                  .tile_rows = whole(x->shape.h, t->rows)};
    const vkp_tensor *const bound[] = {x, &node->d_out[VKP_CONV_Y], sums};
    d.pictures = least(vkp_pictures_per_binding(device, bound, 3), x->shape.n);
    d.chunks = whole(x->shape.n, d.pictures);
    /* Groups enough to fill the device, but no more partial results than that takes, nor than fit a binding
     * (or 32 MiB) together. */
    const uint32_t groups = device->info.type == VK_PHYSICAL_DEVICE_TYPE_CPU ? 32 : 32 * lanes;
    const uint32_t rows = d.tile_rows * d.pictures;
    const uint64_t room = ((uint64_t)32 << 20) / (weights(node) * sizeof(float)) / d.chunks;
    uint32_t wanted = least(whole(whole(groups, d.g_blocks * d.h_blocks), d.chunks), rows);
    if (wanted > room) wanted = room ? (uint32_t)room : 1;
    d.rows_a_part = whole(rows, wanted);
    d.parts = whole(rows, d.rows_a_part);
    return d;
}

static void push_words(vkp_dispatch *d, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) vkp_push(d, words[i]);
}

static double flop(const vkp_node *node, uint32_t pictures)
{
    const vkp_shape y = node->out[VKP_CONV_Y].shape;
    return 2.0 * pictures * y.c * y.h * y.w * node->in[VKP_CONV_X].shape.c * node->attr.kernel *
           node->attr.kernel;
}

/* Whether subgroups and convolution do, and texel buffers of its tensors, where they are wanted. */
static bool fits(const vkp_device *device, const vkp_node *node, bool texels)
{
    const vkp_limits *l = &device->info.limits;
    const vkp_tensor *x = &node->in[VKP_CONV_X], *y = &node->out[VKP_CONV_Y];
    return l->shuffle && l->subgroup_size <= l->group_size[0] && node->attr.stride == 1 &&
           node->attr.padding == node->attr.kernel / 2 &&
           (!texels || (vkp_texels_fit(device, x, 4) && vkp_texels_fit(device, y, 4)));
}

static bool lanes_fits(const vkp_device *device, const vkp_node *node, bool texels)
{
    const uint32_t kernel = node->attr.kernel;
    return vkp_conv_upsample(node) == 1 && kernel % 2 == 1 && kernel <= 5 && fits(device, node, texels);
}

/* Where tiles as wide as a row are faster: with a kernel of one pixel, whose taps reach nowhere, they only
 * leave room for fewer channels. */
static bool planes_fits(const vkp_device *device, const vkp_node *node, bool texels)
{
    return row_quads(node) <= (node->attr.kernel > 1 ? 8 : 1) && lanes_fits(device, node, texels);
}

static bool phases_fits(const vkp_device *device, const vkp_node *node, bool texels)
{
    return node->attr.upsample >= 2 && node->attr.upsample <= 4 && node->attr.kernel == 3 &&
           fits(device, node, texels);
}

/* A way for the convolution without upsampling. */
typedef struct way {
    vkp_shader texel_shader, storage_shader;
    tile_cost *cost;
    bool rows; /* tiles are as wide as a row */
} way;

static vkp_status record_way(vkp_program *p, const vkp_node *node, const way *by, bool texels)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *dw = &node->d_in[VKP_CONV_WEIGHT];
    const uint32_t size = device->info.limits.subgroup_size, kernel = node->attr.kernel,
                   taps = kernel * kernel;
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    const tiling t = choose(device, node, by->cost, by->rows ? row_quads(node) : 0, true);
    const division v = divide(device, node, &t, NULL);
    /* One result alone is the gradient. */
    const bool alone = v.chunks * v.parts == 1 && !node->add[VKP_CONV_WEIGHT];
    vkp_tensor parts = *dw;
    if (!alone) VKP_TRY(vkp_parts_new(p, v.chunks * v.parts, weights(node), &parts));
    for (uint32_t chunk = 0; chunk < v.chunks; chunk++) {
        const uint32_t n = chunk * v.pictures, count = least(v.pictures, x.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(&node->in[VKP_CONV_X], n, count);
        const vkp_tensor dys = vkp_tensor_pictures(&node->d_out[VKP_CONV_Y], n, count);
        vkp_dispatch d = {.shader = texels ? by->texel_shader : by->storage_shader,
                          .groups = {v.g_blocks, v.h_blocks, v.parts},
                          .spec = {size, kernel, t.channels, t.per_lane, t.quads, t.rows, t.swapped,
                                   t.rows == x.h},
                          .spec_count = 8,
                          .subgroup_size = size,
                          .flop = flop(node, count)};
        vkp_bind(device, &d, &parts, VKP_WRITE);
        vkp_bind_quads(device, &d, t.swapped ? &dys : &xs, VKP_READ, texels);
        vkp_bind_quads(device, &d, t.swapped ? &xs : &dys, VKP_READ, texels);
        const uint32_t words[] = {x.h,
                                  v.tile_rows,
                                  h_channels(&t, node),
                                  g_channels(&t, node),
                                  t.swapped ? x.c * taps : taps,
                                  t.swapped ? taps : x.c * taps,
                                  v.tile_rows * count,
                                  v.rows_a_part,
                                  chunk * v.parts};
        push_words(&d, words, sizeof words / sizeof *words);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return alone ? VKP_OK : vkp_sum_parts(p, &parts, dw, node->add[VKP_CONV_WEIGHT]);
}

static vkp_status lanes(vkp_program *p, const vkp_node *node, bool texels)
{
    static const way by = {.texel_shader = VKP_SHADER_conv2d_weight_grad_lanes_texel,
                           .storage_shader = VKP_SHADER_conv2d_weight_grad_lanes,
                           .cost = lanes_cost};
    return record_way(p, node, &by, texels);
}

static vkp_status planes(vkp_program *p, const vkp_node *node, bool texels)
{
    static const way by = {.texel_shader = VKP_SHADER_conv2d_weight_grad_planes_texel,
                           .storage_shader = VKP_SHADER_conv2d_weight_grad_planes,
                           .cost = planes_cost,
                           .rows = true};
    return record_way(p, node, &by, texels);
}

/* The sums of shaders/conv2d_phase_sums.glsl. */
static vkp_status phase_sums(vkp_program *p, const vkp_node *node, vkp_tensor *sums)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor *dy = &node->d_out[VKP_CONV_Y];
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    const uint32_t pitch = vkp_pitch(x.w);
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){x.n, 1, x.h, pitch * 3 * dy->shape.c}, "phase sums", sums));
    const uint32_t by_binding = vkp_pictures_per_binding(device, (const vkp_tensor *const[]){dy, sums}, 2);
    const uint32_t chunk = least(least(by_binding, device->info.limits.group_count[2]), x.n);
    for (uint32_t n = 0; n < x.n; n += chunk) {
        const uint32_t count = least(chunk, x.n - n);
        const vkp_tensor dys = vkp_tensor_pictures(dy, n, count), part = vkp_tensor_pictures(sums, n, count);
        const bool texels = vkp_texels_fit(device, &dys, 4);
        vkp_dispatch d = {
            .shader = texels ? VKP_SHADER_conv2d_phase_sums_texel : VKP_SHADER_conv2d_phase_sums,
            .groups = {vkp_groups((uint64_t)x.h * pitch / 4, 64), vkp_groups(dy->shape.c, 4), count},
            .spec = {vkp_conv_upsample(node)},
            .spec_count = 1};
        vkp_bind_quads(device, &d, &part, VKP_WRITE, false);
        vkp_bind_quads(device, &d, &dys, VKP_READ, texels);
        const uint32_t words[] = {x.h, pitch / 4, dy->shape.c};
        push_words(&d, words, sizeof words / sizeof *words);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

/* Adds the partial results of the three parts of the rows up to the weights. */
static vkp_status sum_phases(vkp_program *p, const vkp_node *node, const vkp_tensor *parts)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t pairs = parts->shape.h;
    vkp_dispatch d = {.shader = VKP_SHADER_conv2d_weight_grad_phases_sum,
                      .groups = {vkp_groups(pairs * 3, 64), 1, 1},
                      .spec = {node->add[VKP_CONV_WEIGHT]},
                      .spec_count = 1};
    vkp_bind(device, &d, &node->d_in[VKP_CONV_WEIGHT], VKP_READ_WRITE);
    vkp_bind(device, &d, parts, VKP_READ);
    vkp_push(&d, parts->shape.n);
    vkp_push(&d, pairs);
    return vkp_program_dispatch(p, &d);
}

static vkp_status phases(vkp_program *p, const vkp_node *node, bool texels)
{
    const vkp_device *device = vkp_program_device(p);
    const uint32_t size = device->info.limits.subgroup_size;
    const vkp_shape x = node->in[VKP_CONV_X].shape;
    const tiling t = choose(device, node, phases_cost, 0, false);
    vkp_tensor sums, parts;
    VKP_TRY(phase_sums(p, node, &sums));
    const division v = divide(device, node, &t, &sums);
    const uint32_t pairs = x.c * node->out[VKP_CONV_Y].shape.c;
    VKP_TRY(vkp_tensor_new_packed(p, (vkp_shape){v.chunks * v.parts, 3, pairs, 3}, "partial sums", &parts));
    for (uint32_t i = 0; i < 3 * v.chunks; i++) {
        const uint32_t axis = i % 3, chunk = i / 3, n = chunk * v.pictures,
                       count = least(v.pictures, x.n - n);
        const vkp_tensor xs = vkp_tensor_pictures(&node->in[VKP_CONV_X], n, count);
        const vkp_tensor gs = vkp_tensor_pictures(axis == 1 ? &sums : &node->d_out[VKP_CONV_Y], n, count);
        const bool read_texels = texels && vkp_texels_fit(device, &gs, 4);
        vkp_dispatch d = {
            .shader = read_texels ? VKP_SHADER_conv2d_weight_grad_phases_texel
                                  : VKP_SHADER_conv2d_weight_grad_phases,
            .groups = {v.g_blocks, v.h_blocks, v.parts},
            .spec = {size, vkp_conv_upsample(node), t.channels, t.per_lane, t.quads, t.rows, axis},
            .spec_count = 7,
            .subgroup_size = size,
            .flop = flop(node, count) / 3};
        vkp_bind(device, &d, &parts, VKP_WRITE);
        vkp_bind_quads(device, &d, &xs, VKP_READ, read_texels);
        vkp_bind_quads(device, &d, &gs, VKP_READ, read_texels);
        const uint32_t words[] = {
            x.h,           v.tile_rows,    x.c, node->out[VKP_CONV_Y].shape.c, v.tile_rows * count,
            v.rows_a_part, chunk * v.parts};
        push_words(&d, words, sizeof words / sizeof *words);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return sum_phases(p, node, &parts);
}

#define FORMS(name) \
    bool vkp_conv2d_##name##_weight_grad_fits(const vkp_device *d, const vkp_node *n) \
    { \
        return name##_fits(d, n, true); \
    } \
    bool vkp_conv2d_##name##_weight_grad_storage_fits(const vkp_device *d, const vkp_node *n) \
    { \
        return name##_fits(d, n, false); \
    } \
    vkp_status vkp_conv2d_##name##_weight_grad(vkp_program *p, const vkp_node *n) \
    { \
        return name(p, n, true); \
    } \
    vkp_status vkp_conv2d_##name##_weight_grad_storage(vkp_program *p, const vkp_node *n) \
    { \
        return name(p, n, false); \
    }
FORMS(lanes)
FORMS(planes)
FORMS(phases)
