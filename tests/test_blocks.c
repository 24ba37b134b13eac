/* The operations that blocks of a network are made of where random numbers do not lead: a tensor added to
 * itself, very large planes, how much dropout drops and what its words change, and what is refused.
 * tests/test_ops.c checks everything else of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "ops/op.h"

/* One node with tensors in memory that the host sees. */
typedef struct rig {
    vkp_program *program;
    vkp_buffer buffers[6];
    uint32_t count;
    vkp_node node;
} rig;

static vkp_tensor add_tensor(rig *r, vkp_shape shape)
{
    vkp_tensor t = vkp_tensor_activation(0, shape);
    vkp_buffer *buffer = &r->buffers[r->count++];
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&t) * 4, VKP_MEMORY_HOST, "block", buffer));
    memset(buffer->mapped, 0, buffer->bytes);
    assert_ok(vkp_program_external(r->program, buffer, 0, buffer->bytes, "block", &t.buffer));
    return t;
}

static float *values(const rig *r, const vkp_tensor *t) { return r->buffers[t->buffer - 1].mapped; }

static void open_rig(rig *r, const vkp_op *op, vkp_attr attr)
{
    *r = (rig){.node = {.op = op, .attr = attr}};
    assert_ok(vkp_program_create(test_device, &r->program));
}

static void run(rig *r)
{
    vkp_arena arena = {0};
    assert_ok(r->node.op->forward(r->program, &r->node));
    if (r->node.d_out[0].buffer) assert_ok(r->node.op->backward(r->program, &r->node));
    assert_ok(vkp_program_build(r->program, &arena));
    assert_ok(vkp_program_run(r->program, 0, 1));
    vkp_arena_destroy(test_device, &arena);
}

static void close_rig(rig *r)
{
    vkp_program_destroy(r->program);
    for (uint32_t i = 0; i < r->count; i++) vkp_buffer_destroy(test_device, &r->buffers[i]);
}

/* x + x: both gradients lie in one memory, and the graph says to add the second. */
static void a_tensor_added_to_itself(void **state)
{
    (void)state;
    const vkp_shape shape = {1, 1, 1, 4};
    rig r;
    open_rig(&r, &vkp_op_add, (vkp_attr){.activation = VKP_RELU});
    vkp_node *n = &r.node;
    n->in[0] = n->in[1] = add_tensor(&r, shape);
    n->d_in[0] = n->d_in[1] = add_tensor(&r, shape);
    n->out[0] = add_tensor(&r, shape);
    n->d_out[0] = add_tensor(&r, shape);
    n->add[1] = true;
    memcpy(values(&r, &n->in[0]), (float[]){-1, 0, 0.5f, 3}, 16);
    memcpy(values(&r, &n->d_out[0]), (float[]){1, 2, 3, 4}, 16);
    run(&r);
    assert_memory_equal(values(&r, &n->out[0]), ((float[]){0, 0, 1, 6}), 16);
    assert_memory_equal(values(&r, &n->d_in[0]), ((float[]){0, 0, 6, 8}), 16);
    close_rig(&r);
}

/* Adding four million equal numbers one after the other would lose the last digits. */
static void means_of_large_planes_are_exact(void **state)
{
    (void)state;
    const vkp_shape plane = {1, 1, 2048, 2048};
    const uint32_t count = plane.h * plane.w;
    rig r;
    open_rig(&r, &vkp_op_global_avg_pool, (vkp_attr){0});
    r.node.in[0] = add_tensor(&r, plane);
    r.node.out[0] = add_tensor(&r, (vkp_shape){1, 1, 1, 1});
    float *x = values(&r, &r.node.in[0]);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += (double)(x[i] = 0.1f + (float)(i % 7) * 0.01f);
    run(&r);
    assert_float_equal(*values(&r, &r.node.out[0]), (float)(sum / count), 5e-8f);
    close_rig(&r);
}

enum { DROPPED_FROM = 64 * 1024 };

/* Which of DROPPED_FROM ones are kept, by words of the state. Returns how many are. */
static uint32_t drop(float p, const uint32_t words[4], unsigned char *kept)
{
    rig r;
    uint32_t count = 0;
    open_rig(&r, &vkp_op_dropout, (vkp_attr){.scale = p});
    r.node.in[0] = add_tensor(&r, (vkp_shape){4, 4, 64, 64});
    r.node.in[1] = add_tensor(&r, (vkp_shape){1, 1, 1, 4});
    r.node.out[0] = add_tensor(&r, (vkp_shape){4, 4, 64, 64});
    for (uint32_t i = 0; i < DROPPED_FROM; i++) values(&r, &r.node.in[0])[i] = 1;
    memcpy(values(&r, &r.node.in[1]), words, 16);
    run(&r);
    for (uint32_t i = 0; i < DROPPED_FROM; i++) {
        const float y = values(&r, &r.node.out[0])[i];
        kept[i] = y != 0;
        count += kept[i];
        if (kept[i]) assert_float_equal(y, 1 / (1 - p), 1e-6f);
    }
    close_rig(&r);
    return count;
}

