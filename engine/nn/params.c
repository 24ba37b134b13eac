#include "nn/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "ops/init_uniform.h"

#define ALIGN_FLOATS 64 /* 256 bytes: every tensor can be bound alone on any device */

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for parameters (host memory ran out; close other programs)");
}

vkp_status vkp_params_declare(vkp_params *p, const char *name, uint32_t rank, vkp_shape shape, bool trained,
                              float bound, float fill)
{
    if (p->count == VKP_MAX_PARAMS)
        return vkp_fail(VKP_INTERNAL, "too many parameters (a mistake in vkpix; please report it)");
    vkp_param *e = &p->list[p->count++];
    *e = (vkp_param){.shape = shape, .rank = rank, .trained = trained, .bound = bound, .fill = fill};
    snprintf(e->name, sizeof e->name, "%s", name);
    return VKP_OK;
}

static void place(vkp_params *p)
{
    uint64_t offset = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < p->count; i++) {
            if (p->list[i].trained != (pass == 0)) continue;
            p->list[i].offset = offset;
            offset += (vkp_shape_count(p->list[i].shape) + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
        }
        if (pass == 0) p->trained = offset;
    }
    p->total = offset;
}

vkp_status vkp_params_allocate(vkp_params *p, vkp_device *device, bool training)
{
    place(p);
    p->device = device;
    VKP_TRY(vkp_buffer_create(device, p->total * 4, VKP_MEMORY_DEVICE, "parameters", &p->values));
    /* The gaps between tensors belong to what the optimizer walks over: zeros stay zeros there. */
    VKP_TRY(vkp_buffer_clear(device, &p->values));
    if (!training) return VKP_OK;
    VKP_TRY(
        vkp_buffer_create(device, p->trained * 4, VKP_MEMORY_DEVICE, "gradients of parameters", &p->grads));
    VKP_TRY(vkp_buffer_create(device, p->trained * 8, VKP_MEMORY_DEVICE, "Adam's moments", &p->moments));
    VKP_TRY(vkp_buffer_clear(device, &p->grads));
    return vkp_buffer_clear(device, &p->moments);
}

void vkp_params_free(vkp_params *p)
{
    if (!p->device) return;
    vkp_buffer_destroy(p->device, &p->values);
    vkp_buffer_destroy(p->device, &p->grads);
    vkp_buffer_destroy(p->device, &p->moments);
    p->device = NULL;
}

static vkp_status write_init(vkp_params *p, vkp_graph *g, const vkp_tensor *keys)
{
    vkp_bound_params bound;
    VKP_TRY(vkp_params_bind(p, g, VKP_GRADS_NONE, &bound));
    for (uint32_t i = 0; i < p->count; i++) {
        if (!(p->list[i].bound > 0)) continue;
        vkp_tensor key = *keys;
        key.offset += (uint64_t)i * ALIGN_FLOATS;
        vkp_value in[VKP_MAX_IN] = {0, bound.values[i]}, out[VKP_MAX_OUT] = {bound.values[i]};
        VKP_TRY(vkp_graph_tensor(g, &key, VKP_GRADS_NONE, NULL, "key", &in[0]));
        VKP_TRY(vkp_graph_apply(g, &vkp_op_init_uniform, &(vkp_attr){.scale = p->list[i].bound},
                                p->list[i].name, in, out));
    }
    return VKP_OK;
}

static vkp_status run_init(vkp_params *p, vkp_program *program, const vkp_buffer *key_buffer)
{
    vkp_graph *g;
    vkp_arena arena = {0};
    vkp_tensor keys = vkp_tensor_packed(0, (vkp_shape){1, 1, 1, VKP_INIT_KEY});
    VKP_TRY(vkp_program_external(program, key_buffer, 0, key_buffer->bytes, "keys", &keys.buffer));
    VKP_TRY(vkp_graph_create(program, false, &g));
    vkp_status status = write_init(p, g, &keys);
    vkp_graph_destroy(g);
    if (status == VKP_OK) status = vkp_program_build(program, &arena);
    if (status == VKP_OK) status = vkp_program_run(program, 0, 1);
    vkp_arena_destroy(p->device, &arena);
    return status;
}

