/* The graph's backward walk where values have slices of pictures: two batches in one pass are what a pass for
 * each gives, a loss of one of them goes back through that one alone, and what cannot be cut is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "device_fixture.h"
#include "graph/graph.h"

enum { BATCH = 3, SIDE = 12, MID = 5, WEIGHTS = MID * 3 * 3 * 3, PICTURE = 3 * SIDE * SIDE };
#define RATE 1e-5

/* A small network over `count` pictures, conv - norm - activation - pool - conv, in a graph of its own. */
typedef struct net {
    uint32_t count;
    vkp_program *program;
    vkp_arena arena;
    vkp_graph *graph;
    vkp_buffer buffers[8];
    uint32_t buffer_count;
    vkp_value x, weight, logits;
    vkp_tensor seed;
} net;

/* Numbers in -1..1 that follow from their place. */
static float number(uint32_t stream, uint32_t i)
{
    return (float)((i * 2654435761u + stream * 40503u) >> 8 & 0xffff) / 32768 - 1;
}

/* A packed tensor in host memory, from number `begin` of a stream on. */
static vkp_tensor add_tensor(net *n, vkp_shape shape, uint32_t stream, uint32_t begin)
{
    vkp_tensor t = vkp_tensor_packed(0, shape);
    const uint64_t floats = vkp_extent(&t);
    vkp_buffer *b = &n->buffers[n->buffer_count++];
    assert_ok(vkp_buffer_create(test_device, floats * 4, VKP_MEMORY_HOST, "values", b));
    for (uint64_t i = 0; i < floats; i++) ((float *)b->mapped)[i] = number(stream, begin + (uint32_t)i);
    assert_ok(vkp_program_external(n->program, b, 0, floats * 4, "values", &t.buffer));
    return t;
}

static vkp_value add_value(net *n, vkp_shape shape, uint32_t stream, uint32_t begin, const char *name)
{
    const vkp_tensor t = add_tensor(n, shape, stream, begin);
    vkp_value value;
    assert_ok(vkp_graph_tensor(n->graph, &t, VKP_GRADS_NONE, NULL, name, &value));
    return value;
}

static vkp_value apply(net *n, const vkp_op *op, const vkp_attr *attr, const char *name, vkp_value a,
                       vkp_value b, vkp_value c)
{
    const vkp_value in[VKP_MAX_IN] = {a, b, c};
    vkp_value out[VKP_MAX_OUT] = {0};
    assert_ok(vkp_graph_apply(n->graph, op, attr, name, in, out));
    return out[0];
}

/* Pictures [first, first + count) of the test's, `pictures` of which share statistics. */
static void make_net_as(net *n, uint32_t first, uint32_t count, uint32_t pictures, bool keep_all)
{
    *n = (net){.count = count};
    assert_ok(vkp_program_create(test_device, &n->program));
    assert_ok(vkp_graph_create(n->program, keep_all, &n->graph));
    const vkp_attr conv = {.kernel = 3, .stride = 1, .padding = 1};
    const vkp_attr norm = {.training = true, .pictures = pictures, .eps = 1e-5f, .activation = VKP_RELU};
    n->x = add_value(n, (vkp_shape){count, 3, SIDE, SIDE}, 1, first * PICTURE, "x");
    n->weight = add_value(n, (vkp_shape){MID, 3, 3, 3}, 2, 0, "weight");
    const vkp_value gamma = add_value(n, (vkp_shape){1, MID, 1, 1}, 3, 0, "gamma"),
                    beta = add_value(n, (vkp_shape){1, MID, 1, 1}, 4, 0, "beta"),
                    last = add_value(n, (vkp_shape){1, MID, 3, 3}, 5, 0, "last");
    vkp_value v = apply(n, &vkp_op_conv2d, &conv, "conv", n->x, n->weight, 0);
    v = apply(n, &vkp_op_norm, &norm, "norm", v, gamma, beta);
    v = apply(n, &vkp_op_activation, &(vkp_attr){.activation = VKP_TANH}, "tanh", v, 0, 0);
    v = apply(n, &vkp_op_avg_pool, &(vkp_attr){.factor = 2}, "pool", v, 0, 0);
    n->logits = apply(n, &vkp_op_conv2d, &conv, "logits", v, last, 0);
    n->seed = add_tensor(n, (vkp_shape){1, 1, 1, 1}, 0, 0);
    *(float *)n->buffers[n->buffer_count - 1].mapped = 1;
}