/* Words with the bits of NaN and of numbers too small for a float are words like others. Two masks of p = 1/4
 * agree by chance in 10 of 16 places. */
static void each_word_changes_the_mask(void **state)
{
    (void)state;
    const uint32_t words[4] = {0xffc00001u, 3, 1, 0};
    unsigned char *first = malloc(DROPPED_FROM), *other = malloc(DROPPED_FROM);
    assert_true(first && other);
    const double n = DROPPED_FROM, deviation = sqrt(n * 0.25 * 0.75), width = sqrt(n * 0.625 * 0.375);
    assert_true(fabs(drop(0.25f, words, first) - 0.75 * n) < 5 * deviation);
    for (int word = 0; word < 4; word++) {
        uint32_t changed[4], same = 0;
        memcpy(changed, words, sizeof changed);
        changed[word]++;
        assert_true(fabs(drop(0.25f, changed, other) - 0.75 * n) < 5 * deviation);
        for (uint32_t i = 0; i < DROPPED_FROM; i++) same += first[i] == other[i];
        if (fabs(same - 0.625 * n) > 5 * width) fail_msg("word %d: %u places agree", word, same);
    }
    free(first);
    free(other);
}

/* A dispatch for each picture, as for tensors larger than a binding, makes the mask of one for all. */
static void cuts_do_not_change_the_mask(void **state)
{
    (void)state;
    const uint32_t words[4] = {7, 8, 9, 10};
    uint32_t *limit = &test_device->info.limits.group_count[2];
    const uint32_t all = *limit;
    unsigned char *whole = malloc(DROPPED_FROM), *cut = malloc(DROPPED_FROM);
    assert_true(whole && cut);
    const uint32_t count = drop(0.5f, words, whole);
    *limit = 1;
    const uint32_t count_cut = drop(0.5f, words, cut);
    *limit = all;
    assert_int_equal(count, count_cut);
    assert_memory_equal(whole, cut, DROPPED_FROM);
    assert_memory_not_equal(whole, whole + DROPPED_FROM / 4, DROPPED_FROM / 4);
    free(whole);
    free(cut);
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    const vkp_shape x = {2, 3, 4, 6}, none = {2, 3, 0, 6}, words = {1, 1, 1, 4};
    vkp_shape out[VKP_MAX_OUT];
    const struct {
        const vkp_op *op;
        vkp_shape in[2];
        vkp_attr attr;
    } wrong[] = {
        {&vkp_op_pixel_unshuffle, {x}, {.factor = 0}},
        {&vkp_op_pixel_unshuffle, {x}, {.factor = 4}},
        {&vkp_op_pixel_unshuffle, {x}, {.factor = 3}},
        {&vkp_op_pixel_unshuffle, {none}, {.factor = 2}},
        {&vkp_op_pixel_unshuffle, {{1, 1u << 31, 2, 2}}, {.factor = 2}},
        {&vkp_op_pixel_unshuffle, {{1, 1, 1u << 31, 1u << 31}}, {.factor = 1u << 31}},
        {&vkp_op_add, {x, {2, 3, 6, 4}}, {0}},
        {&vkp_op_add, {x, x}, {.activation = VKP_LEAKY_RELU, .slope = -1}},
        {&vkp_op_add, {x, x}, {.activation = VKP_LEAKY_RELU, .slope = NAN}},
        {&vkp_op_global_avg_pool, {none}, {0}},
        {&vkp_op_film, {x, {2, 3, 1, 1}}, {0}},
        {&vkp_op_film, {x, {1, 6, 1, 1}}, {0}},
        {&vkp_op_film, {{1, 1u << 31, 1, 1}, {1, 0, 1, 1}}, {0}},
        {&vkp_op_dropout, {x, {1, 1, 1, 3}}, {.scale = 0.5f}},
        {&vkp_op_dropout, {x, words}, {.scale = -0.1f}},
        {&vkp_op_dropout, {x, words}, {.scale = 1.1f}},
        {&vkp_op_dropout, {x, words}, {.scale = NAN}},
        {&vkp_op_dropout, {{1, 2, 1u << 16, 1u << 15}, words}, {.scale = 0.5f}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vkp_node node = {.op = wrong[i].op, .attr = wrong[i].attr};
        for (int k = 0; k < 2; k++) node.in[k] = vkp_tensor_activation(1, wrong[i].in[k]);
        if (node.op->shape(&node, out) != VKP_SHAPE) fail_msg("%s, row %zu: not refused", node.op->name, i);
        assert_non_null(strstr(vkp_error(), node.op->name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tensor_added_to_itself),
        cmocka_unit_test(means_of_large_planes_are_exact),
        cmocka_unit_test(each_word_changes_the_mask),
        cmocka_unit_test(cuts_do_not_change_the_mask),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