vkp_status vkp_params_initialize(vkp_params *p, uint64_t seed, uint32_t network)
{
    float *values = calloc(p->total, sizeof *values);
    if (!values) return no_memory();
    for (uint32_t i = 0; i < p->count; i++)
        for (uint64_t k = 0; k < vkp_shape_count(p->list[i].shape); k++)
            values[p->list[i].offset + k] = p->list[i].fill;
    vkp_status status = vkp_buffer_write(p->device, &p->values, 0, values, p->total * 4);
    free(values);
    VKP_TRY(status);

    vkp_buffer keys = {0};
    VKP_TRY(
        vkp_buffer_create(p->device, (uint64_t)p->count * ALIGN_FLOATS * 4, VKP_MEMORY_HOST, "keys", &keys));
    for (uint32_t i = 0; i < p->count; i++)
        vkp_init_key(seed, vkp_random_stream(VKP_RANDOM_INIT, network << 8 | i),
                     (float *)keys.mapped + (uint64_t)i * ALIGN_FLOATS);
    vkp_program *program = NULL;
    status = vkp_program_create(p->device, &program);
    if (status == VKP_OK) status = run_init(p, program, &keys);
    vkp_program_destroy(program);
    vkp_buffer_destroy(p->device, &keys);
    p->batches_tracked = 0;
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

void vkp_param_shape(const vkp_param *e, size_t shape[4])
{
    const size_t all[] = {e->shape.n, e->shape.c, e->shape.h, e->shape.w};
    if (e->rank == 1)
        shape[0] = e->shape.c;
    else
        memcpy(shape, all, sizeof all);
}

bool vkp_param_counter(const vkp_param *e, char *name, size_t room)
{
    if (!ends_with(e->name, ".running_mean")) return false;
    const int stem = (int)(strlen(e->name) - strlen("running_mean"));
    snprintf(name, room, "%.*snum_batches_tracked", stem, e->name);
    return true;
}

static vkp_status check_names(const vkp_params *p, const vkp_safetensors *file, const char *path)
{
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    for (size_t i = 0; i < count; i++) {
        bool known = ends_with(list[i].name, ".num_batches_tracked");
        for (uint32_t k = 0; k < p->count && !known; k++) known = strcmp(p->list[k].name, list[i].name) == 0;
        if (!known)
            return vkp_fail(VKP_FORMAT,
                            "%s does not fit this network (it has a tensor %s; give a file of the network "
                            "meant, and the preset it was trained with)",
                            path, list[i].name);
    }
    return VKP_OK;
}

static vkp_status read_values(vkp_params *p, const vkp_safetensors *file, float *values)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        size_t shape[4];
        vkp_param_shape(e, shape);
        VKP_TRY(vkp_safetensors_copy_f32(file, e->name, e->rank, shape, values + e->offset));
        char counter[64];
        if (vkp_param_counter(e, counter, sizeof counter) && vkp_safetensors_find(file, counter))
            VKP_TRY(vkp_safetensors_copy_i64(file, counter, 0, NULL, &p->batches_tracked));
    }
    return VKP_OK;
}

vkp_status vkp_params_load_file(vkp_params *p, const vkp_safetensors *file, const char *name)
{
    float *values = calloc(p->total, sizeof *values);
    vkp_status status = values ? check_names(p, file, name) : no_memory();
    if (status == VKP_OK) status = read_values(p, file, values);
    if (status == VKP_OK) status = vkp_buffer_write(p->device, &p->values, 0, values, p->total * 4);
    free(values);
    return status;
}

vkp_status vkp_params_load(vkp_params *p, const char *path)
{
    vkp_safetensors *file;
    VKP_TRY(vkp_safetensors_read(path, &file));
    const vkp_status status = vkp_params_load_file(p, file, path);
    vkp_safetensors_free(file);
    return status;
}

vkp_status vkp_params_save(const vkp_params *p, const char *path)
{
    vkp_safetensor list[2 * VKP_MAX_PARAMS];
    char counters[VKP_MAX_PARAMS][64];
    float *values = calloc(p->total, sizeof *values);
    if (!values) return no_memory();
    size_t count = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const vkp_param *e = &p->list[i];
        list[count] = (vkp_safetensor){
            .name = e->name, .dtype = VKP_SAFETENSORS_F32, .rank = e->rank, .data = values + e->offset};
        vkp_param_shape(e, list[count++].shape);
        if (vkp_param_counter(e, counters[i], sizeof counters[i]))
            list[count++] = (vkp_safetensor){
                .name = counters[i], .dtype = VKP_SAFETENSORS_I64, .data = &p->batches_tracked};
    }
    vkp_status status = vkp_buffer_read(p->device, &p->values, 0, values, p->total * 4);
    if (status == VKP_OK)
        status = vkp_safetensors_write(path, list, count, &(vkp_safetensors_pair){"format", "pt"}, 1);
    free(values);
    return status;
}

/* Whether each of a tensor's numbers is finite; `each` of them for an element, one after the other. */
static bool finite_tensor(const vkp_param *e, const float *values, uint64_t each)
{
    const float *at = values + e->offset * each, *end = at + vkp_shape_count(e->shape) * each;
    while (at < end && isfinite(*at)) at++;
    return at == end;
}

