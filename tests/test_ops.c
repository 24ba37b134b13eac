/* Every registered operation, every case of it: forward against the reference in double precision,
 * gradients against finite differences of the reference, the same bits twice, gradients added to what is
 * there, nothing written beside the tensors, zeros in the padding of every row, and the same of some pictures
 * alone where the operation says that they can be had. With VKPIX_VARIANT only cases that it has a part in.
 * `test_ops NAME` runs one operation; without a name all run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "ops/op.h"
#include "ops/variant.h"

#define POISON 0x7fc0deadu /* a NaN: whoever reads what nobody wrote is found out */
#define GUARD 320u         /* floats of poison around each tensor, and between its pictures */
#define HALF_ROUNDING 0x1p-11 /* of a 16-bit float, of its size; where VKPIX_PRECISION=half allows those */

/* A tensor on the device with its dense values on the host. */
typedef struct tensor_data {
    vkp_buffer buffer;
    vkp_tensor layout;
    double *values;
    uint64_t count;
} tensor_data;

typedef struct fixture {
    const vkp_op *op;
    const vkp_case *c;
    vkp_program *program;
    vkp_node node;
    tensor_data in[VKP_MAX_IN], out[VKP_MAX_OUT], d_in[VKP_MAX_IN], d_out[VKP_MAX_OUT];
    uint32_t backward;
} fixture;

static uint64_t random_state;

static double random_value(double low, double high)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(low + (high - low) * (double)(random_state >> 40) / (double)(1 << 24));
}

static bool is_differentiable(vkp_role role) { return role == VKP_ACTIVATION || role == VKP_PARAMETER; }

static float *floats(const tensor_data *t) { return t->buffer.mapped; }

static size_t place_of(const tensor_data *t, uint64_t i)
{
    const vkp_shape s = t->layout.shape;
    const uint64_t x = i % s.w, y = i / s.w % s.h, c = i / s.w / s.h % s.c, n = i / s.w / s.h / s.c;
    return (size_t)(GUARD + n * t->layout.stride_n + c * vkp_plane(&t->layout) + y * t->layout.pitch + x);
}

/* Makes the tensor as a slice: poison before, after and, for activations, between its pictures. */
static void make_tensor(fixture *f, tensor_data *t, vkp_shape shape, vkp_role role, const char *name)
{
    const bool padded = role == VKP_ACTIVATION || role == VKP_CONSTANT;
    t->layout = padded ? vkp_tensor_activation(0, shape) : vkp_tensor_packed(0, shape);
    if (padded) t->layout.stride_n += GUARD;
    const uint64_t length = 2 * GUARD + vkp_extent(&t->layout);
    assert_ok(vkp_buffer_create(test_device, length * 4, VKP_MEMORY_HOST, name, &t->buffer));
    uint32_t *words = t->buffer.mapped;
    for (uint64_t i = 0; i < t->buffer.bytes / 4; i++) words[i] = POISON;
    t->count = vkp_shape_count(shape);
    t->values = calloc(t->count, sizeof *t->values);
    assert_non_null(t->values);
    assert_ok(vkp_program_external(f->program, &t->buffer, 0, t->buffer.bytes, name, &t->layout.buffer));
    t->layout.offset = GUARD;
}

static void upload(const tensor_data *t)
{
    float *data = floats(t);
    const vkp_shape s = t->layout.shape;
    for (uint64_t row = 0; row < (uint64_t)s.n * s.c * s.h; row++) {
        const size_t start = place_of(t, row * s.w);
        for (uint32_t x = s.w; x < t->layout.pitch; x++) data[start + x] = 0;
    }
    for (uint64_t i = 0; i < t->count; i++) data[place_of(t, i)] = (float)t->values[i];
}

/* Everything of the buffer that is no element: poison outside the tensor, zeros in its rows' padding. */
static void check_surroundings(const tensor_data *t, const char *what)
{
    const uint32_t *words = t->buffer.mapped;
    unsigned char *inside = calloc(t->buffer.bytes / 4, 1);
    assert_non_null(inside);
    const vkp_shape s = t->layout.shape;
    for (uint64_t row = 0; row < (uint64_t)s.n * s.c * s.h; row++) {
        const size_t start = place_of(t, row * s.w);
        memset(inside + start, 1, s.w);
        for (uint32_t x = s.w; x < t->layout.pitch; x++) {
            inside[start + x] = 2;
            if (floats(t)[start + x] != 0)
                fail_msg("%s: padding holds %g, not 0", what, (double)floats(t)[start + x]);
        }
    }
    for (uint64_t i = 0; i < t->buffer.bytes / 4; i++)
        if (!inside[i] && words[i] != POISON)
            fail_msg("%s: float %lld beside the tensor was written", what, (long long)i - GUARD);
    free(inside);
}

