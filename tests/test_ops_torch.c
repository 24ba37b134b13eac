/* Every operation against PyTorch: the cases that tests/reference/make_ops.py wrote to tests/data/ops. Every
 * file must have its row in the table below and every row its file; every tensor of every case must have been
 * given to an operation or compared with what one made. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "device_fixture.h"
#include "ops/adam.h"
#include "ops/op.h"

/* A tensor of a case on the device. */
typedef struct named {
    char name[32];
    vkp_buffer buffer;
    vkp_tensor layout;
    bool made;      /* by an operation: compared afterwards */
    uint32_t first; /* the first channel that is made */
} named;

enum { MAX_NAMED = 24, MAX_SEEN = 512 };

/* One case of a file. */
typedef struct trial {
    const char *title;
    const vkp_safetensors *file;
    bool *seen; /* by the file's list */
    uint32_t number;
    double tolerance, least;
    vkp_program *program;
    named list[MAX_NAMED];
    uint32_t count;
} trial;

static double worst_mean, worst_element; /* over a file, for the report */

/* The file's tensor "caseK.NAME", or NULL; marks it as seen. */
static const vkp_safetensor *look_up(const trial *t, const char *name)
{
    char full[64];
    size_t count;
    snprintf(full, sizeof full, "case%u.%s", t->number, name);
    const vkp_safetensor *found = vkp_safetensors_find(t->file, full);
    if (found) t->seen[found - vkp_safetensors_list(t->file, &count)] = true;
    return found;
}

static float *values_of(const trial *t, const char *name, uint64_t count)
{
    char full[64];
    snprintf(full, sizeof full, "case%u.%s", t->number, name);
    return look_up(t, name) ? dense_from_file(t->file, full, count) : NULL;
}

static const char *text(const trial *t, const char *attribute)
{
    char key[64];
    snprintf(key, sizeof key, "case%u.%s", t->number, attribute);
    const char *value = vkp_safetensors_metadata(t->file, key);
    if (!value) fail_msg("%s: the file has no %s", t->title, key);
    return value;
}

static double number(const trial *t, const char *attribute) { return strtod(text(t, attribute), NULL); }
static uint32_t whole(const trial *t, const char *attribute) { return (uint32_t)number(t, attribute); }

/* The place of `text` among `names`, "a b c". */
static uint32_t one_of(const trial *t, const char *attribute, const char *names)
{
    char list[64];
    uint32_t place = 0;
    snprintf(list, sizeof list, "%s", names);
    for (char *rest = NULL, *word = strtok_r(list, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest), place++)
        if (strcmp(word, text(t, attribute)) == 0) return place;
    fail_msg("%s: unknown %s %s", t->title, attribute, text(t, attribute));
    return 0;
}

/* PyTorch's shape: four axes, one a channel, or a scalar. */
static vkp_shape shape_of(const trial *t, const char *name)
{
    const vkp_safetensor *f = look_up(t, name);
    if (!f) fail_msg("%s case %u has no %s", t->title, t->number, name);
    const size_t *s = f->shape;
    if (f->rank == 4) return (vkp_shape){(uint32_t)s[0], (uint32_t)s[1], (uint32_t)s[2], (uint32_t)s[3]};
    assert_true(f->rank < 2);
    return (vkp_shape){1, f->rank ? (uint32_t)s[0] : 1, 1, 1};
}

/* A new tensor with these values, or, without any, to be made by an operation: filled with NaN. */
static named *add_tensor(trial *t, const char *name, vkp_shape shape, vkp_role role, const float *values)
{
    assert_true(t->count < MAX_NAMED);
    named *n = &t->list[t->count++];
    *n = (named){.made = !values};
    snprintf(n->name, sizeof n->name, "%s", name);
    const bool padded = role == VKP_ACTIVATION || role == VKP_CONSTANT;
    n->layout = padded ? vkp_tensor_activation(0, shape) : vkp_tensor_packed(0, shape);
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&n->layout) * sizeof(float), VKP_MEMORY_HOST, name,
                                &n->buffer));
    assert_ok(vkp_program_external(t->program, &n->buffer, 0, n->buffer.bytes, name, &n->layout.buffer));
    float *memory = n->buffer.mapped;
    for (uint64_t i = 0; i < n->buffer.bytes / sizeof *memory; i++) memory[i] = NAN;
    if (values) dense_spread(&n->layout, values, memory);
    return n;
}

