#include "tune/rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a benchmark (host memory ran out; close other programs)");
}

void vkp_rig_destroy(vkp_rig *r)
{
    for (uint32_t i = 0; i < r->count; i++) vkp_buffer_destroy(r->device, &r->buffers[i]);
    r->count = 0;
}

vkp_status vkp_rig_tensor(vkp_rig *r, const char *name, vkp_tensor *layout)
{
    const uint64_t bytes = vkp_extent(layout) * sizeof(float);
    VKP_TRY(vkp_buffer_create(r->device, bytes, VKP_MEMORY_DEVICE, name, &r->buffers[r->count]));
    layout->buffer = ++r->count;
    return VKP_OK;
}

vkp_status vkp_rig_write(const vkp_rig *r, const vkp_tensor *t, const float *dense, float low, float high)
{
    const vkp_buffer *buffer = &r->buffers[t->buffer - 1];
    float *data = calloc(buffer->bytes, 1);
    if (!data) return no_memory();
    const uint64_t rows = (uint64_t)t->shape.n * t->shape.c * t->shape.h;
    for (uint64_t row = 0, i = 0; row < rows; row++)
        for (uint32_t x = 0; x < t->shape.w; x++, i++)
            data[row * t->pitch + x] =
                dense ? dense[i] : low + (high - low) * vkp_random_float(t->buffer, VKP_RANDOM_TEST, i);
    const vkp_status status = vkp_buffer_write(r->device, buffer, 0, data, buffer->bytes);
    free(data);
    return status;
}

static bool has_gradient(vkp_role role) { return role == VKP_ACTIVATION || role == VKP_PARAMETER; }

static vkp_tensor layout_of(vkp_role role, vkp_shape shape)
{
    const bool padded = role == VKP_ACTIVATION || role == VKP_CONSTANT;
    return padded ? vkp_tensor_activation(0, shape) : vkp_tensor_packed(0, shape);
}

/* Gives the tensor its layout and number. */
static void place(vkp_tensor *t, vkp_role role, vkp_shape shape, uint32_t *count)
{
    *t = layout_of(role, shape);
    t->buffer = ++*count;
}

vkp_status vkp_rig_layout(const vkp_case *c, vkp_direction direction, uint32_t outputs, vkp_node *node)
{
    const vkp_op *op = node->op;
    vkp_shape shapes[VKP_MAX_OUT] = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        if (op->in[i].role != VKP_NONE && c->in[i].n) place(&node->in[i], op->in[i].role, c->in[i], &count);
    VKP_TRY(op->shape(node, shapes));
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) {
        if (op->out[i].role == VKP_NONE || !shapes[i].n || !(outputs & 1u << i)) continue;
        place(&node->out[i], op->out[i].role, shapes[i], &count);
        if (direction == VKP_BACKWARD && has_gradient(op->out[i].role))
            place(&node->d_out[i], op->out[i].role, shapes[i], &count);
    }
    for (uint32_t i = 0; i < VKP_MAX_IN && direction == VKP_BACKWARD; i++)
        if (node->in[i].buffer && has_gradient(op->in[i].role))
            place(&node->d_in[i], op->in[i].role, c->in[i], &count);
    return VKP_OK;
}

static vkp_status add_input(vkp_rig *r, vkp_node *node, const vkp_case *c, uint32_t i)
{
    const vkp_place *at = &node->op->in[i];
    float low = at->low, high = at->high;
    if (low == 0 && high == 0) low = c->low, high = c->high;
    if (low == 0 && high == 0) low = -1, high = 1;
    VKP_TRY(vkp_rig_tensor(r, at->name, &node->in[i]));
    float *values = node->op->fill ? calloc(vkp_shape_count(c->in[i]), sizeof *values) : NULL;
    if (node->op->fill && !values) return no_memory();
    const bool filled = node->op->fill && node->op->fill(node, i, values);
    const vkp_status status = vkp_rig_write(r, &node->in[i], filled ? values : NULL, low, high);
    free(values);
    return status;
}

vkp_status vkp_rig_node(vkp_rig *r, const vkp_case *c, vkp_direction direction, uint32_t outputs,
                        vkp_node *node)
{
    VKP_TRY(vkp_rig_layout(c, direction, outputs, node));
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        if (node->in[i].buffer) VKP_TRY(add_input(r, node, c, i));
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) {
        if (node->out[i].buffer) VKP_TRY(vkp_rig_tensor(r, node->op->out[i].name, &node->out[i]));
        if (!node->d_out[i].buffer) continue;
        VKP_TRY(vkp_rig_tensor(r, "d_out", &node->d_out[i]));
        VKP_TRY(vkp_rig_write(r, &node->d_out[i], NULL, -1, 1));
    }
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        if (node->d_in[i].buffer) VKP_TRY(vkp_rig_tensor(r, "d_in", &node->d_in[i]));
    return VKP_OK;
}

static vkp_status add_buffers(const vkp_rig *r, vkp_program *program)
{
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t id;
        VKP_TRY(vkp_program_external(program, &r->buffers[i], 0, r->buffers[i].bytes, "rig", &id));
        if (id != i + 1)
            return vkp_fail(VKP_INTERNAL,
                            "a program counts its buffers from %u (a mistake in vkpix; report it)", id - i);
    }
    return VKP_OK;
}

vkp_status vkp_rig_program(const vkp_rig *r, vkp_program **out)
{
    VKP_TRY(vkp_program_create(r->device, out));
    const vkp_status status = add_buffers(r, *out);
    if (status == VKP_OK) return VKP_OK;
    vkp_program_destroy(*out);
    *out = NULL;
    return status;
}

void vkp_case_text(const vkp_op *op, const vkp_case *c, char *text, size_t room)
{
    size_t used = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < VKP_MAX_IN && op->in[i].role != VKP_NONE && used < room; i++) {
        char shape[48];
        if (!c->in[i].n || (op->in[i].role != VKP_ACTIVATION && i)) continue;
        used += (size_t)snprintf(text + used, room - used, "%s%s", used ? " " : "",
                                 vkp_shape_text(c->in[i], shape));
    }
    if (c->attr.upsample > 1 && used < room)
        used += (size_t)snprintf(text + used, room - used, " x%u", c->attr.upsample);
    if (c->attr.kernel && used < room) snprintf(text + used, room - used, " k%u", c->attr.kernel);
}
