/* Forward and the gradient by the input as matrix products: conv2d_gemm.h, conv2d_gemm_pixels.glsl. */
#include "ops/conv2d_gemm.h"

#include "ops/activation.h"

#define MOST_CLASSES 8 /* along an axis: `axis` of the shaders' push constants */
#define MOST_KERNEL 15

/* The pixels of a block, along one axis, that see the same taps. */
typedef struct axis_class {
    uint32_t taps;
    int32_t from;         /* the first tap's row of `from`, for the first block */
    uint32_t first, last; /* pixels */
    int32_t low;          /* the first tap's first row of the kernel */
} axis_class;

/* A direction: `to` from `from`. Tap t of a class takes the kernel's rows from low + t * low_step on,
 * low_count of them, those outside the kernel left out. */
typedef struct pass {
    vkp_tensor to, from, weight, bias;
    uint32_t to_stride, from_stride; /* of the weight, from channel to channel */
    vkp_attr activation;             /* of it nothing else is read */
    uint32_t kernel;
    axis_class classes[MOST_CLASSES];
    uint32_t class_count, most_taps;
    uint32_t step, block; /* rows of `from` from block to block; pixels of a block */
    int32_t low_step;
    uint32_t low_count;
    bool add;
} pass;

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static int32_t floor_divided(int32_t a, int32_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

static void add_class(pass *p, axis_class c)
{
    p->classes[p->class_count++] = c;
    if (c.taps > p->most_taps) p->most_taps = c.taps;
}

static void describe_forward(pass *p, const vkp_attr *a, int32_t up)
{
    const int32_t kernel = (int32_t)a->kernel, padding = (int32_t)a->padding;
    p->step = a->stride;
    p->block = (uint32_t)up;
    p->low_step = up;
    p->low_count = (uint32_t)up;
    for (int32_t y = 0; y < up; y++) {
        const int32_t first = floor_divided(y - padding, up),
                      last = floor_divided(y - padding + kernel - 1, up);
        axis_class *before = p->class_count ? &p->classes[p->class_count - 1] : NULL;
        /* Where a pixel sees one row alone, it sees the whole kernel in it, as its neighbour may. */
        if (before && first == last && before->taps == 1 && before->from == first)
            before->last = (uint32_t)y;
        else
            add_class(p, (axis_class){.taps = (uint32_t)(last - first + 1),
                                      .from = first,
                                      .first = (uint32_t)y,
                                      .last = (uint32_t)y,
                                      .low = first * up - y + padding});
    }
}

static void describe_input_grad(pass *p, const vkp_attr *a, int32_t up)
{
    const int32_t kernel = (int32_t)a->kernel, padding = (int32_t)a->padding, stride = (int32_t)a->stride;
    p->step = (uint32_t)up;
    p->block = a->stride;
    p->low_step = -stride;
    p->low_count = (uint32_t)up;
    for (int32_t y = 0; y < stride; y++) {
        /* Without stride every row of the kernel: low is that of the last row, seen by the first tap. */
        const int32_t lowest = (y + padding) % stride;
        const int32_t rows = lowest < kernel ? (kernel - 1 - lowest) / stride + 1 : 0;
        add_class(p, (axis_class){.taps = (uint32_t)(rows ? rows + up - 1 : 0),
                                  .from = (y + padding - lowest) / stride - (rows - 1),
                                  .first = (uint32_t)y,
                                  .last = (uint32_t)y,
                                  .low = lowest + stride * (rows - 1)});
    }
}

/* Fills the pass; false where the convolution has no such form. */
static bool describe(const vkp_node *node, bool input_grad, pass *p)
{
    const vkp_attr *a = &node->attr;
    const uint32_t up = vkp_conv_upsample(node), taps = a->kernel * a->kernel;
    if ((a->stride > 1 && up > 1) || a->stride > MOST_CLASSES || up > MOST_CLASSES ||
        a->kernel > MOST_KERNEL || a->padding > MOST_KERNEL)
        return false;
    *p = (pass){.to = node->out[VKP_CONV_Y],
                .from = node->in[VKP_CONV_X],
                .weight = node->in[VKP_CONV_WEIGHT],
                .bias = node->in[VKP_CONV_BIAS],
                .activation = *a,
                .kernel = a->kernel};
    p->to_stride = p->from.shape.c * taps;
    p->from_stride = taps;
    if (!input_grad) {
        describe_forward(p, a, (int32_t)up);
        return true;
    }
    p->to = node->d_in[VKP_CONV_X];
    p->from = node->d_out[VKP_CONV_Y];
    p->bias = (vkp_tensor){0};
    p->activation = (vkp_attr){.activation = VKP_LINEAR};
    p->to_stride = taps;
    p->from_stride = p->to.shape.c * taps;
    p->add = node->add[VKP_CONV_X];
    describe_input_grad(p, a, (int32_t)up);
    return true;
}

/* Blocks of a picture. A row's number is a multiple of 4 and reaches over the padding of `to`. */
static uint32_t blocks_high(const pass *p) { return vkp_groups(p->to.shape.h, p->block); }
static uint32_t blocks_wide(const pass *p) { return vkp_pitch(vkp_groups(p->to.pitch, p->block)); }

static vkp_gemm_tile choose(const vkp_device *device, const pass *p, vkp_gemm_form form)
{
    const vkp_gemm_shape shape = {.rows = p->to.shape.c,
                                  .columns = (uint64_t)p->to.shape.n * blocks_high(p) * blocks_wide(p),
                                  .depth = p->from.shape.c * p->most_taps * p->most_taps,
                                  .classes = p->class_count * p->class_count,
                                  .most_parts = 1,
                                  .form = form};
    return vkp_conv_gemm_tile(&device->info.limits, &shape);
}

/* Values of the depth in a word of conv2d_gemm_pixels.glsl, and the 32-bit words that it takes. */
static uint32_t word_values(vkp_gemm_form form)
{
    static const uint32_t values[] = {[VKP_GEMM_F32] = 1, [VKP_GEMM_F16] = 2, [VKP_GEMM_MATRIX] = 8};
    return values[form];
}
static uint32_t word_size(vkp_gemm_form form) { return vkp_groups(word_values(form), 2); }

/* The packed weights: [class][line][row], and after the lines one with the bias. */
static vkp_shape packed_shape(const pass *p, const vkp_gemm_tile *t, vkp_gemm_form form)
{
    const uint32_t channels = p->from.shape.c, taps = p->most_taps * p->most_taps;
    const bool deep = vkp_gemm_deep(channels, t->depth);
    const uint32_t deepest =
        deep ? vkp_groups(channels, t->depth) * taps : vkp_groups((uint64_t)channels * taps, t->depth);
    return (vkp_shape){p->class_count * p->class_count, 1, deepest * t->depth / word_values(form) + 1,
                       vkp_groups(p->to.shape.c, t->rows) * t->rows * word_size(form)};
}

static vkp_status pack(vkp_program *program, const pass *p, const vkp_gemm_tile *t,
                       vkp_gemm_form form, vkp_tensor *packed)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_shape shape = packed_shape(p, t, form);
    const bool bias = p->bias.buffer != 0;
    VKP_TRY(vkp_tensor_new_packed(program, shape, "packed weights", packed));
    vkp_dispatch d = {.shader = VKP_SHADER_conv2d_gemm_pack,
                      .groups = {vkp_groups(shape.w, 64), shape.h, shape.n}};
    const uint32_t spec[] = {word_values(form),
                             bias,
                             p->kernel,
                             t->depth,
                             vkp_gemm_deep(p->from.shape.c, t->depth),
                             p->class_count,
                             (uint32_t)p->low_step,
                             p->low_count};
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d.spec[d.spec_count++] = spec[i];
    vkp_bind(device, &d, packed, VKP_WRITE);
    vkp_bind(device, &d, &p->weight, VKP_READ);
    vkp_bind(device, &d, bias ? &p->bias : &p->weight, VKP_READ);
    const uint32_t words[] = {p->to.shape.c, p->from.shape.c, p->to_stride, p->from_stride, shape.h - 1};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vkp_push(&d, words[i]);
    for (uint32_t i = 0; i < MOST_CLASSES; i++)
        vkp_push(&d, p->classes[i].taps | (uint32_t)(p->classes[i].low + 128) << 8);
    return vkp_program_dispatch(program, &d);
}