/* Channels of the file's tensor `name`, on the device from the first mention on. count 0: all. */
static vkp_tensor channels(trial *t, const char *name, vkp_role role, bool made, uint32_t first,
                           uint32_t count)
{
    named *n = NULL;
    for (uint32_t i = 0; i < t->count && !n; i++)
        if (strcmp(t->list[i].name, name) == 0) n = &t->list[i];
    if (!n) {
        const vkp_shape shape = shape_of(t, name);
        float *values = made ? NULL : values_of(t, name, vkp_shape_count(shape));
        n = add_tensor(t, name, shape, role, values);
        n->first = first;
        free(values);
    }
    return vkp_tensor_channels(&n->layout, first, count ? count : n->layout.shape.c);
}

/* Input i is (channels of) `name`; its gradient is "dNAME", where the file has one and there can be one. */
static void give_channels(trial *t, vkp_node *node, uint32_t i, const char *name, uint32_t first,
                          uint32_t count)
{
    const vkp_role role = node->op->in[i].role;
    char gradient[32];
    snprintf(gradient, sizeof gradient, "d%s", name);
    node->in[i] = channels(t, name, role, false, first, count);
    if ((role == VKP_ACTIVATION || role == VKP_PARAMETER) && look_up(t, gradient))
        node->d_in[i] = channels(t, gradient, role, true, first, count);
}

static void take_channels(trial *t, vkp_node *node, uint32_t i, const char *name, uint32_t first,
                          uint32_t count)
{
    const vkp_role role = node->op->out[i].role;
    char gradient[32];
    snprintf(gradient, sizeof gradient, "d%s", name);
    node->out[i] = channels(t, name, role, true, first, count);
    if (node->op->backward && look_up(t, gradient))
        node->d_out[i] = channels(t, gradient, role, false, first, count);
}

static void give(trial *t, vkp_node *node, uint32_t i, const char *name)
{
    give_channels(t, node, i, name, 0, 0);
}
static void take(trial *t, vkp_node *node, uint32_t i, const char *name)
{
    take_channels(t, node, i, name, 0, 0);
}

/* Writes the node down, forward and backward. */
static void record(trial *t, const vkp_node *node)
{
    vkp_shape shapes[VKP_MAX_OUT] = {0};
    assert_ok(node->op->shape(node, shapes));
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++)
        if (node->out[i].buffer) assert_true(vkp_shape_equal(node->out[i].shape, shapes[i]));
    vkp_program_label(t->program, node->op->name);
    assert_ok(node->op->forward(t->program, node));
    if (node->op->backward) assert_ok(node->op->backward(t->program, node));
}

/* x in, y out, and the attributes. */
static void record_simple(trial *t, const vkp_op *op, vkp_attr attr)
{
    vkp_node node = {.op = op, .attr = attr};
    give(t, &node, 0, "x");
    take(t, &node, 0, "y");
    record(t, &node);
}

static void compare_with_file(const trial *t, const char *name, const float *got, uint64_t count)
{
    float *want = values_of(t, name, count);
    assert_non_null(want);
    const dense_error e = dense_compare(got, want, count, t->least);
    free(want);
    worst_mean = fmax(worst_mean, e.mean);
    worst_element = fmax(worst_element, e.worst);
    if (!(e.mean <= t->tolerance && e.worst <= 8 * t->tolerance))
        fail_msg("%s case %u: %s is off by %g, at worst %g (allowed is %g)", t->title, t->number, name,
                 e.mean, e.worst, t->tolerance);
}

static void try_conv2d(trial *t)
{
    vkp_node node = {.op = &vkp_op_conv2d,
                     .attr = {.kernel = whole(t, "kernel"),
                              .stride = whole(t, "stride"),
                              .padding = whole(t, "padding"),
                              .upsample = whole(t, "upsample")}};
    give(t, &node, 0, "x");
    give(t, &node, 1, "weight");
    give(t, &node, 2, "bias");
    take(t, &node, 0, "y");
    record(t, &node);
}

static void try_avg_pool(trial *t)
{
    record_simple(t, &vkp_op_avg_pool, (vkp_attr){.factor = whole(t, "kernel")});
}
static void try_upsample(trial *t)
{
    record_simple(t, &vkp_op_upsample, (vkp_attr){.factor = whole(t, "factor")});
}