vkp_status vkp_params_find_not_finite(const vkp_params *p, const char *prefix, char found[VKP_PARAMS_FOUND])
{
    const struct {
        const vkp_buffer *buffer;
        const char *what;
        uint64_t each;
        bool all; /* of all tensors, not of the trained alone */
    } places[] = {{&p->grads, "the gradient", 1, false},
                  {&p->moments, "Adam's state", 2, false},
                  {&p->values, "the value", 1, true}};
    *found = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places && !*found; i++) {
        const uint64_t bytes = (places[i].all ? p->total : p->trained) * places[i].each * sizeof(float);
        if (!places[i].buffer->bytes) continue;
        float *values = malloc(bytes);
        if (!values) return no_memory();
        const vkp_status status = vkp_buffer_read(p->device, places[i].buffer, 0, values, bytes);
        for (uint32_t k = p->count; k-- && status == VKP_OK && !*found;) {
            const vkp_param *e = &p->list[k];
            if ((e->trained || places[i].all) && !finite_tensor(e, values, places[i].each))
                snprintf(found, VKP_PARAMS_FOUND, "%s of %s.%s", places[i].what, prefix, e->name);
        }
        free(values);
        VKP_TRY(status);
    }
    return VKP_OK;
}

/* What the optimizer keeps of each trained tensor, and, last, the values of all tensors. */
static const char *const kept[] = {"exp_avg", "exp_avg_sq", "grad", "value"};
enum { VALUE = 3, KEPT };

typedef struct optimizer_copy {
    bool with_values;
    float *data[KEPT]; /* the trained part of each; data[VALUE]: all, if with_values */
} optimizer_copy;

static vkp_status make_copy(const vkp_params *p, bool with_values, optimizer_copy *c)
{
    c->with_values = with_values;
    for (int k = 0; k < (with_values ? KEPT : VALUE); k++) {
        c->data[k] = calloc(k == VALUE ? p->total : p->trained, sizeof(float));
        if (!c->data[k]) return no_memory();
    }
    return VKP_OK;
}

/* On the device the two moments of an element lie side by side (ops/adam.h). */
static vkp_status copy_out(const vkp_params *p, const optimizer_copy *c)
{
    float *pairs = malloc(p->trained * 8);
    if (!pairs) return no_memory();
    const vkp_status status = vkp_buffer_read(p->device, &p->moments, 0, pairs, p->trained * 8);
    for (uint64_t i = 0; i < p->trained && status == VKP_OK; i++) {
        c->data[0][i] = pairs[2 * i];
        c->data[1][i] = pairs[2 * i + 1];
    }
    free(pairs);
    VKP_TRY(status);
    if (c->with_values) VKP_TRY(vkp_buffer_read(p->device, &p->values, 0, c->data[VALUE], p->total * 4));
    return vkp_buffer_read(p->device, &p->grads, 0, c->data[2], p->trained * 4);
}

static void free_copies(optimizer_copy *copies, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (int k = 0; k < KEPT; k++) free(copies[i].data[k]);
    free(copies);
}

typedef struct optimizer_row {
    char name[96];
    vkp_safetensor tensor;
} optimizer_row;

/* The trained tensors of all networks by name, pointing into the copies. The caller frees *rows. */
static vkp_status make_rows(vkp_params *const *params, const char *const *prefixes,
                            const optimizer_copy *copies, uint32_t count, optimizer_row **rows,
                            size_t *row_count)
{
    *row_count = 0;
    *rows = calloc((size_t)count * VKP_MAX_PARAMS * KEPT, sizeof **rows);
    if (!*rows) return no_memory();
    for (uint32_t n = 0; n < count; n++)
        for (uint32_t i = 0; i < params[n]->count; i++) {
            const vkp_param *e = &params[n]->list[i];
            for (int k = 0; k < KEPT; k++) {
                if (k == VALUE ? !copies[n].with_values : !e->trained) continue;
                optimizer_row *r = &(*rows)[(*row_count)++];
                snprintf(r->name, sizeof r->name, "%s.%s.%s", prefixes[n], e->name, kept[k]);
                r->tensor = (vkp_safetensor){.name = r->name,
                                             .dtype = VKP_SAFETENSORS_F32,
                                             .rank = e->rank,
                                             .data = copies[n].data[k] + e->offset};
                vkp_param_shape(e, r->tensor.shape);
            }
        }
    return VKP_OK;
}

static vkp_status write_rows(const char *path, const optimizer_row *rows, size_t count)
{
    vkp_safetensor *list = calloc(count ? count : 1, sizeof *list);
    if (!list) return no_memory();
    for (size_t i = 0; i < count; i++) list[i] = rows[i].tensor;
    const vkp_status status = vkp_safetensors_write(path, list, count, NULL, 0);
    free(list);
    return status;
}

