/* init_uniform: element i of y is (2 u - 1) * attr.scale with u = vkp_random_float(seed, stream, i) of
 * base/random.h, to the bit: what the host would make, made where it is needed. Inputs: key (1,1,1,8) of
 * vkp_init_key, and `like`, a packed tensor whose shape y takes and which is not read (y itself will do). */
#include "ops/init_uniform.h"

#include "base/random.h"
#include "ops/moves.h"
#include "ops/op.h"

void vkp_init_key(uint64_t seed, uint64_t stream, float key[VKP_INIT_KEY])
{
    for (int i = 0; i < 4; i++) {
        key[i] = (float)(seed >> 16 * i & 0xffff);
        key[4 + i] = (float)(stream >> 16 * i & 0xffff);
    }
}

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape key = node->in[0].shape, like = node->in[1].shape;
    char kt[48], lt[48];
    if (vkp_shape_count(key) != VKP_INIT_KEY || !vkp_shape_count(like))
        return vkp_fail(VKP_SHAPE, "init_uniform of %s with key %s is not possible (empty, or a key that is "
                        "not 8 floats; check the sizes)", vkp_shape_text(like, lt), vkp_shape_text(key, kt));
    out[0] = like;
    return VKP_OK;
}

static vkp_status forward(vkp_program *program, const vkp_node *node)
{
    const vkp_device *device = vkp_program_device(program);
    const uint64_t all = vkp_shape_count(node->out[0].shape);
    const uint32_t run = vkp_flat_run(device, sizeof(float));
    for (uint64_t start = 0; start < all; start += run) {
        const uint32_t count = all - start < run ? (uint32_t)(all - start) : run;
        const vkp_tensor part = vkp_flat_part(&node->out[0], start, count);
        vkp_dispatch d = {.shader = VKP_SHADER_init_uniform,
                          .groups = {vkp_flat_groups(device, ((uint64_t)count + 3) / 4, 2), 1, 1}};
        vkp_bind(device, &d, &part, VKP_WRITE);
        vkp_bind(device, &d, &node->in[0], VKP_READ);
        vkp_push(&d, count);
        vkp_push(&d, d.groups[0] * 64);
        vkp_push(&d, (uint32_t)(start / 4));
        vkp_push(&d, (uint32_t)(start / 4 >> 32));
        vkp_push_float(&d, node->attr.scale);
        VKP_TRY(vkp_program_dispatch(program, &d));
    }
    return VKP_OK;
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    uint64_t key[2] = {0};
    for (int i = 0; i < VKP_INIT_KEY; i++) key[i / 4] |= (uint64_t)in[0][i] << 16 * (i % 4);
    for (uint64_t i = 0; i < vkp_shape_count(node->out[0].shape); i++) {
        /* In floats, rounded once, as the device does. */
        const float centred = 2 * vkp_random_float(key[0], key[1], i) - 1;
        const float value = centred * node->attr.scale;
        out[0][i] = value;
    }
}

/* attr.mode tells the cases' keys apart; all 128 bits are in use. */
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    const uint64_t mode = node->attr.mode;
    if (i == 0) vkp_init_key(0x9e3779b97f4a7c15u * (mode + 1), 0xd1b54a32d192ed03u * mode, values);
    return i == 0;
}

static const vkp_case cases[] = {
    {.in = {{1, 1, 1, VKP_INIT_KEY}, {1, 1, 1, 1}}, .attr = {.scale = 1, .mode = 0}},
    {.in = {{1, 1, 1, VKP_INIT_KEY}, {1, 1, 1, 7}}, .attr = {.scale = 0.1f, .mode = 1}},
    {.in = {{1, 1, 1, VKP_INIT_KEY}, {5, 3, 3, 3}}, .attr = {.scale = 0.19245009f, .mode = 2}},
    {.in = {{1, 1, 1, VKP_INIT_KEY}, {128, 64, 3, 3}}, .attr = {.scale = 0.0416667f, .mode = 3}},
    {.in = {{1, 1, 1, VKP_INIT_KEY}, {1, 1, 1, 2000000}}, .attr = {.scale = 1}, .large = true},
};

const vkp_op vkp_op_init_uniform = {
    .name = "init_uniform",
    .summary = "uniform random numbers in -scale to scale from a seed, a stream and the place",
    .in = {{"key", VKP_STATE}, {"like", VKP_STATE}},
    .out = {{"y", VKP_STATE}},
    .shape = shape,
    .forward = forward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
    .tolerance = 1e-15, /* the same bits */
};
