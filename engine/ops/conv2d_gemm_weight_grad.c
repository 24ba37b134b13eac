/* The weight gradient as a matrix product: conv2d_gemm.h, shaders/conv2d_gemm_weight_grad.glsl. */
#include "ops/conv2d_gemm.h"

/* Bytes that partial results may take. */
#define MOST_PART_BYTES ((uint64_t)32 << 20)

/* Rows are channels of `plain`, columns channels and taps of `gathered`, whose pixels are `step` apart and
 * begin at first_tap. Without upsampling plain is the output's gradient, and the result is the weight's.
 * After nearest upsampling plain is the input at its low resolution: a tap's gradient is the sum of u x u
 * taps of the result, since each pixel of the input meets u x u of the output's gradient at every tap. */
typedef struct product {
    const vkp_tensor *plain, *gathered;
    uint32_t rows, columns, taps, step;
    int32_t first_tap;
    uint32_t pictures, chunks; /* of one dispatch; dispatches */
} product;

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static product describe(const vkp_device *device, const vkp_node *node)
{
    const uint32_t up = vkp_conv_upsample(node), kernel = node->attr.kernel;
    const vkp_tensor *x = &node->in[VKP_CONV_X], *dy = &node->d_out[VKP_CONV_Y];
    const int32_t padding = (int32_t)node->attr.padding;
    product p = {
        .plain = dy, .gathered = x, .taps = kernel, .step = node->attr.stride, .first_tap = -padding};
    if (up > 1)
        p = (product){.plain = x,
                      .gathered = dy,
                      .taps = kernel + up - 1,
                      .step = up,
                      .first_tap = padding - (int32_t)(kernel - 1)};
    p.rows = p.plain->shape.c;
    p.columns = p.gathered->shape.c * p.taps * p.taps;
    p.pictures = least(vkp_pictures_per_binding(device, (const vkp_tensor *const[]){x, dy}, 2), x->shape.n);
    p.chunks = vkp_groups(x->shape.n, p.pictures);
    return p;
}

static vkp_gemm_tile choose(const vkp_device *device, const product *p, vkp_gemm_form form)
{
    const uint64_t parts = MOST_PART_BYTES / ((uint64_t)p->rows * p->columns * sizeof(float)) / p->chunks;
    const uint64_t most =
        parts < device->info.limits.group_count[2] ? parts : device->info.limits.group_count[2];
    const vkp_gemm_shape shape = {.rows = p->rows,
                                  .columns = p->columns,
                                  .depth = (uint32_t)(p->pictures * vkp_plane(p->plain)),
                                  .classes = 1,
                                  .most_parts = most ? (uint32_t)most : 1,
                                  .form = form};
    return vkp_conv_gemm_tile(&device->info.limits, &shape);
}

static bool fits(const vkp_device *device, const vkp_node *node, vkp_gemm_form form)
{
    if (node->attr.stride > 1 && vkp_conv_upsample(node) > 1) return false;
    const vkp_limits *l = &device->info.limits;
    const product p = describe(device, node);
    const vkp_gemm_tile t = choose(device, &p, form);
    return vkp_groups(p.columns, t.columns) <= l->group_count[0] &&
           vkp_groups(p.rows, t.rows) <= l->group_count[1];
}

/* Adds a dispatch for `count` pictures from n on, whose results begin with part first_part. */
static vkp_status multiply(vkp_program *program, const product *p, const vkp_gemm_tile *t,
                           vkp_gemm_form form, const vkp_tensor *parts, uint32_t n, uint32_t count,
                           uint32_t first_part)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_tensor plain = vkp_tensor_pictures(p->plain, n, count);
    const vkp_tensor gathered = vkp_tensor_pictures(p->gathered, n, count);
    const uint32_t pixels = count * (uint32_t)vkp_plane(&plain);
    const vkp_limits *limits = &device->info.limits;
    vkp_dispatch d = {.shader = vkp_gemm_shaders_of(limits, form).weight_grad,
                      .groups = {vkp_groups(p->columns, t->columns), vkp_groups(p->rows, t->rows), t->parts},
                      .flop = 2.0 * p->rows * p->columns * pixels};
    vkp_gemm_specialize(&d, t);
    d.spec[d.spec_count++] = p->step;
    vkp_gemm_specialize_form(&d, limits, form);
    vkp_bind(device, &d, parts, VKP_WRITE);
    vkp_bind(device, &d, &plain, VKP_READ);
    vkp_bind(device, &d, &gathered, VKP_READ);
    const uint32_t words[] = {p->rows,       p->columns,      p->taps,          (uint32_t)p->first_tap,
                              plain.shape.h, plain.pitch,     gathered.shape.h, gathered.shape.w,
                              pixels,        t->depth_a_part, first_part};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vkp_push(&d, words[i]);
    return vkp_program_dispatch(program, &d);
}

/* From the sums of taps to the taps. */
static vkp_status fold(vkp_program *program, const vkp_node *node, const vkp_tensor *sums)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_tensor *dw = &node->d_in[VKP_CONV_WEIGHT];
    vkp_dispatch d = {.shader = VKP_SHADER_conv2d_gemm_fold,
                      .groups = {vkp_groups(vkp_shape_count(dw->shape), 64), 1, 1},
                      .spec = {node->attr.kernel, vkp_conv_upsample(node), node->add[VKP_CONV_WEIGHT]},
                      .spec_count = 3};
    vkp_bind(device, &d, dw, VKP_READ_WRITE);
    vkp_bind(device, &d, sums, VKP_READ);
    vkp_push(&d, dw->shape.n);
    vkp_push(&d, dw->shape.c);
    return vkp_program_dispatch(program, &d);
}

static vkp_status record(vkp_program *program, const vkp_node *node, vkp_gemm_form form)
{
    const vkp_device *device = vkp_program_device(program);
    const product p = describe(device, node);
    const vkp_gemm_tile t = choose(device, &p, form);
    const uint32_t pictures = p.plain->shape.n;
    vkp_tensor parts, sums;
    VKP_TRY(vkp_parts_new(program, p.chunks * t.parts, (uint64_t)p.rows * p.columns, &parts));
    for (uint32_t i = 0; i < p.chunks; i++) {
        const uint32_t n = i * p.pictures;
        VKP_TRY(multiply(program, &p, &t, form, &parts, n, least(p.pictures, pictures - n), i * t.parts));
    }
    if (vkp_conv_upsample(node) == 1)
        return vkp_sum_parts(program, &parts, &node->d_in[VKP_CONV_WEIGHT], node->add[VKP_CONV_WEIGHT]);
    VKP_TRY(vkp_tensor_new_packed(program, (vkp_shape){1, 1, p.rows, p.columns}, "sums of taps", &sums));
    VKP_TRY(vkp_sum_parts(program, &parts, &sums, false));
    return fold(program, node, &sums);
}

VKP_CONV_DEFINE_GEMM(weight_grad, fits, record)