vkp_status vkp_optimizer_save(const char *path, vkp_params *const *params, const char *const *prefixes,
                              uint32_t count, uint32_t with_values)
{
    optimizer_copy *copies = calloc(count, sizeof *copies);
    if (!copies) return no_memory();
    vkp_status status = VKP_OK;
    for (uint32_t n = 0; n < count && status == VKP_OK; n++) {
        status = make_copy(params[n], n < with_values, &copies[n]);
        if (status == VKP_OK) status = copy_out(params[n], &copies[n]);
    }
    optimizer_row *rows = NULL;
    size_t row_count = 0;
    if (status == VKP_OK) status = make_rows(params, prefixes, copies, count, &rows, &row_count);
    if (status == VKP_OK) status = write_rows(path, rows, row_count);
    free(rows);
    free_copies(copies, count);
    return status;
}

static vkp_status copy_in(const vkp_params *p, const optimizer_copy *c)
{
    float *pairs = malloc(p->trained * 8);
    if (!pairs) return no_memory();
    for (uint64_t i = 0; i < p->trained; i++) {
        pairs[2 * i] = c->data[0][i];
        pairs[2 * i + 1] = c->data[1][i];
    }
    const vkp_status status = vkp_buffer_write(p->device, &p->moments, 0, pairs, p->trained * 8);
    free(pairs);
    VKP_TRY(status);
    for (uint32_t i = 0; i < p->count; i++)
        if (p->list[i].zero_grad)
            memset(c->data[2] + p->list[i].offset, 0, vkp_shape_count(p->list[i].shape) * sizeof(float));
    if (c->with_values) VKP_TRY(vkp_buffer_write(p->device, &p->values, 0, c->data[VALUE], p->total * 4));
    return vkp_buffer_write(p->device, &p->grads, 0, c->data[2], p->trained * 4);
}

vkp_status vkp_optimizer_load(const char *path, vkp_params *const *params, const char *const *prefixes,
                              uint32_t count, uint32_t with_values)
{
    vkp_safetensors *file;
    VKP_TRY(vkp_safetensors_read(path, &file));
    optimizer_copy *copies = calloc(count, sizeof *copies);
    vkp_status status = copies ? VKP_OK : no_memory();
    for (uint32_t n = 0; n < count && status == VKP_OK; n++)
        status = make_copy(params[n], n < with_values, &copies[n]);
    optimizer_row *rows = NULL;
    size_t row_count = 0;
    if (status == VKP_OK) status = make_rows(params, prefixes, copies, count, &rows, &row_count);
    for (size_t i = 0; i < row_count && status == VKP_OK; i++)
        status = vkp_safetensors_copy_f32(file, rows[i].name, rows[i].tensor.rank, rows[i].tensor.shape,
                                          (float *)rows[i].tensor.data);
    for (uint32_t n = 0; n < count && status == VKP_OK; n++) status = copy_in(params[n], &copies[n]);
    free(rows);
    if (copies) free_copies(copies, count);
    vkp_safetensors_free(file);
    return status;
}

vkp_status vkp_params_bind(const vkp_params *p, vkp_graph *graph, vkp_grads mode, vkp_bound_params *out)
{
    vkp_program *program = vkp_graph_program(graph);
    *out = (vkp_bound_params){.params = p, .graph = graph};
    uint32_t values, grads = 0;
    VKP_TRY(vkp_program_external(program, &p->values, 0, p->total * 4, "parameters", &values));
    if (mode != VKP_GRADS_NONE)
        VKP_TRY(vkp_program_external(program, &p->grads, 0, p->trained * 4, "gradients", &grads));
    out->values_tensor = vkp_tensor_packed(values, (vkp_shape){1, 1, 1, (uint32_t)p->total});
    for (uint32_t i = 0; i < p->count; i++) {
        vkp_tensor value = vkp_tensor_packed(values, p->list[i].shape),
                   grad = vkp_tensor_packed(grads, p->list[i].shape);
        value.offset = grad.offset = p->list[i].offset;
        VKP_TRY(vkp_graph_tensor(graph, &value, p->list[i].trained ? mode : VKP_GRADS_NONE, &grad,
                                 p->list[i].name, &out->values[i]));
    }
    return VKP_OK;
}

vkp_value vkp_bound_find(const vkp_bound_params *bound, const char *format, ...)
{
    char name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    for (uint32_t i = 0; i < bound->params->count; i++)
        if (strcmp(bound->params->list[i].name, name) == 0) return bound->values[i];
    return 0;
}

uint32_t vkp_bound_trained(const vkp_bound_params *bound, vkp_value trained[VKP_MAX_PARAMS])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bound->params->count; i++)
        if (bound->params->list[i].trained && !bound->params->list[i].zero_grad)
            trained[count++] = bound->values[i];
    return count;
}