static double *download(const tensor_data *t)
{
    double *values = calloc(t->count ? t->count : 1, sizeof *values);
    assert_non_null(values);
    for (uint64_t i = 0; i < t->count; i++) values[i] = floats(t)[place_of(t, i)];
    return values;
}

/* Normalized root mean square error, and no element far off: what one wrong edge would hide in the mean. */
static void compare(const double *got, const double *want, const uint64_t *index, uint64_t count,
                    double tolerance, const char *what)
{
    double error = 0, power = 0, worst = 0;
    for (uint64_t i = 0; i < count; i++) {
        const double g = got[index ? index[i] : i], w = want[i];
        if (!isfinite(g))
            fail_msg("%s: element %llu is %g", what, (unsigned long long)(index ? index[i] : i), g);
        error += (g - w) * (g - w);
        power += w * w;
        worst = fmax(worst, fabs(g - w));
    }
    /* 16-bit rounding errs by a share of each product, and those are of this size where they cancel too. */
    const double least = test_device->info.limits.half ? 0.3 : 0;
    const double scale = fmax(sqrt(power / (double)count) + 1e-3, least);
    const double nrms = sqrt(error / (double)count) / scale;
    if (nrms > tolerance || worst > 30 * tolerance * scale)
        fail_msg("%s: error %g (worst element %g of scale %g), allowed %g", what, nrms, worst, scale,
                 tolerance);
}

static void make_inputs(fixture *f)
{
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        const vkp_place *place = &f->op->in[i];
        if (place->role == VKP_NONE || !f->c->in[i].n) continue;
        make_tensor(f, &f->in[i], f->c->in[i], place->role, place->name);
        f->node.in[i] = f->in[i].layout;
    }
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        tensor_data *t = &f->in[i];
        if (!t->count) continue;
        const vkp_place *place = &f->op->in[i];
        double low = place->low, high = place->high;
        if (low == 0 && high == 0) low = f->c->low, high = f->c->high;
        if (low == 0 && high == 0) low = -1, high = 1;
        float *made = calloc(t->count, sizeof *made);
        assert_non_null(made);
        const bool filled = f->op->fill && f->op->fill(&f->node, i, made);
        for (uint64_t k = 0; k < t->count; k++) t->values[k] = filled ? made[k] : random_value(low, high);
        free(made);
        upload(t);
    }
}

static void make_outputs(fixture *f)
{
    vkp_shape shapes[VKP_MAX_OUT] = {0};
    assert_ok(f->op->shape(&f->node, shapes));
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) {
        const vkp_place *place = &f->op->out[i];
        if (place->role == VKP_NONE || !shapes[i].n) continue;
        make_tensor(f, &f->out[i], shapes[i], place->role, place->name);
        f->node.out[i] = f->out[i].layout;
        if (!f->op->backward || !is_differentiable(place->role)) continue;
        make_tensor(f, &f->d_out[i], shapes[i], place->role, "d_out");
        f->node.d_out[i] = f->d_out[i].layout;
        for (uint64_t k = 0; k < f->d_out[i].count; k++) f->d_out[i].values[k] = random_value(-1, 1);
        upload(&f->d_out[i]);
    }
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        if (!f->op->backward || !f->in[i].count || !is_differentiable(f->op->in[i].role)) continue;
        make_tensor(f, &f->d_in[i], f->c->in[i], f->op->in[i].role, "d_in");
        f->node.d_in[i] = f->d_in[i].layout;
    }
}

static double loss_of(const fixture *f, const double *const in[], double *const out[])
{
    double loss = 0;
    f->op->reference(&f->node, in, out);
    for (uint32_t o = 0; o < VKP_MAX_OUT; o++)
        for (uint64_t k = 0; k < f->d_out[o].count; k++) loss += out[o][k] * f->d_out[o].values[k];
    return loss;
}