static void try_pixel_unshuffle(trial *t)
{
    record_simple(t, &vkp_op_pixel_unshuffle, (vkp_attr){.factor = whole(t, "factor")});
}
static void try_global_avg_pool(trial *t)
{
    record_simple(t, &vkp_op_global_avg_pool, (vkp_attr){0});
}

/* Two inputs that both have a gradient, and y. */
static void record_two(trial *t, const vkp_op *op, vkp_attr attr, const char *first, const char *second)
{
    vkp_node node = {.op = op, .attr = attr};
    give(t, &node, 0, first);
    give(t, &node, 1, second);
    take(t, &node, 0, "y");
    record(t, &node);
}

static void try_add(trial *t)
{
    const vkp_attr attr = {.activation = one_of(t, "activation", "none relu leaky_relu tanh"),
                           .slope = (float)number(t, "slope")};
    record_two(t, &vkp_op_add, attr, "a", "b");
}
static void try_film(trial *t) { record_two(t, &vkp_op_film, (vkp_attr){0}, "x", "film"); }

static void try_upsample_bilinear(trial *t)
{
    record_simple(t, &vkp_op_upsample_bilinear, (vkp_attr){.factor = whole(t, "factor")});
}

static void try_relu(trial *t) { record_simple(t, &vkp_op_activation, (vkp_attr){.activation = VKP_RELU}); }
static void try_tanh(trial *t) { record_simple(t, &vkp_op_activation, (vkp_attr){.activation = VKP_TANH}); }
static void try_leaky_relu(trial *t)
{
    const vkp_attr attr = {.activation = VKP_LEAKY_RELU, .slope = (float)number(t, "slope")};
    record_simple(t, &vkp_op_activation, attr);
}

/* Batch statistics also move the running ones; in evaluation PyTorch leaves these as they are. */
static void try_running(trial *t, const vkp_node *norm)
{
    const vkp_shape x = norm->in[0].shape;
    if (!norm->attr.training) {
        float *mean = values_of(t, "running_mean", x.c), *var = values_of(t, "running_var", x.c);
        compare_with_file(t, "running_mean_after", mean, x.c);
        compare_with_file(t, "running_var_after", var, x.c);
        free(mean);
        free(var);
        return;
    }
    vkp_node node = {.op = &vkp_op_running_stats,
                     .attr = {.momentum = (float)number(t, "momentum"), .scale = (float)(x.n * x.h * x.w)}};
    node.in[0] = norm->out[1];
    give(t, &node, 1, "running_mean");
    give(t, &node, 2, "running_var");
    take(t, &node, 0, "running_mean_after");
    take(t, &node, 1, "running_var_after");
    record(t, &node);
}

/* The largest 1/std that a channel of x is multiplied by, over each picture or over the batch. */
static double largest_gain(const trial *t, vkp_shape s, bool batch)
{
    const uint64_t plane = (uint64_t)s.h * s.w;
    float *x = values_of(t, "x", vkp_shape_count(s));
    double gain = 0;
    for (uint32_t first = 0; first < s.n; first += batch ? s.n : 1)
        for (uint32_t c = 0; c < s.c; c++) {
            double sum = 0, squares = 0, count = 0;
            for (uint32_t n = first; n < (batch ? s.n : first + 1); n++)
                for (uint64_t k = 0; k < plane; k++, count++) {
                    const double value = (double)x[(n * s.c + c) * plane + k];
                    sum += value;
                    squares += value * value;
                }
            gain = fmax(gain, 1 / sqrt(fmax(squares / count - sum * sum / count / count, 0) + 1e-5));
        }
    free(x);
    return gain;
}

static void try_norm(trial *t)
{
    const bool batch = one_of(t, "kind", "instance batch");
    const bool training = one_of(t, "mode", "eval train");
    vkp_node node = {.op = &vkp_op_norm,
                     .attr = {.training = training,
                              .pictures = batch ? 0 : 1,
                              .activation = one_of(t, "activation", "none relu leaky_relu"),
                              .slope = (float)number(t, "slope"),
                              .eps = (float)number(t, "eps")}};
    give(t, &node, 0, "x");
    if (batch) {
        give(t, &node, 1, "weight");
        give(t, &node, 2, "bias");
    }
    if (batch && !training) {
        give(t, &node, 3, "running_mean");
        give(t, &node, 4, "running_var");
    }
    take(t, &node, 0, "y");
    const vkp_shape x = node.in[0].shape;
    if (training) t->least *= fmax(1, largest_gain(t, x, batch));
    assert_ok(vkp_tensor_new_packed(t->program, (vkp_shape){batch ? 1 : x.n, x.c, 1, 2}, "statistics",
                                    &node.out[1]));
    record(t, &node);
    if (batch) try_running(t, &node);
}

