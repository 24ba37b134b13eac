/* resample: each output pixel from two rows and two columns of the input, by tables: bilinear resizing, wrap
 * padding, black padding, crop and flip are all this gather and differ in the tables (engine/image/fit.h). */
#include "ops/op.h"
#include "ops/planes.h"

#include <math.h>
#include <string.h>

/* In x (n,c,h,w); rows (1,1,oh,3) and cols (1,1,ow,3), a triple (i0,i1,w) for each output row or column: the
 * value (1-w)*x[i0] + w*x[i1], where index -1 stands for zero. Out y (n,c,oh,ow). */
enum { X, ROWS, COLS, Y = 0 };

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape, r = node->in[ROWS].shape, c = node->in[COLS].shape;
    char rt[48], ct[48];
    if (r.n * r.c * r.w != 3 || c.n * c.c * c.w != 3 || r.w != 3 || c.w != 3 || !r.h || !c.h)
        return vkp_fail(VKP_SHAPE, "resample by tables %s and %s is not possible (three numbers for each row "
                        "and each column are needed; check the sizes)",
                        vkp_shape_text(r, rt), vkp_shape_text(c, ct));
    out[Y] = (vkp_shape){x.n, x.c, r.h, c.h};
    return VKP_OK;
}

static vkp_status record(vkp_program *p, const vkp_node *node, vkp_planes planes)
{
    const vkp_shape x = node->in[X].shape, y = node->out[Y].shape;
    const uint32_t words[] = {x.c, x.h, x.w, y.h, y.w};
    memcpy(planes.words, words, sizeof words);
    planes.word_count = 5;
    planes.tensors[2] = &node->in[ROWS];
    planes.tensors[3] = &node->in[COLS];
    planes.tensor_count = 4;
    return vkp_planes_record(p, &planes);
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return record(p, node, (vkp_planes){.shader = VKP_SHADER_resample_forward, .tall = 32,
                                        .tensors = {&node->out[Y], &node->in[X]}});
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    return record(p, node, (vkp_planes){.shader = VKP_SHADER_resample_input_grad, .tall = 8,
                                        .tensors = {&node->d_in[X], &node->d_out[Y]}, .add = node->add[X]});
}

static double sample(const double *plane, uint32_t w, double i, double j)
{
    return i < 0 || j < 0 ? 0 : plane[(size_t)i * w + (size_t)j];
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape, y = node->out[Y].shape;
    double *result = out[Y];
    for (uint32_t k = 0; k < y.n * y.c; k++) {
        const double *plane = in[X] + (size_t)k * x.h * x.w;
        for (uint32_t i = 0; i < y.h; i++)
            for (uint32_t j = 0; j < y.w; j++) {
                const double *r = in[ROWS] + 3 * (size_t)i, *c = in[COLS] + 3 * (size_t)j;
                *result++ = (1 - r[2]) * (1 - c[2]) * sample(plane, x.w, r[0], c[0]) +
                            (1 - r[2]) * c[2] * sample(plane, x.w, r[0], c[1]) +
                            r[2] * (1 - c[2]) * sample(plane, x.w, r[1], c[0]) +
                            r[2] * c[2] * sample(plane, x.w, r[1], c[1]);
            }
    }
}

/* What a case's tables do (attr.mode; the operation itself does not read it). */
enum { RESIZE, FLIP, WRAP, BLACK, CROP };

/* The triple of output k of `out` from n inputs. */
static void make_tap(uint32_t mode, int k, int out, int n, float tap[3])
{
    if (mode == RESIZE || mode == FLIP) {
        const double from = mode == FLIP ? out - 1 - k : k;
        const double place = fmin(fmax((from + 0.5) * n / out - 0.5, 0), n - 1);
        tap[0] = (float)floor(place);
        tap[1] = (float)fmin(floor(place) + 1, n - 1);
        tap[2] = (float)(place - floor(place));
        return;
    }
    const int first = k + (n - out) / 2, second = first + 1;
    tap[0] = (float)first;
    tap[1] = (float)second;
    tap[2] = mode == CROP ? 0 : 0.375f;
    for (int i = 0; i < 2; i++) {
        if (tap[i] >= 0 && tap[i] < (float)n) continue;
        const int index = i ? second : first;
        tap[i] = mode == WRAP ? (float)((index % n + n) % n) : mode == CROP ? (float)(n - 1) : -1;
    }
}

static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    if (i == X) return false;
    const int out = (int)node->in[i].shape.h;
    const int n = (int)(i == ROWS ? node->in[X].shape.h : node->in[X].shape.w);
    for (int k = 0; k < out; k++) make_tap(node->attr.mode, k, out, n, values + 3 * k);
    return true;
}

#define TABLES(oh, ow) {1, 1, oh, 3}, {1, 1, ow, 3}
#define RESAMPLE(n, c, h, w, oh, ow, how) {.in = {{n, c, h, w}, TABLES(oh, ow)}, .attr = {.mode = (how)}}
static const vkp_case cases[] = {
    RESAMPLE(1, 1, 1, 1, 1, 1, RESIZE),
    RESAMPLE(1, 1, 1, 1, 5, 7, RESIZE),
    RESAMPLE(1, 2, 9, 13, 1, 1, RESIZE),
    RESAMPLE(2, 3, 5, 7, 16, 16, RESIZE),
    RESAMPLE(1, 3, 37, 53, 7, 5, RESIZE),
    RESAMPLE(2, 1, 33, 35, 34, 36, RESIZE),
    RESAMPLE(1, 2, 7, 10, 7, 10, FLIP),
    RESAMPLE(1, 3, 20, 11, 33, 41, FLIP),
    RESAMPLE(1, 2, 3, 5, 17, 19, WRAP),
    RESAMPLE(2, 1, 1, 2, 9, 13, WRAP),
    RESAMPLE(1, 3, 4, 8, 11, 14, BLACK),
    RESAMPLE(1, 2, 11, 8, 13, 33, BLACK),
    RESAMPLE(1, 2, 13, 17, 5, 6, CROP),
    RESAMPLE(3, 2, 40, 9, 33, 3, CROP),
    {.in = {{32, 3, 480, 640}, TABLES(320, 320)}, .attr = {.mode = RESIZE}, .large = true},
};

const vkp_op vkp_op_resample = {
    .name = "resample",
    .summary = "gather of two rows and columns by tables: bilinear resize, wrap or black padding, crop, flip",
    .in = {{"x", VKP_ACTIVATION}, {"rows", VKP_STATE}, {"cols", VKP_STATE}},
    .out = {{"y", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