/* Central differences of the reference for some elements of input i, compared with the device's gradient. */
static void check_gradient(const fixture *f, uint32_t i, const double *gradient, double tolerance,
                           const char *what)
{
    const double *in[VKP_MAX_IN] = {0};
    double *out[VKP_MAX_OUT] = {0};
    for (uint32_t k = 0; k < VKP_MAX_IN; k++) in[k] = f->in[k].count ? f->in[k].values : NULL;
    uint64_t work = 1;
    for (uint32_t k = 0; k < VKP_MAX_OUT; k++) {
        if (!f->out[k].count) continue;
        out[k] = calloc(f->out[k].count, sizeof **out);
        assert_non_null(out[k]);
        work += f->out[k].count;
    }
    if (f->op->flop) work += (uint64_t)f->op->flop(&f->node, VKP_FORWARD) / 2;
    const tensor_data *t = &f->in[i];
    uint64_t samples = 20000000 / work;
    if (samples < 6) samples = 6;
    if (samples > t->count) samples = t->count;
    if (samples > 256) samples = 256;
    uint64_t *index = calloc(samples, sizeof *index);
    double *want = calloc(samples, sizeof *want);
    assert_true(index && want);
    for (uint64_t k = 0; k < samples; k++) {
        const double step = 1e-5;
        index[k] = samples == t->count ? k : (uint64_t)random_value(0, (double)t->count - 0.5);
        const double value = t->values[index[k]];
        t->values[index[k]] = value + step;
        const double above = loss_of(f, in, out);
        t->values[index[k]] = value - step;
        const double below = loss_of(f, in, out);
        t->values[index[k]] = value;
        want[k] = (above - below) / (2 * step);
    }
    compare(gradient, want, index, samples, tolerance, what);
    for (uint32_t k = 0; k < VKP_MAX_OUT; k++) free(out[k]);
    free(index);
    free(want);
}

static void check_forward(fixture *f, double tolerance, const char *title)
{
    const double *in[VKP_MAX_IN];
    double *out[VKP_MAX_OUT];
    for (uint32_t k = 0; k < VKP_MAX_IN; k++) in[k] = f->in[k].count ? f->in[k].values : NULL;
    for (uint32_t k = 0; k < VKP_MAX_OUT; k++) out[k] = f->out[k].count ? f->out[k].values : NULL;
    f->op->reference(&f->node, in, out);
    for (uint32_t k = 0; k < VKP_MAX_OUT; k++) {
        if (!f->out[k].count) continue;
        char what[128];
        snprintf(what, sizeof what, "%s, output %s", title, f->op->out[k].name);
        double *got = download(&f->out[k]);
        compare(got, out[k], NULL, f->out[k].count, tolerance, what);
        check_surroundings(&f->out[k], what);
        free(got);
    }
    for (uint32_t k = 0; k < VKP_MAX_IN; k++)
        if (f->in[k].count) check_surroundings(&f->in[k], f->op->in[k].name);
}

/* The second run adds: what it leaves must be what was there plus the first run's gradient. */
static void check_backward(fixture *f, double tolerance, const char *title, double *first[VKP_MAX_IN])
{
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        if (!f->d_in[i].count) continue;
        char what[128];
        snprintf(what, sizeof what, "%s, gradient of %s", title, f->op->in[i].name);
        double *got = download(&f->d_in[i]);
        check_surroundings(&f->d_in[i], what);
        if (!first[i]) {
            check_gradient(f, i, got, tolerance, what);
            first[i] = got;
            continue;
        }
        for (uint64_t k = 0; k < f->d_in[i].count; k++) got[k] -= f->d_in[i].values[k];
        compare(got, first[i], NULL, f->d_in[i].count, tolerance + 1e-6, what);
        free(got);
    }
}

static void check_same_bits(fixture *f, vkp_program *program, uint32_t sections)
{
    void *before[VKP_MAX_OUT + VKP_MAX_IN] = {0};
    for (int pass = 0; pass < 2; pass++) {
        if (pass) assert_ok(vkp_program_run(program, 0, sections));
        for (uint32_t k = 0; k < VKP_MAX_OUT + VKP_MAX_IN; k++) {
            const tensor_data *t = k < VKP_MAX_OUT ? &f->out[k] : &f->d_in[k - VKP_MAX_OUT];
            if (!t->count) continue;
            if (!pass) {
                before[k] = malloc(t->buffer.bytes);
                assert_non_null(before[k]);
                memcpy(before[k], t->buffer.mapped, t->buffer.bytes);
            } else {
                assert_memory_equal(before[k], t->buffer.mapped, t->buffer.bytes);
                free(before[k]);
            }
        }
    }
}