static void try_bce_with_logits(trial *t)
{
    record_simple(t, &vkp_op_bce_with_logits, (vkp_attr){.scale = (float)number(t, "target")});
}

static void try_hinge(trial *t)
{
    record_simple(t, &vkp_op_hinge, (vkp_attr){.mode = one_of(t, "mode", "g d_real d_fake")});
}

static void try_l1(trial *t)
{
    vkp_node node = {.op = &vkp_op_l1};
    give(t, &node, 0, "x");
    give(t, &node, 1, "target");
    take(t, &node, 0, "y");
    record(t, &node);
}

static vkp_attr class_grid(const trial *t)
{
    return (vkp_attr){.kernel = whole(t, "k"), .scale = (float)number(t, "range")};
}

static void try_soft_classes(trial *t)
{
    vkp_node node = {.op = &vkp_op_soft_classes, .attr = class_grid(t)};
    give(t, &node, 0, "x");
    give(t, &node, 1, "target");
    if (look_up(t, "weights")) give(t, &node, 2, "weights");
    take(t, &node, 0, "y");
    record(t, &node);
}

static void try_expected_chroma(trial *t)
{
    vkp_attr attr = class_grid(t);
    attr.weight[0] = (float)number(t, "temperature");
    record_simple(t, &vkp_op_expected_chroma, attr);
}

static void try_rgb_to_ycc(trial *t)
{
    vkp_node node = {.op = &vkp_op_rgb_to_ycc};
    give(t, &node, 0, "x");
    take_channels(t, &node, 0, "y", 0, 1);
    take_channels(t, &node, 1, "y", 1, 2);
    record(t, &node);
}

/* Gray is given, never made: it gets no gradient here. */
static void try_ycc_to_rgb(trial *t)
{
    vkp_node node = {.op = &vkp_op_ycc_to_rgb};
    give_channels(t, &node, 0, "x", 0, 1);
    give_channels(t, &node, 1, "x", 1, 2);
    take(t, &node, 0, "y");
    record(t, &node);
}

/* Bilinear, align_corners=False: output k of `out` looks at (k + 0.5) * in / out - 0.5, kept inside. */
static vkp_tensor resize_table(trial *t, const char *name, uint32_t in, uint32_t out)
{
    float *table = malloc(out * 3 * sizeof *table);
    assert_non_null(table);
    for (uint32_t k = 0; k < out; k++) {
        const double at = fmax((k + 0.5) * in / out - 0.5, 0), i0 = fmin(floor(at), in - 1);
        table[3 * k] = (float)i0;
        table[3 * k + 1] = (float)fmin(i0 + 1, in - 1);
        table[3 * k + 2] = (float)(at - i0);
    }
    const vkp_tensor tensor = add_tensor(t, name, (vkp_shape){1, 1, out, 3}, VKP_STATE, table)->layout;
    free(table);
    return tensor;
}

static void try_resize(trial *t)
{
    vkp_node node = {.op = &vkp_op_resample};
    give(t, &node, 0, "x");
    node.in[1] = resize_table(t, "rows", node.in[0].shape.h, whole(t, "height"));
    node.in[2] = resize_table(t, "columns", node.in[0].shape.w, whole(t, "width"));
    take(t, &node, 0, "y");
    record(t, &node);
}

static void run(trial *t)
{
    vkp_arena arena = {0};
    assert_ok(vkp_program_build(t->program, &arena));
    assert_ok(vkp_program_run(t->program, 0, 1));
    for (uint32_t i = 0; i < t->count; i++) {
        named *n = &t->list[i];
        if (!n->made || !look_up(t, n->name)) continue;
        float *got = dense_read(t->program, &n->layout);
        if (n->first) {
            /* What nobody makes is taken from the file itself. */
            const vkp_shape s = n->layout.shape;
            const uint64_t plane = (uint64_t)s.h * s.w;
            float *want = values_of(t, n->name, vkp_shape_count(s));
            for (uint32_t k = 0; k < s.n; k++)
                memcpy(got + k * s.c * plane, want + k * s.c * plane, n->first * plane * sizeof *got);
            free(want);
        }
        compare_with_file(t, n->name, got, vkp_shape_count(n->layout.shape));
        free(got);
    }
    vkp_arena_destroy(test_device, &arena);
}