static double flop(const pass *p, uint32_t pictures)
{
    double taps = 0;
    for (uint32_t i = 0; i < p->class_count; i++) taps += p->classes[i].taps;
    return 2.0 * pictures * p->to.shape.c * p->from.shape.c * taps * taps *
           vkp_groups(p->to.shape.h, p->block) * vkp_groups(p->to.shape.w, p->block);
}

/* The grid of `count` pictures: tiles of columns on the first axis and, where those are too many, on the
 * second behind the tiles of rows, as many times as *folds says. */
static uint32_t grid_wide(const vkp_limits *l, const pass *p, const vkp_gemm_tile *t, uint32_t count,
                          uint32_t *folds)
{
    const uint32_t tiles = vkp_groups((uint64_t)count * blocks_high(p) * blocks_wide(p), t->columns);
    *folds = vkp_groups(tiles, l->group_count[0]);
    return vkp_groups(tiles, *folds);
}

static vkp_status dispatch(vkp_program *program, const pass *p, const vkp_gemm_tile *t,
                           vkp_gemm_form form, const vkp_tensor *packed, uint32_t n, uint32_t count)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_tensor to = vkp_tensor_pictures(&p->to, n, count),
                     from = vkp_tensor_pictures(&p->from, n, count);
    uint32_t folds;
    const vkp_limits *limits = &device->info.limits;
    const uint32_t wide = grid_wide(limits, p, t, count, &folds);
    vkp_dispatch d = {.shader = vkp_gemm_shaders_of(limits, form).pixels,
                      .groups = {wide, vkp_groups(to.shape.c, t->rows) * folds, packed->shape.n},
                      .flop = flop(p, count)};
    vkp_gemm_specialize(&d, t);
    const uint32_t spec[] = {p->step, p->block, p->add, vkp_gemm_deep(from.shape.c, t->depth),
                             p->class_count};
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d.spec[d.spec_count++] = spec[i];
    vkp_activation_spec(&d, &p->activation);
    vkp_gemm_specialize_form(&d, limits, form);
    vkp_bind_quads(device, &d, &to, p->add || p->block > 1 ? VKP_READ_WRITE : VKP_WRITE, false);
    vkp_bind(device, &d, &from, VKP_READ);
    vkp_bind_quads(device, &d, packed, VKP_READ, false);
    const uint32_t words[] = {from.shape.c, from.shape.h, from.shape.w,       to.shape.c,
                              to.shape.h,   to.shape.w,   blocks_high(p),     blocks_wide(p),
                              count,        wide,         packed->shape.h - 1};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vkp_push(&d, words[i]);
    for (uint32_t i = 0; i < MOST_CLASSES; i++) {
        const axis_class *c = &p->classes[i];
        vkp_push(&d, c->taps | (uint32_t)(c->from + 128) << 8 | c->first << 16 | c->last << 24);
    }
    return vkp_program_dispatch(program, &d);
}