static void destroy_tensors(tensor_data *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        vkp_buffer_destroy(test_device, &list[i].buffer);
        free(list[i].values);
    }
}

static void write_program(fixture *f)
{
    vkp_program_label(f->program, f->op->name);
    assert_ok(f->op->forward(f->program, &f->node));
    if (f->op->backward) assert_ok(f->op->backward(f->program, &f->node));
}

/* The same tensors under a program of its own, since ids are a program's. */
static vkp_program *new_program(fixture *f)
{
    vkp_program *program;
    tensor_data *groups[] = {f->in, f->out, f->d_in, f->d_out};
    vkp_tensor *places[] = {f->node.in, f->node.out, f->node.d_in, f->node.d_out};
    const uint32_t sizes[] = {VKP_MAX_IN, VKP_MAX_OUT, VKP_MAX_IN, VKP_MAX_OUT};
    assert_ok(vkp_program_create(test_device, &program));
    for (int g = 0; g < 4; g++)
        for (uint32_t i = 0; i < sizes[g]; i++)
            if (groups[g][i].count)
                assert_ok(vkp_program_external(program, &groups[g][i].buffer, 0, groups[g][i].buffer.bytes,
                                               "again", &places[g][i].buffer));
    return program;
}

#define UNTOUCHED 777.0f

static void mark_untouched(const tensor_data *t)
{
    for (uint64_t k = 0; k < t->count; k++) floats(t)[place_of(t, k)] = UNTOUCHED;
}

/* The last `unit` of `all` pictures must be `want`'s, the others as they were marked. */
static void check_last(const tensor_data *t, const double *want, uint32_t unit, double tolerance,
                       const char *what)
{
    const uint32_t all = t->layout.shape.n;
    const uint64_t part = t->count / all * unit, begin = t->count - part;
    double *got = download(t);
    compare(got + begin, want + begin, NULL, part, tolerance, what);
    for (uint64_t k = 0; k < begin; k++)
        if (got[k] != (double)UNTOUCHED) fail_msg("%s: a picture that was cut away was written", what);
    check_surroundings(t, what);
    free(got);
}

/* Cut to the last pictures that can be had alone, the node must compute of those what it computes of all. */
static void check_pictures(fixture *f, double tolerance, const char *title,
                           double *const gradients[VKP_MAX_IN])
{
    const uint32_t all = f->node.out[0].shape.n, unit = vkp_node_unit(&f->node);
    if (unit >= all) return;
    vkp_program *program = new_program(f);
    vkp_arena arena = {0};
    vkp_node cut = vkp_node_pictures(&f->node, all - unit, unit);
    char what[128];
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++)
        if (f->d_out[i].count) cut.d_out[i] = vkp_tensor_pictures(&f->node.d_out[i], all - unit, unit);
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        const bool activation = f->op->in[i].role == VKP_ACTIVATION && f->d_in[i].count;
        cut.d_in[i] = activation ? vkp_tensor_pictures(&f->node.d_in[i], all - unit, unit) : (vkp_tensor){0};
        cut.add[i] = false;
        if (activation) mark_untouched(&f->d_in[i]);
    }
    mark_untouched(&f->out[0]);
    assert_ok(f->op->forward(program, &cut));
    if (f->op->backward) assert_ok(f->op->backward(program, &cut));
    assert_ok(vkp_program_build(program, &arena));
    assert_ok(vkp_program_run(program, 0, 1));
    snprintf(what, sizeof what, "%s, last pictures alone", title);
    check_last(&f->out[0], f->out[0].values, unit, tolerance, what);
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        if (cut.d_in[i].buffer) check_last(&f->d_in[i], gradients[i], unit, 4 * tolerance, what);
    vkp_program_destroy(program);
    vkp_arena_destroy(test_device, &arena);
}

/* Whether the variant that VKPIX_VARIANT names is taken for this node, forward or backward; without one, yes. */
static bool is_concerned(const vkp_node *node)
{
    const char *forced = getenv("VKPIX_VARIANT"), *equals = forced ? strchr(forced, '=') : NULL;
    if (!equals) return true;
    for (size_t i = 0; i < node->op->variants_count; i++) {
        const vkp_variant *v = vkp_variant_named(&node->op->variants[i], equals + 1);
        if (v && v->fits(test_device, node)) return true;
    }
    return false;
}

