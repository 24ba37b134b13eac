#include "ops/conv2d_pack.h"

#include "ops/activation.h"
#include "ops/norm.h"

/* Bytes of what is prepared at once, by runs of pictures, so that memory does not grow with the batch. */
#define MOST_PREPARED ((uint64_t)32 << 20)

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static vkp_conv_pass make_pass(const vkp_node *node, bool input_grad)
{
    vkp_conv_pass pass = {.to = node->out[VKP_CONV_Y], .from = node->in[VKP_CONV_X],
                          .weight = node->in[VKP_CONV_WEIGHT], .bias = node->in[VKP_CONV_BIAS],
                          .activation = node->attr, .statistics = node->attr.statistics,
                          .kernel = node->attr.kernel,
                          .upsample = vkp_conv_upsample(node)};
    if (!input_grad) return pass;
    pass.to = node->d_in[VKP_CONV_X];
    pass.from = node->d_out[VKP_CONV_Y];
    pass.bias = (vkp_tensor){0};
    pass.statistics = false;
    pass.activation = (vkp_attr){.activation = VKP_LINEAR};
    pass.input_grad = true;
    pass.add = node->add[VKP_CONV_X];
    return pass;
}

void vkp_conv_order_taps(vkp_conv_order *order, uint32_t kernel, bool turned)
{
    order->taps = order->row_taps = kernel;
    order->first = 0;
    for (uint32_t i = 0; i < kernel; i++) order->first |= (turned ? kernel - 1 - i : i) << 4 * i;
    order->last = order->first;
}

static vkp_shape packed_shape(const vkp_conv_pass *pass, const vkp_conv_order *order)
{
    const uint32_t blocks = vkp_groups(pass->to.shape.c, order->lanes * order->channels);
    return (vkp_shape){blocks, 1, pass->from.shape.c + 1, order->record};
}

/* Pictures of `from` that one binding may read. */
static uint32_t readable_pictures(const vkp_device *device, const vkp_tensor *from, bool storage)
{
    if (storage) return vkp_pictures_per_binding(device, (const vkp_tensor *const[]){from}, 1);
    uint32_t count = 0;
    while (count < from->shape.n) {
        const vkp_tensor more = vkp_tensor_pictures(from, 0, count + 1);
        if (!vkp_texels_fit(device, &more, 4)) break;
        count++;
    }
    return count;
}

/* Adds a scratch tensor and the dispatch that packs the weights into it. */
static vkp_status pack(vkp_program *program, const vkp_conv_pass *pass, const vkp_conv_order *order,
                       vkp_tensor *packed)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_shape shape = packed_shape(pass, order);
    const uint32_t taps = pass->kernel * pass->kernel;
    const uint32_t to = pass->to.shape.c, from = pass->from.shape.c;
    const bool bias = pass->bias.buffer != 0;
    VKP_TRY(vkp_tensor_new_packed(program, shape, "packed weights", packed));
    const uint32_t padded = shape.n * order->lanes * order->channels;
    vkp_dispatch d = {.shader = VKP_SHADER_conv2d_pack, .groups = {vkp_groups(padded, 64), from + 1, 1}};
    const uint32_t spec[] = {bias, pass->kernel, order->lanes, order->channels, order->unit, order->taps,
                             order->row_taps, order->record, order->first, order->last};
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d.spec[d.spec_count++] = spec[i];
    vkp_bind(device, &d, packed, VKP_WRITE);
    vkp_bind(device, &d, &pass->weight, VKP_READ);
    vkp_bind(device, &d, bias ? &pass->bias : &pass->weight, VKP_READ);
    /* The weight is (co,ci,k,k) and a gradient goes from co to ci. */
    vkp_push(&d, to);
    vkp_push(&d, from);
    vkp_push(&d, pass->input_grad ? taps : from * taps);
    vkp_push(&d, pass->input_grad ? to * taps : taps);
    vkp_push(&d, shape.n);
    return vkp_program_prepare(program, &d);
}

/* Binds a tensor with offset and strides in quadruples of floats. */
static void bind_quads(const vkp_device *device, vkp_dispatch *d, const vkp_tensor *t, vkp_access access,
                       bool storage)
{
    if (!storage) {
        vkp_bind_texels(device, d, t, VK_FORMAT_R32G32B32A32_SFLOAT, 4);
        return;
    }
    vkp_bind(device, d, t, access);
    for (uint32_t i = 1; i <= 4; i++) d->push[d->push_words - i] /= 4;
}