static void make_net(net *n, uint32_t first, uint32_t count, uint32_t pictures)
{
    make_net_as(n, first, count, pictures, true);
}

static void free_net(net *n)
{
    vkp_graph_destroy(n->graph);
    vkp_program_destroy(n->program);
    vkp_arena_destroy(test_device, &n->arena);
    for (uint32_t i = 0; i < n->buffer_count; i++) vkp_buffer_destroy(test_device, &n->buffers[i]);
}

static vkp_value half(net *n, vkp_value whole, uint32_t which, const char *name)
{
    vkp_value out;
    assert_ok(vkp_graph_pictures(n->graph, whole, which * BATCH, BATCH, name, &out));
    return out;
}

static vkp_value bce(net *n, vkp_value logits, float target, const char *name)
{
    return apply(n, &vkp_op_bce_with_logits, &(vkp_attr){.scale = target}, name, logits, 0, 0);
}

static vkp_status walk(net *n, vkp_value loss)
{
    const vkp_value wanted[] = {n->x, n->weight};
    return vkp_graph_backward(n->graph, 0, vkp_graph_mark(n->graph), loss, &n->seed, wanted, 2);
}

static void run(net *n)
{
    assert_ok(vkp_program_build(n->program, &n->arena));
    assert_ok(vkp_program_run(n->program, 0, 1));
}

/* The gradient of a value, or the value itself, dense and malloc'd; fails the test when there is none. */
static float *read(net *n, vkp_tensor t)
{
    assert_int_not_equal(t.buffer, 0);
    return dense_read(n->program, &t);
}

static void assert_close(const float *got, const float *want, uint64_t count)
{
    assert_true(dense_compare(got, want, count, 0).mean < RATE);
}

/* What one batch gives in a pass of its own. */
typedef struct single {
    float *logits, *d_x, *d_weight;
    uint64_t logit_count;
} single;

static single pass_alone(uint32_t which, float target)
{
    net n;
    make_net(&n, which * BATCH, BATCH, 0);
    assert_ok(walk(&n, bce(&n, n.logits, target, "loss")));
    run(&n);
    const vkp_tensor logits = vkp_graph_at(n.graph, n.logits);
    const single s = {.logits = read(&n, logits),
                      .d_x = read(&n, vkp_graph_grad(n.graph, n.x)),
                      .d_weight = read(&n, vkp_graph_grad(n.graph, n.weight)),
                      .logit_count = vkp_shape_count(logits.shape)};
    free_net(&n);
    return s;
}

static void free_single(single *s)
{
    free(s->logits);
    free(s->d_x);
    free(s->d_weight);
}

/* Losses of both halves: gradients of the weights are the sum of both passes'. */
static void two_batches_in_one_pass(void **state)
{
    (void)state;
    net n;
    single alone[2] = {pass_alone(0, 1), pass_alone(1, 0)};
    make_net(&n, 0, 2 * BATCH, BATCH);
    const vkp_value halves[] = {half(&n, n.logits, 0, "first"), half(&n, n.logits, 1, "second")};
    const vkp_value loss = apply(&n, &vkp_op_weighted_sum, &(vkp_attr){.weight = {1, 1}}, "loss",
                                 bce(&n, halves[0], 1, "a"), bce(&n, halves[1], 0, "b"), 0);
    assert_ok(walk(&n, loss));
    run(&n);
    float *d_weight = read(&n, vkp_graph_grad(n.graph, n.weight));
    float *d_x = read(&n, vkp_graph_grad(n.graph, n.x));
    for (int i = 0; i < WEIGHTS; i++) alone[0].d_weight[i] += alone[1].d_weight[i];
    assert_close(d_weight, alone[0].d_weight, WEIGHTS);
    for (int i = 0; i < 2; i++) {
        float *logits = read(&n, vkp_graph_at(n.graph, halves[i]));
        assert_close(logits, alone[i].logits, alone[i].logit_count);
        assert_close(d_x + i * BATCH * PICTURE, alone[i].d_x, BATCH * PICTURE);
        free(logits);
        free_single(&alone[i]);
    }
    free(d_weight);
    free(d_x);
    free_net(&n);
}