static void try_psnr(trial *t)
{
    vkp_node node = {.op = &vkp_op_squared_error};
    give(t, &node, 0, "x");
    give(t, &node, 1, "target");
    const vkp_shape s = node.in[0].shape;
    float rectangles[16], psnr[4];
    assert_true(s.n <= 4);
    for (uint32_t i = 0; i < s.n; i++)
        memcpy(rectangles + 4 * i, (float[]){0, 0, (float)s.w, (float)s.h}, 4 * sizeof *rectangles);
    node.in[2] = add_tensor(t, "rectangles", (vkp_shape){s.n, 1, 1, 4}, VKP_STATE, rectangles)->layout;
    node.out[0] = add_tensor(t, "errors", (vkp_shape){s.n, 1, 1, 1}, VKP_STATE, NULL)->layout;
    record(t, &node);
    run(t);
    float *errors = dense_read(t->program, &node.out[0]);
    for (uint32_t i = 0; i < s.n; i++) {
        const double mean = (double)errors[i] / ((double)s.c * s.h * s.w);
        psnr[i] = (float)(10 * log10(255.0 * 255.0 / mean));
    }
    compare_with_file(t, "y", psnr, s.n);
    free(errors);
}

/* Step 1, 2, 3, each on what the one before left. */
static void try_adam(trial *t)
{
    const uint32_t count = shape_of(t, "weight").c, steps = whole(t, "steps");
    const vkp_shape flat = {1, 1, 1, count}, pairs = {1, 1, count, 2};
    float *zeros = calloc(count, 2 * sizeof *zeros), *weight = values_of(t, "weight", count);
    float hyper[VKP_ADAM_HYPER];
    assert_true(zeros && weight);
    vkp_node node = {.op = &vkp_op_adam};
    node.out[VKP_ADAM_P_OUT] = add_tensor(t, "start", flat, VKP_STATE, weight)->layout;
    node.out[VKP_ADAM_STATE_OUT] = add_tensor(t, "start state", pairs, VKP_STATE, zeros)->layout;
    vkp_tensor states[4];
    assert_true(steps < sizeof states / sizeof *states);
    for (uint32_t step = 1; step <= steps; step++) {
        char name[32];
        snprintf(name, sizeof name, "dweight%u", step - 1);
        float *gradient = values_of(t, name, count);
        vkp_adam_hyper(number(t, "lr"), number(t, "beta1"), number(t, "beta2"), number(t, "eps"),
                       number(t, "decay"), step, hyper);
        node.in[VKP_ADAM_P] = node.out[VKP_ADAM_P_OUT];
        node.in[VKP_ADAM_STATE] = node.out[VKP_ADAM_STATE_OUT];
        node.in[VKP_ADAM_G] = add_tensor(t, name, flat, VKP_STATE, gradient)->layout;
        node.in[VKP_ADAM_HYPER_IN] =
            add_tensor(t, "hyper", (vkp_shape){1, 1, 1, VKP_ADAM_HYPER}, VKP_STATE, hyper)->layout;
        node.out[VKP_ADAM_HYPER_OUT] = node.in[VKP_ADAM_HYPER_IN];
        snprintf(name, sizeof name, "weight%u", step);
        node.out[VKP_ADAM_P_OUT] = add_tensor(t, name, flat, VKP_STATE, NULL)->layout;
        node.out[VKP_ADAM_STATE_OUT] = states[step] = add_tensor(t, "state", pairs, VKP_STATE, NULL)->layout;
        record(t, &node);
        free(gradient);
    }
    run(t);
    for (uint32_t step = 1; step <= steps; step++) {
        char name[32];
        float *state = dense_read(t->program, &states[step]);
        for (int which = 0; which < 2; which++) {
            for (uint32_t i = 0; i < count; i++) zeros[i] = state[2 * i + (uint32_t)which];
            snprintf(name, sizeof name, which ? "exp_avg_sq%u" : "exp_avg%u", step);
            compare_with_file(t, name, zeros, count);
        }
        free(state);
    }
    free(zeros);
    free(weight);
}

/* Errors are multiples of the tensor's own size, but not of less than `least`: gradients that cancel to
 * almost nothing (a norm over two values) keep the rounding of what they are made of, times what the norm
 * scales by. Of soft_classes' gradient some are ten times its size: those of the few classes of a pixel. */
