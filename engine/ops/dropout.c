/* dropout: y = x / (1 - p) where it is kept and 0 elsewhere (torch.nn.Dropout in training); p = attr.scale is
 * the share that is dropped. Not for evaluation: leave the node out there.
 *
 * The input `state` (1,1,1,4) is four 32-bit words, whatever floats their bits are: word 0 the run's seed,
 * word 1 the step's number, word 2 the operation's place in the network, word 3 zero or a further number. To
 * change one is to change the whole mask. The backward pass makes the same mask from the same words: they
 * stay until it has run. Element i of x, counted densely in the order n, c, h, w, is kept when
 * vkp_random_float(seed, stream, i) >= p (base/random.h), with seed = word 0 | word 1 << 32 and
 * stream = word 2 | word 3 << 32. It does not depend on memory layout, device, or cuts into dispatches. */
#include <string.h>

#include "base/random.h"
#include "ops/op.h"
#include "ops/walk.h"

enum { X, STATE, Y = 0 };

#define WORDS 4
#define EACH 4 /* quadruples for an invocation: ten rounds of Philox each */

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape, state = node->in[STATE].shape;
    char xt[48], st[48];
    if (vkp_shape_count(state) != WORDS)
        return vkp_fail(VKP_SHAPE, "dropout of %s with state %s is not possible (it takes four words; check "
                        "the sizes)", vkp_shape_text(x, xt), vkp_shape_text(state, st));
    if (!(node->attr.scale >= 0 && node->attr.scale <= 1))
        return vkp_fail(VKP_SHAPE, "dropout of %s by %g is not possible (a share is from 0 to 1; check it)",
                        vkp_shape_text(x, xt), (double)node->attr.scale);
    if (vkp_shape_count(x) > UINT32_MAX)
        return vkp_fail(VKP_SHAPE, "dropout of %s is not possible (it counts elements in 32 bits; take a "
                        "smaller batch)", vkp_shape_text(x, xt));
    out[Y] = x;
    return VKP_OK;
}

static float gain(float p) { return p < 1 ? 1 / (1 - p) : 0; }

/* Both directions: `from` is x or dy. */
static vkp_status record(vkp_program *p, const vkp_node *node, const vkp_tensor *to, const vkp_tensor *from,
                         bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_tensor t = vkp_walk_one_plane(to), f = vkp_walk_one_plane(from);
    const vkp_walk walk = vkp_walk_of(&t, EACH);
    const uint32_t chunk = vkp_walk_pictures(device, (const vkp_tensor *const[]){&t, &f}, 2);
    for (uint32_t n = 0; n < t.shape.n; n += chunk) {
        const uint32_t count = chunk < t.shape.n - n ? chunk : t.shape.n - n;
        const vkp_tensor ts = vkp_tensor_pictures(&t, n, count), fs = vkp_tensor_pictures(&f, n, count);
        vkp_dispatch d = {.shader = VKP_SHADER_dropout, .groups = {walk.groups, 1, count},
                          .spec = {add}, .spec_count = 1};
        vkp_bind_quads(device, &d, &ts, add ? VKP_READ_WRITE : VKP_WRITE, false);
        vkp_bind_quads(device, &d, &fs, VKP_READ, false);
        vkp_bind(device, &d, &node->in[STATE], VKP_READ);
        vkp_push_walk(&d, &t, walk);
        vkp_push(&d, n);
        vkp_push(&d, t.shape.h);
        vkp_push_float(&d, node->attr.scale);
        vkp_push_float(&d, gain(node->attr.scale));
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return record(p, node, &node->out[Y], &node->in[X], false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    if (!node->d_in[X].buffer) return VKP_OK;
    return record(p, node, &node->d_in[X], &node->d_out[Y], node->add[X]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    uint32_t words[WORDS];
    for (int i = 0; i < WORDS; i++) {
        const float number = (float)in[STATE][i];
        memcpy(&words[i], &number, sizeof number);
    }
    const uint64_t seed = words[0] | (uint64_t)words[1] << 32, stream = words[2] | (uint64_t)words[3] << 32;
    const double p = (double)node->attr.scale, kept = p < 1 ? 1 / (1 - p) : 0;
    for (uint64_t i = 0; i < vkp_shape_count(node->in[X].shape); i++)
        out[Y][i] = (double)vkp_random_float(seed, stream, i) < p ? 0 : in[X][i] * kept;
}

/* attr.mode tells the cases' words apart. */
static bool fill(const vkp_node *node, uint32_t i, float *values)
{
    const uint32_t mode = node->attr.mode, words[WORDS] = {0x9e3779b9u + mode, 1 + 1000 * mode, mode, 0};
    if (i == STATE) memcpy(values, words, sizeof words);
    return i == STATE;
}

#define DROP(n, c, h, w, p, number) \
    .in = {{n, c, h, w}, {1, 1, 1, WORDS}}, .attr = {.scale = (p), .mode = (number)}
static const vkp_case cases[] = {
    {DROP(1, 1, 1, 1, 0.5f, 0)},
    {DROP(2, 5, 1, 1, 0.5f, 1)},
    {DROP(3, 3, 7, 5, 0.2f, 2)},
    {DROP(2, 6, 8, 8, 0.5f, 3)},
    {DROP(1, 2, 33, 30, 0.1f, 4)},
    {DROP(2, 67, 3, 6, 0.9f, 5)},
    {DROP(2, 3, 5, 7, 0, 6)},
    {DROP(2, 3, 5, 7, 1, 7)},
    {DROP(16, 192, 8, 8, 0.2f, 8), .large = true},
};

const vkp_op vkp_op_dropout = {
    .name = "dropout",
    .summary = "a share of the elements set to zero by a seed, a step and the place, the others scaled up",
    .in = {{"x", VKP_ACTIVATION}, {"state", VKP_STATE}},
    .out = {{"y", VKP_ACTIVATION}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .fill = fill,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