/* Adds the kernel's dispatch over all pictures of the pass. parts->buffer 0: no moments are made. */
static vkp_status dispatch(vkp_program *program, const vkp_conv_pass *pass, const vkp_conv_kernel *kernel,
                           const vkp_tensor *packed, const vkp_tensor *parts, bool storage)
{
    const vkp_device *device = vkp_program_device(program);
    const vkp_tensor *to = &pass->to, *from = &pass->from;
    const uint32_t lanes = device->info.limits.subgroup_size, count = to->shape.n;
    vkp_dispatch d = {.shader = storage ? kernel->storage_shader : kernel->shader,
                      .subgroup_size = lanes, .flop = kernel->flop * count,
                      .groups = {kernel->groups[0], kernel->groups[1], kernel->groups[2] * count}};
    d.spec[d.spec_count++] = lanes;
    for (uint32_t i = 0; i < kernel->spec_count; i++) d.spec[d.spec_count++] = kernel->spec[i];
    d.spec_count = VKP_CONV_ACTIVATION;
    vkp_activation_spec(&d, &pass->activation);
    d.spec[d.spec_count++] = parts->buffer != 0;
    bind_quads(device, &d, to, pass->add ? VKP_READ_WRITE : VKP_WRITE, true);
    bind_quads(device, &d, from, VKP_READ, storage);
    bind_quads(device, &d, packed, VKP_READ, storage);
    /* Where no moments are made the weights keep their binding valid. */
    bind_quads(device, &d, parts->buffer ? parts : packed, parts->buffer ? VKP_WRITE : VKP_READ, true);
    const uint32_t words[] = {from->shape.c, from->shape.h, to->shape.c, to->shape.h,
                              to->shape.w, packed->shape.n, kernel->groups[0]};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) vkp_push(&d, words[i]);
    return vkp_program_dispatch(program, &d);
}

/* Pictures that one dispatch may take of what is prepared for the kernel; 0: not even one. */
static uint32_t prepared_pictures(const vkp_device *device, const vkp_conv_pass *pass,
                                  const vkp_conv_plan *plan, bool storage)
{
    vkp_shape all = plan->prepared;
    const uint64_t bytes = vkp_shape_count(all) * sizeof(float), range = device->info.limits.storage_range;
    const uint64_t room = MOST_PREPARED / bytes ? MOST_PREPARED / bytes : 1;
    all.n = least(pass->from.shape.n, room < range / bytes ? (uint32_t)room : (uint32_t)(range / bytes));
    const vkp_tensor prepared = vkp_tensor_packed(0, all);
    return all.n ? readable_pictures(device, &prepared, storage) : 0;
}

/* Adds the dispatches over all pictures, in runs of as many as bindings and grids allow. */
static vkp_status dispatch_all(vkp_program *program, const vkp_conv_pass *pass, const vkp_conv_plan *plan,
                               const vkp_tensor *packed, const vkp_tensor *parts, bool storage)
{
    const vkp_device *device = vkp_program_device(program);
    uint32_t chunk = vkp_pictures_per_binding(device, (const vkp_tensor *const[]){&pass->to}, 1);
    chunk = least(least(chunk, pass->to.shape.n), readable_pictures(device, &pass->from, storage));
    chunk = least(chunk, device->info.limits.group_count[2] / plan->kernel.groups[2]);
    vkp_tensor prepared = {0};
    if (plan->prepare) {
        vkp_shape shape = plan->prepared;
        shape.n = chunk = least(chunk, prepared_pictures(device, pass, plan, storage));
        VKP_TRY(vkp_tensor_new_packed(program, shape, "prepared input", &prepared));
    }
    for (uint32_t n = 0; n < pass->to.shape.n; n += chunk) {
        vkp_conv_pass run = *pass;
        const uint32_t count = least(chunk, pass->to.shape.n - n);
        run.to = vkp_tensor_pictures(&pass->to, n, count);
        run.from = vkp_tensor_pictures(&pass->from, n, count);
        if (plan->prepare) {
            const vkp_tensor made = vkp_tensor_pictures(&prepared, 0, count);
            VKP_TRY(plan->prepare(program, &run, storage, &made));
            run.from = made;
        }
        const vkp_tensor run_parts = vkp_tensor_pictures(parts, n, count);
        VKP_TRY(dispatch(program, &run, &plan->kernel, packed, &run_parts, storage));
    }
    return VKP_OK;
}