/* Pictures that one dispatch may take. */
static uint32_t pictures(const vkp_device *device, const pass *p)
{
    return least(vkp_pictures_per_binding(device, (const vkp_tensor *const[]){&p->to, &p->from}, 2),
                 p->to.shape.n);
}

static bool fits(const vkp_device *device, const vkp_node *node, bool input_grad, vkp_gemm_form form)
{
    const vkp_limits *l = &device->info.limits;
    pass p;
    if (!describe(node, input_grad, &p)) return false;
    const vkp_gemm_tile t = choose(device, &p, form);
    const vkp_shape packed = packed_shape(&p, &t, form);
    uint32_t folds;
    grid_wide(l, &p, &t, pictures(device, &p), &folds);
    return packed.h <= l->group_count[1] && packed.n <= l->group_count[2] &&
           (uint64_t)vkp_groups(p.to.shape.c, t.rows) * folds <= l->group_count[1] &&
           (vkp_shape_count(packed) + l->storage_align) * sizeof(float) <= l->storage_range;
}

static vkp_status record(vkp_program *program, const vkp_node *node, bool input_grad, vkp_gemm_form form)
{
    const vkp_device *device = vkp_program_device(program);
    pass p;
    if (!describe(node, input_grad, &p))
        return vkp_fail(VKP_INTERNAL, "a convolution is recorded where it does not fit (a mistake in vkpix; "
                                      "report it)");
    const vkp_gemm_tile t = choose(device, &p, form);
    vkp_tensor packed;
    VKP_TRY(pack(program, &p, &t, form, &packed));
    const uint32_t chunk = pictures(device, &p);
    for (uint32_t n = 0; n < p.to.shape.n; n += chunk)
        VKP_TRY(dispatch(program, &p, &t, form, &packed, n, least(chunk, p.to.shape.n - n)));
    return VKP_OK;
}

static bool forward_fits(const vkp_device *device, const vkp_node *node, vkp_gemm_form form)
{
    return fits(device, node, false, form);
}
static bool input_grad_fits(const vkp_device *device, const vkp_node *node, vkp_gemm_form form)
{
    return fits(device, node, true, form);
}
static vkp_status forward(vkp_program *program, const vkp_node *node, vkp_gemm_form form)
{
    VKP_TRY(record(program, node, false, form));
    return vkp_conv_statistics(program, node);
}
static vkp_status input_grad(vkp_program *program, const vkp_node *node, vkp_gemm_form form)
{
    return record(program, node, true, form);
}
VKP_CONV_DEFINE_GEMM(forward, forward_fits, forward)
VKP_CONV_DEFINE_GEMM(input_grad, input_grad_fits, input_grad)
