#include "ops/plane_sums.h"

#include "ops/walk.h"

#define LANES 64
/* Quadruples of a plane for a workgroup; larger planes go by slices of as many, or more when those were too
 * many for a dispatch. */
#define SLICE 1024u
#define MOST_SLICES 16384u
/* A tree of sums and its barriers cost more than these few quadruples one after the other. */
#define MOST_QUADS_ALONE 64

typedef struct sweep {
    const vkp_tensor *a, *b, *sums, *products;
    float scale;
    bool add;
} sweep;

/* Row s of a plane of the results (n,c,slices,1) is the sum of slice s. */
static vkp_status record_run(vkp_program *p, const sweep *pass, uint32_t slice, uint32_t n, uint32_t count)
{
    const vkp_device *device = vkp_program_device(p);
    const uint64_t quads = vkp_plane(pass->a) / 4;
    const uint32_t channels = pass->a->shape.c;
    const bool alone = quads <= MOST_QUADS_ALONE;
    /* What is not there keeps its binding valid. */
    const vkp_tensor as = vkp_tensor_pictures(pass->a, n, count);
    const vkp_tensor bs = vkp_tensor_pictures(pass->b ? pass->b : pass->a, n, count);
    const vkp_tensor sums = vkp_tensor_pictures(pass->sums, n, count);
    const vkp_tensor products = vkp_tensor_pictures(pass->b ? pass->products : pass->sums, n, count);
    const bool texels = vkp_texels_fit(device, &as, 4) && vkp_texels_fit(device, &bs, 4);
    const vkp_access access = pass->add ? VKP_READ_WRITE : VKP_WRITE;
    vkp_dispatch d = {.shader = texels ? VKP_SHADER_plane_sums_texel : VKP_SHADER_plane_sums,
                      .groups = {vkp_groups(quads, slice), alone ? vkp_groups(channels, LANES) : channels,
                                 count},
                      .spec = {alone, pass->b != NULL, pass->add}, .spec_count = 3};
    vkp_bind_quads(device, &d, &sums, access, false);
    vkp_bind_quads(device, &d, &products, access, false);
    vkp_bind_quads(device, &d, &as, VKP_READ, texels);
    vkp_bind_quads(device, &d, &bs, VKP_READ, texels);
    vkp_push(&d, slice);
    vkp_push(&d, channels);
    vkp_push_float(&d, pass->scale);
    return vkp_program_dispatch(p, &d);
}

static vkp_status record(vkp_program *p, const sweep *pass, uint32_t slice)
{
    const vkp_tensor *const tensors[] = {pass->a, pass->b, pass->sums, pass->products};
    const uint32_t all = pass->a->shape.n, chunk = vkp_walk_pictures(vkp_program_device(p), tensors, 4);
    for (uint32_t n = 0; n < all; n += chunk)
        VKP_TRY(record_run(p, pass, slice, n, all - n < chunk ? all - n : chunk));
    return VKP_OK;
}

vkp_status vkp_plane_sums(vkp_program *p, const vkp_tensor *a, const vkp_tensor *b, float scale,
                          const vkp_tensor *sums, const vkp_tensor *products, bool add)
{
    const uint64_t quads = vkp_plane(a) / 4;
    const uint32_t least = vkp_groups(quads, MOST_SLICES), slice = least > SLICE ? least : SLICE;
    const uint32_t slices = vkp_groups(quads, slice);
    const sweep whole = {a, b, sums, products, scale, add};
    if (slices == 1) return record(p, &whole, slice);
    const vkp_shape shape = {a->shape.n, a->shape.c, slices, 1};
    vkp_tensor parts[2];
    for (int i = 0; i < (b ? 2 : 1); i++)
        VKP_TRY(vkp_tensor_new(p, shape, "partial sums", &parts[i]));
    const sweep first = {a, b, &parts[0], &parts[1], 1, false};
    VKP_TRY(record(p, &first, slice));
    const sweep of_sums = {&parts[0], NULL, sums, NULL, scale, add};
    VKP_TRY(record(p, &of_sums, slices));
    if (!b) return VKP_OK;
    const sweep of_products = {&parts[1], NULL, products, NULL, scale, add};
    return record(p, &of_products, slices);
}