/* A loss of one half: gradients of its pictures alone, in tensors of no more. */
static void a_loss_of_one_batch(void **state)
{
    (void)state;
    for (uint32_t which = 0; which < 2; which++) {
        net n;
        single alone = pass_alone(which, 1);
        make_net(&n, 0, 2 * BATCH, BATCH);
        assert_ok(walk(&n, bce(&n, half(&n, n.logits, which, "half"), 1, "loss")));
        run(&n);
        float *d_weight = read(&n, vkp_graph_grad(n.graph, n.weight));
        float *d_x = read(&n, vkp_graph_grad(n.graph, half(&n, n.x, which, "its x")));
        assert_close(d_weight, alone.d_weight, WEIGHTS);
        assert_close(d_x, alone.d_x, BATCH * PICTURE);
        assert_int_equal(vkp_graph_grad(n.graph, n.x).buffer, 0);
        assert_int_equal(vkp_graph_grad(n.graph, half(&n, n.x, 1 - which, "the other x")).buffer, 0);
        const vkp_tensor kept = vkp_graph_at(n.graph, vkp_graph_find(n.graph, "loss/conv"));
        assert_int_equal(kept.shape.n, BATCH);
        free(d_weight);
        free(d_x);
        free_single(&alone);
        free_net(&n);
    }
}

/* One picture of a batch with common statistics has a gradient that the walk has not got: not a wrong one. */
static void common_statistics_are_not_cut(void **state)
{
    (void)state;
    net n;
    make_net(&n, 0, 2 * BATCH, 0);
    assert_int_equal(walk(&n, bce(&n, half(&n, n.logits, 1, "half"), 1, "loss")), VKP_INTERNAL);
    assert_non_null(strstr(vkp_error(), "half made"));
    free_net(&n);
}

/* The gradient of the weight, malloc'd; the memory planned and the dispatches. */
static float *weight_gradient(bool again, uint64_t *bytes, size_t *dispatches)
{
    static const char *const names[] = {"norm", "tanh", "pool"};
    net n;
    make_net_as(&n, 0, BATCH, BATCH, false);
    for (int i = 0; i < 3 && again; i++) vkp_graph_make_again(n.graph, vkp_graph_find(n.graph, names[i]));
    /* Between the passes something needs more memory than the backward walk. */
    vkp_value other = add_value(&n, (vkp_shape){BATCH, 64, SIDE, SIDE}, 6, 0, "other");
    for (int i = 0; i < 2; i++) other = apply(&n, &vkp_op_add, &(vkp_attr){0}, "sum", other, other, 0);
    assert_ok(walk(&n, bce(&n, n.logits, 1, "loss")));
    const vkp_tensor grad = vkp_graph_grad(n.graph, n.weight);
    assert_int_not_equal(grad.buffer, 0);
    vkp_program_keep(n.program, grad.buffer);
    *dispatches = vkp_program_dispatch_count(n.program);
    assert_ok(vkp_program_plan(n.program, bytes));
    run(&n);
    float *values = read(&n, grad);
    free_net(&n);
    return values;
}

/* What is made again takes dispatches in place of memory, and changes no bit. */
static void values_made_again(void **state)
{
    (void)state;
    uint64_t kept_bytes, bytes;
    size_t kept_dispatches, dispatches;
    float *kept = weight_gradient(false, &kept_bytes, &kept_dispatches);
    float *made = weight_gradient(true, &bytes, &dispatches);
    assert_true(dispatches > kept_dispatches);
    assert_true(bytes < kept_bytes);
    assert_memory_equal(made, kept, WEIGHTS * sizeof *kept);
    free(kept);
    free(made);
}

static void slices_must_fit(void **state)
{
    (void)state;
    net n;
    vkp_value part, out;
    make_net(&n, 0, BATCH, 0);
    assert_int_equal(vkp_graph_pictures(n.graph, n.x, 1, BATCH, "part", &out), VKP_INTERNAL);
    assert_int_equal(vkp_graph_pictures(n.graph, n.x, UINT32_MAX, 2, "part", &out), VKP_INTERNAL);
    assert_int_equal(vkp_graph_slice(n.graph, n.x, 2, 2, "part", &out), VKP_INTERNAL);
    assert_ok(vkp_graph_pictures(n.graph, n.x, 1, 1, "part", &part));
    assert_int_equal(vkp_graph_slice(n.graph, part, 0, 1, "part", &out), VKP_INTERNAL);
    assert_int_equal(vkp_graph_at(n.graph, part).offset, PICTURE);
    free_net(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_batches_in_one_pass),
        cmocka_unit_test(a_loss_of_one_batch),
        cmocka_unit_test(common_statistics_are_not_cut),
        cmocka_unit_test(values_made_again),
        cmocka_unit_test(slices_must_fit),
    };
    return cmocka_run_group_tests_name("graph", tests, open_test_device, close_test_device);
}