static const struct entry {
    const char *file;
    void (*write)(trial *t);
    bool runs; /* itself */
    double tolerance, least;
} entries[] = {
    {"adam", try_adam, true, 1e-6, 0},
    {"add", try_add, false, 1e-6, 0},
    {"avg_pool", try_avg_pool, false, 1e-6, 0},
    {"bce_with_logits", try_bce_with_logits, false, 1e-6, 0},
    {"conv2d", try_conv2d, false, 1e-6, 0},
    {"film", try_film, false, 1e-6, 0},
    {"global_avg_pool", try_global_avg_pool, false, 1e-6, 0},
    {"expected_chroma", try_expected_chroma, false, 1e-6, 0},
    {"hinge", try_hinge, false, 1e-6, 0},
    {"l1", try_l1, false, 1e-6, 0},
    {"leaky_relu", try_leaky_relu, false, 1e-6, 0},
    {"norm", try_norm, false, 4e-6, 0.1},
    {"pixel_unshuffle", try_pixel_unshuffle, false, 1e-6, 0},
    {"psnr", try_psnr, true, 1e-6, 0},
    {"relu", try_relu, false, 1e-6, 0},
    {"resize", try_resize, false, 1e-6, 0},
    {"rgb_to_ycc", try_rgb_to_ycc, false, 1e-6, 0},
    {"soft_classes", try_soft_classes, false, 2e-6, 0},
    {"tanh", try_tanh, false, 1e-6, 0},
    {"upsample", try_upsample, false, 1e-6, 0},
    {"upsample_bilinear", try_upsample_bilinear, false, 1e-6, 0},
    {"ycc_to_rgb", try_ycc_to_rgb, false, 1e-6, 0},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void try_case(const struct entry *e, const vkp_safetensors *file, uint32_t k, bool *seen)
{
    trial t = {.title = e->file,
               .file = file,
               .seen = seen,
               .number = k,
               .tolerance = e->tolerance,
               .least = e->least};
    assert_ok(vkp_program_create(test_device, &t.program));
    e->write(&t);
    if (!e->runs) run(&t);
    vkp_program_destroy(t.program);
    for (uint32_t i = 0; i < t.count; i++) vkp_buffer_destroy(test_device, &t.list[i].buffer);
}

static void check_file(void **state)
{
    const struct entry *e = *state;
    char path[4096];
    snprintf(path, sizeof path, VKP_TEST_SOURCE_DIR "/data/ops/%s.safetensors", e->file);
    vkp_safetensors *file = dense_open(path);
    const char *cases = vkp_safetensors_metadata(file, "cases");
    assert_non_null(cases);
    bool seen[MAX_SEEN] = {0};
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    assert_in_range(count, 1, MAX_SEEN);
    worst_mean = worst_element = 0;
    for (uint32_t k = 0; k < strtoul(cases, NULL, 10); k++) try_case(e, file, k, seen);
    for (size_t i = 0; i < count; i++)
        if (!seen[i]) fail_msg("%s: nobody looked at %s", e->file, list[i].name);
    print_message("%s: %s cases, %zu tensors, off by at most %.1e, an element by %.1e\n", e->file, cases,
                  count, worst_mean, worst_element);
    vkp_safetensors_free(file);
}

static void every_file_has_its_test(void **state)
{
    (void)state;
    DIR *folder = opendir(VKP_TEST_SOURCE_DIR "/data/ops");
    assert_non_null(folder);
    for (const struct dirent *d = readdir(folder); d; d = readdir(folder)) {
        const char *dot = strrchr(d->d_name, '.');
        bool known = d->d_name[0] == '.';
        for (int i = 0; i < ENTRIES && !known; i++)
            known = dot && strcmp(dot, ".safetensors") == 0 &&
                    strlen(entries[i].file) == (size_t)(dot - d->d_name) &&
                    strncmp(entries[i].file, d->d_name, strlen(entries[i].file)) == 0;
        if (!known) fail_msg("no test reads %s", d->d_name);
    }
    closedir(folder);
}

int main(void)
{
    struct CMUnitTest tests[ENTRIES + 1] = {cmocka_unit_test(every_file_has_its_test)};
    for (int i = 0; i < ENTRIES; i++)
        tests[i + 1] = (struct CMUnitTest){entries[i].file, check_file, NULL, NULL, (void *)&entries[i]};
    return _cmocka_run_group_tests("operations against PyTorch", tests, ENTRIES + 1, open_test_device,
                                   close_test_device);
}