static void destroy_fixture(fixture *f)
{
    vkp_program_destroy(f->program);
    destroy_tensors(f->in, VKP_MAX_IN);
    destroy_tensors(f->out, VKP_MAX_OUT);
    destroy_tensors(f->d_in, VKP_MAX_IN);
    destroy_tensors(f->d_out, VKP_MAX_OUT);
}

/* False: nothing was checked, since the variant that is forced has no part in the case. */
static bool check_case(const vkp_op *op, const vkp_case *c, uint32_t number)
{
    /* Both factors of a product may be rounded. */
    const double own = op->tolerance > 0 ? op->tolerance : 2e-6;
    const bool half = test_device->info.limits.half;
    const double tolerance = half ? fmax(own, 2 * HALF_ROUNDING) : own;
    /* A rounded result may lie on the other side of an activation's kink, where the gradient is another one.
     * Such a gradient is held to its size alone; it is made by what the cases without activation test. */
    const bool kinks = half && c->attr.activation != VKP_LINEAR;
    const double gradient_tolerance = kinks ? 0.5 : 4 * tolerance;
    char title[96];
    snprintf(title, sizeof title, "%s case %u", op->name, number);
    random_state = 12345 + number;
    fixture f = {.op = op, .c = c, .node = {.op = op, .attr = c->attr}};
    vkp_arena arena = {0};
    vkp_program *adding = NULL;
    assert_ok(vkp_program_create(test_device, &f.program));
    make_inputs(&f);
    make_outputs(&f);
    if (!is_concerned(&f.node)) {
        destroy_fixture(&f);
        return false;
    }
    write_program(&f);
    assert_ok(vkp_program_build(f.program, &arena));
    assert_ok(vkp_program_run(f.program, 0, 1));
    check_forward(&f, tolerance, title);
    double *first[VKP_MAX_IN] = {0};
    if (op->backward) check_backward(&f, gradient_tolerance, title, first);
    check_same_bits(&f, f.program, 1);

    if (op->backward) {
        for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
            /* As large as what is added to it: the sum's rounding then is no more than the gradient's own. */
            double size = 0;
            for (uint64_t k = 0; k < f.d_in[i].count; k++) size = fmax(size, fabs(first[i][k]));
            for (uint64_t k = 0; k < f.d_in[i].count; k++) f.d_in[i].values[k] = random_value(-size, size);
            if (f.d_in[i].count) upload(&f.d_in[i]);
        }
        adding = new_program(&f);
        for (uint32_t i = 0; i < VKP_MAX_IN; i++) f.node.add[i] = true;
        assert_ok(op->forward(adding, &f.node));
        assert_ok(op->backward(adding, &f.node));
        assert_ok(vkp_program_build(adding, &arena));
        assert_ok(vkp_program_run(adding, 0, 1));
        check_backward(&f, gradient_tolerance, title, first);
    }
    check_pictures(&f, tolerance, title, first);
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) free(first[i]);
    vkp_program_destroy(adding);
    destroy_fixture(&f);
    vkp_arena_destroy(test_device, &arena);
    return true;
}

static void check_op(void **state)
{
    const vkp_op *op = *state;
    /* An operation without a gradient has a reason: nothing it reads is differentiable in use. */
    assert_true(op->case_count > 0 && op->reference && op->forward && op->summary);
    size_t checked = 0;
    for (size_t i = 0; i < op->case_count; i++)
        if (!op->cases[i].large) checked += check_case(op, &op->cases[i], (uint32_t)i);
    assert_true(checked > 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[128];
    size_t count = 0;
    for (size_t i = 0; i < vkp_op_count && count < sizeof tests / sizeof *tests; i++) {
        if (argc > 1 && strcmp(argv[1], vkp_ops[i]->name) != 0) continue;
        tests[count++] = (struct CMUnitTest){vkp_ops[i]->name, check_op, NULL, NULL, (void *)vkp_ops[i]};
    }
    if (!count) {
        fprintf(stderr, "no operation %s\n", argc > 1 ? argv[1] : "");
        return 1;
    }
    return _cmocka_run_group_tests("operations", tests, count, open_test_device, close_test_device);
}