/* Whether one picture and the packed weights can be read, and the grid has room for one picture. */
static bool plan_fits(const vkp_device *device, const vkp_conv_pass *pass, const vkp_conv_plan *plan,
                      bool storage)
{
    const vkp_limits *l = &device->info.limits;
    const vkp_tensor packed = vkp_tensor_packed(0, packed_shape(pass, &plan->order));
    if (packed.shape.h > l->group_count[1]) return false;
    for (uint32_t axis = 0; axis < 3; axis++)
        if (plan->kernel.groups[axis] > l->group_count[axis]) return false;
    if (plan->prepare && !prepared_pictures(device, pass, plan, storage)) return false;
    if (storage) return vkp_extent(&packed) * sizeof(float) <= l->storage_range;
    return vkp_texels_fit(device, &packed, 4) && readable_pictures(device, &pass->from, false) > 0;
}

bool vkp_conv_fits(const vkp_device *device, const vkp_node *node, bool input_grad, bool storage,
                   vkp_conv_method *method)
{
    const vkp_limits *l = &device->info.limits;
    const vkp_attr *a = &node->attr;
    if (!l->shuffle || l->subgroup_size > l->group_size[0] || a->stride != 1 || a->kernel % 2 != 1 ||
        a->kernel > 5 || a->padding != a->kernel / 2)
        return false;
    const vkp_conv_pass pass = make_pass(node, input_grad);
    vkp_conv_plan plan = {.order = {.lanes = l->subgroup_size}};
    return method(l->subgroup_size, &pass, &plan) && plan_fits(device, &pass, &plan, storage);
}

vkp_status vkp_conv_record(vkp_program *program, const vkp_node *node, bool input_grad, bool storage,
                           vkp_conv_method *method)
{
    const uint32_t lanes = vkp_program_device(program)->info.limits.subgroup_size;
    const vkp_conv_pass pass = make_pass(node, input_grad);
    vkp_conv_plan plan = {.order = {.lanes = lanes}};
    if (!method(lanes, &pass, &plan))
        return vkp_fail(VKP_INTERNAL, "a convolution is recorded where it does not fit (a mistake in vkpix; "
                                      "report it)");
    vkp_tensor packed, parts = {0};
    VKP_TRY(pack(program, &pass, &plan.order, &packed));
    const bool moments = pass.statistics && plan.moments;
    const uint32_t *groups = plan.kernel.groups;
    const vkp_shape pieces = {pass.to.shape.n, pass.to.shape.c, groups[0] * groups[1], 4};
    if (moments) VKP_TRY(vkp_tensor_new_packed(program, pieces, "moments of tiles", &parts));
    VKP_TRY(dispatch_all(program, &pass, &plan, &packed, &parts, storage));
    if (moments) return vkp_norm_merge(program, &parts, vkp_conv_pictures(node), &node->out[VKP_CONV_STATS]);
    return pass.statistics ? vkp_conv_statistics(program, node) : VKP_OK;
}

double vkp_conv_cost(uint32_t lanes, double products, double spreads, double fetches, double sums)
{
    const double loop = 2.65 * products + 2 * spreads + 12 * fetches + 3 * sums;
    const double called = 7.0 * lanes * fetches;
    /* Where the loop outgrows a processor's instruction cache it runs slower by about two fifths. */
    const double over = (loop - 4000) / 1000;
    return (loop + called) * (1 + 0.4 * (over < 0 ? 0 : over > 1 ? 1 : over));
}

vkp_conv_tile vkp_conv_choose_tile(const vkp_conv_pass *pass, uint32_t lanes, uint32_t h, uint32_t w,
                                   vkp_conv_tile_cost *cost)
{
    vkp_conv_tile best = {1, 4, 1};
    double best_cost = 0;
    for (uint32_t channels = 1; channels <= 4; channels *= 2)
        for (uint32_t high = 1; high <= 8; high++)
            for (uint32_t wide = 4; wide <= 32; wide += 4) {
                const vkp_conv_tile tile = {channels, wide, high};
                const double groups = (double)vkp_groups(pass->to.shape.c, lanes * channels) *
                                      vkp_groups(h, high) * vkp_groups(w, wide);
                const double all = groups * cost(pass, lanes, tile);
                if (all <= 0 || (best_cost > 0 && all >= best_cost)) continue;
                best_cost = all;
                best = tile;
            }
    return best;
}
