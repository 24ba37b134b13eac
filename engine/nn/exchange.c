#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/step_parts.h"

static uint32_t aligned(uint32_t floats) { return (floats + 63) & ~63u; }

uint32_t vkp_at_errors(const vkp_exchange *x)
{
    (void)x;
    return VKP_AT_PICTURES;
}
uint32_t vkp_at_valid(const vkp_exchange *x) { return vkp_at_errors(x) + aligned(x->batch); }
uint32_t vkp_at_blur(const vkp_exchange *x) { return vkp_at_valid(x) + aligned(4 * x->batch); }

vkp_status vkp_exchange_create(vkp_device *device, vkp_graph *graph, uint32_t batch, vkp_exchange *out)
{
    *out = (vkp_exchange){.graph = graph, .batch = batch};
    const uint64_t bytes = ((uint64_t)vkp_at_blur(out) + aligned(9 * batch)) * sizeof(float);
    VKP_TRY(vkp_buffer_create(device, bytes, VKP_MEMORY_HOST, "exchange", &out->buffer));
    VKP_TRY(vkp_buffer_clear(device, &out->buffer));
    vkp_exchange_floats(out)[VKP_AT_SEED] = 1;
    return vkp_program_external(vkp_graph_program(graph), &out->buffer, 0, bytes, "exchange", &out->id);
}

vkp_tensor vkp_exchange_tensor(const vkp_exchange *x, uint32_t place, vkp_shape shape)
{
    vkp_tensor t = vkp_tensor_packed(x->id, shape);
    t.offset = place;
    return t;
}

vkp_status vkp_exchange_value(const vkp_exchange *x, uint32_t place, vkp_shape shape, const char *name,
                              vkp_value *out)
{
    const vkp_tensor t = vkp_exchange_tensor(x, place, shape);
    return vkp_graph_tensor(x->graph, &t, VKP_GRADS_NONE, NULL, name, out);
}

vkp_status vkp_add_node(vkp_graph *graph, const vkp_op *op, const vkp_attr *attr, const char *name,
                        vkp_value a, vkp_value b, vkp_value c, vkp_value *out)
{
    const vkp_value in[VKP_MAX_IN] = {a, b, c};
    vkp_value outs[VKP_MAX_OUT] = {*out};
    VKP_TRY(vkp_graph_apply(graph, op, attr, name, in, outs));
    *out = outs[0];
    return VKP_OK;
}

vkp_status vkp_add_batch(vkp_graph *graph, const vkp_buffer *planes, vkp_shape shape, const char *name,
                         vkp_value *value)
{
    vkp_tensor t = vkp_tensor_activation(0, shape);
    VKP_TRY(vkp_program_external(vkp_graph_program(graph), planes, 0, vkp_extent(&t) * sizeof(float), name,
                                 &t.buffer));
    return vkp_graph_tensor(graph, &t, VKP_GRADS_NONE, NULL, name, value);
}

vkp_status vkp_add_ycc(vkp_graph *graph, vkp_value rgb, float saturation, vkp_value *gray, vkp_value *crcb)
{
    const vkp_value in[VKP_MAX_IN] = {rgb};
    vkp_value out[VKP_MAX_OUT] = {0};
    VKP_TRY(vkp_graph_apply(graph, &vkp_op_rgb_to_ycc, &(vkp_attr){.scale = saturation}, "gray", in, out));
    *gray = out[0];
    *crcb = out[1];
    return VKP_OK;
}

vkp_status vkp_add_l1(const vkp_exchange *x, const vkp_config *config, vkp_value fake, vkp_value crcb,
                      vkp_value fake_rgb, vkp_value rgb, vkp_value *sum)
{
    const vkp_shape one = {1, 1, 1, 1};
    const vkp_attr weights = {.weight = {(float)config->lambda_crcb, (float)config->lambda_rgb}};
    vkp_value l1_crcb, l1_rgb;
    VKP_TRY(vkp_exchange_value(x, VKP_AT_L1_CRCB, one, "l1_crcb", &l1_crcb));
    VKP_TRY(vkp_exchange_value(x, VKP_AT_L1_RGB, one, "l1_rgb", &l1_rgb));
    VKP_TRY(vkp_exchange_value(x, VKP_AT_G_L1, one, "g_l1", sum));
    VKP_TRY(vkp_add_node(x->graph, &vkp_op_l1, &(vkp_attr){0}, "l1_crcb", fake, crcb, 0, &l1_crcb));
    VKP_TRY(vkp_add_node(x->graph, &vkp_op_l1, &(vkp_attr){0}, "l1_rgb", fake_rgb, rgb, 0, &l1_rgb));
    return vkp_add_node(x->graph, &vkp_op_weighted_sum, &weights, "g_l1", l1_crcb, l1_rgb, 0, sum);
}

vkp_status vkp_add_squared_error(const vkp_exchange *x, vkp_value fake_rgb, vkp_value rgb)
{
    vkp_value valid, errors;
    VKP_TRY(vkp_exchange_value(x, vkp_at_valid(x), (vkp_shape){x->batch, 1, 1, 4}, "valid", &valid));
    VKP_TRY(
        vkp_exchange_value(x, vkp_at_errors(x), (vkp_shape){x->batch, 1, 1, 1}, "squared error", &errors));
    return vkp_add_node(x->graph, &vkp_op_squared_error, &(vkp_attr){0}, "squared error", fake_rgb, rgb,
                        valid, &errors);
}

void vkp_exchange_set_valid(const vkp_exchange *x, const vkp_rect *valid)
{
    float *to = vkp_exchange_floats(x) + vkp_at_valid(x);
    for (uint32_t i = 0; i < x->batch; i++) {
        *to++ = (float)valid[i].x0;
        *to++ = (float)valid[i].y0;
        *to++ = (float)valid[i].x1;
        *to++ = (float)valid[i].y1;
    }
}

void vkp_exchange_psnr(const vkp_exchange *x, double *psnr)
{
    const float *errors = vkp_exchange_floats(x) + vkp_at_errors(x),
                *r = vkp_exchange_floats(x) + vkp_at_valid(x);
    for (uint32_t i = 0; i < x->batch; i++, r += 4) {
        const double values = 3.0 * (r[2] - r[0]) * (r[3] - r[1]);
        const double db = 10 * log10(255.0 * 255.0 / (errors[i] / values));
        psnr[i] = db < 100 ? db : 100;
    }
}

vkp_status vkp_read_dense(vkp_program *program, const vkp_tensor *t, float *out)
{
    const uint64_t bytes = vkp_extent(t) * sizeof(float);
    float *padded = malloc(bytes);
    if (!padded)
        return vkp_fail(VKP_MEMORY, "no memory for a result (host memory ran out; use a smaller batch)");
    const vkp_status status = vkp_program_read(program, t->buffer, t->offset * sizeof(float), padded, bytes);
    const uint64_t rows = (uint64_t)t->shape.n * t->shape.c * t->shape.h;
    for (uint64_t row = 0; row < rows && status == VKP_OK; row++)
        memcpy(out + row * t->shape.w, padded + row * t->pitch, t->shape.w * sizeof *out);
    free(padded);
    return status;
}
