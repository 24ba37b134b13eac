/* film: feature-wise linear modulation (Perez et al., FiLM: visual reasoning with a general conditioning
 * layer, 2018): y = x * (1 + scale) + shift with a scale and a shift for each picture and channel. In x
 * (n,c,h,w), film (n,2c,1,1), channels 0 to c-1 of which are the scales and c to 2c-1 the shifts. */
#include "ops/op.h"
#include "ops/plane_sums.h"
#include "ops/walk.h"

enum { X, FILM, Y = 0 };

#define EACH 8 /* quadruples for an invocation */

static vkp_status shape(const vkp_node *node, vkp_shape out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape, film = node->in[FILM].shape;
    char xt[48], ft[48];
    if (x.c > INT32_MAX || !vkp_shape_equal(film, (vkp_shape){x.n, 2 * x.c, 1, 1}))
        return vkp_fail(VKP_SHAPE, "film of %s by %s is not possible (a scale and a shift for each channel "
                        "are needed; check the sizes)", vkp_shape_text(x, xt), vkp_shape_text(film, ft));
    out[Y] = x;
    return VKP_OK;
}

/* to = from * (1 + scale), and, with `shift`, shifted. */
static vkp_status record(vkp_program *p, const vkp_tensor *to, const vkp_tensor *from, const vkp_tensor *film,
                         bool shift, bool add)
{
    const vkp_device *device = vkp_program_device(p);
    const vkp_walk walk = vkp_walk_of(to, EACH);
    const uint32_t chunk = vkp_walk_pictures(device, (const vkp_tensor *const[]){to, from, film}, 3);
    for (uint32_t n = 0; n < to->shape.n; n += chunk) {
        const uint32_t count = chunk < to->shape.n - n ? chunk : to->shape.n - n;
        const vkp_tensor tos = vkp_tensor_pictures(to, n, count), froms = vkp_tensor_pictures(from, n, count);
        const vkp_tensor films = vkp_tensor_pictures(film, n, count);
        const bool texels = vkp_texels_fit(device, &froms, 4);
        vkp_dispatch d = {.shader = texels ? VKP_SHADER_film_texel : VKP_SHADER_film,
                          .groups = {walk.groups, to->shape.c, count},
                          .spec = {shift, vkp_has_padding(to), add}, .spec_count = 3};
        vkp_bind_quads(device, &d, &tos, add ? VKP_READ_WRITE : VKP_WRITE, false);
        vkp_bind_quads(device, &d, &froms, VKP_READ, texels);
        vkp_bind(device, &d, &films, VKP_READ);
        vkp_push_walk(&d, to, walk);
        vkp_push(&d, to->shape.c);
        VKP_TRY(vkp_program_dispatch(p, &d));
    }
    return VKP_OK;
}

static vkp_status forward(vkp_program *p, const vkp_node *node)
{
    return record(p, &node->out[Y], &node->in[X], &node->in[FILM], true, false);
}

static vkp_status backward(vkp_program *p, const vkp_node *node)
{
    const vkp_tensor *dy = &node->d_out[Y], *x = &node->in[X];
    if (node->d_in[FILM].buffer) {
        const vkp_tensor d_scale = vkp_tensor_channels(&node->d_in[FILM], 0, x->shape.c);
        const vkp_tensor d_shift = vkp_tensor_channels(&node->d_in[FILM], x->shape.c, x->shape.c);
        VKP_TRY(vkp_plane_sums(p, dy, x, 1, &d_shift, &d_scale, node->add[FILM]));
    }
    if (!node->d_in[X].buffer) return VKP_OK;
    return record(p, &node->d_in[X], dy, &node->in[FILM], false, node->add[X]);
}

static void reference(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT])
{
    const vkp_shape x = node->in[X].shape;
    const uint64_t plane = (uint64_t)x.h * x.w;
    for (uint32_t n = 0; n < x.n; n++)
        for (uint32_t c = 0; c < x.c; c++) {
            const double *film = in[FILM] + (size_t)n * 2 * x.c;
            const uint64_t first = ((uint64_t)n * x.c + c) * plane;
            for (uint64_t i = first; i < first + plane; i++)
                out[Y][i] = in[X][i] * (1 + film[c]) + film[x.c + c];
        }
}

#define MODULATE(n, c, h, w) .in = {{n, c, h, w}, {n, 2 * (c), 1, 1}}
static const vkp_case cases[] = {
    {MODULATE(1, 1, 1, 1)},
    {MODULATE(2, 5, 1, 1)},
    {MODULATE(3, 3, 7, 5)},
    {MODULATE(2, 67, 3, 2)},
    {MODULATE(1, 6, 16, 16)},
    {MODULATE(2, 3, 17, 19)},
    {MODULATE(2, 2, 65, 67)},
    {MODULATE(2, 1, 260, 510)}, /* more than a texel buffer must hold */
    {MODULATE(16, 192, 8, 8), .large = true},
};

const vkp_op vkp_op_film = {
    .name = "film",
    .summary = "feature-wise linear modulation: channels scaled and shifted by each picture's own numbers",
    .in = {{"x", VKP_ACTIVATION}, {"film", VKP_ACTIVATION}},
    .out = {{"y", VKP_ACTIVATION}},
    .pictures = VKP_PICTURES_APART,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .reference = reference,
    .cases = cases,
    .case_count = sizeof cases / sizeof *cases,
};
