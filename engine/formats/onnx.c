#include "formats/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/version.h"
#include "onnx.pb-c.h"

/* Every piece of the message is malloc'd alone, as protobuf-c's own reader does it: so its free_unpacked
 * frees what is put together here. */
struct vkp_onnx {
    Onnx__ModelProto *model;
    bool failed; /* memory ran out: the rest is not added */
};

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for an ONNX file (host memory ran out; close other programs)");
}

static void *copy(vkp_onnx *o, const void *data, size_t bytes)
{
    void *made = malloc(bytes + 1);
    o->failed = o->failed || !made;
    if (made && bytes) memcpy(made, data, bytes);
    return made;
}

static char *text(vkp_onnx *o, const char *string) { return copy(o, string, strlen(string) + 1); }

/* A message of that type, initialized; NULL when memory ran out. */
#define NEW(o, variable, type, init)        \
    type *variable = malloc(sizeof(type));  \
    if (variable) *variable = (type)init;   \
    else (o)->failed = true

/* Adds `item` to a repeated field; false: it is still the caller's. */
static bool append(vkp_onnx *o, void ***list, size_t *count, void *item)
{
    void **longer = item ? realloc(*list, (*count + 1) * sizeof *longer) : NULL;
    if (!longer) {
        o->failed = true;
        return false;
    }
    *list = longer;
    longer[(*count)++] = item;
    return true;
}

/* Adds a message, or frees it. */
#define APPEND(o, owner, field, item)                                                    \
    do {                                                                                 \
        if (!append((o), (void ***)&(owner)->field, &(owner)->n_##field, (item)) && (item)) \
            protobuf_c_message_free_unpacked(&(item)->base, NULL);                       \
    } while (0)

static void append_text(vkp_onnx *o, char ***list, size_t *count, const char *string)
{
    char *item = text(o, string);
    if (!append(o, (void ***)list, count, item)) free(item);
}

vkp_status vkp_onnx_create(const char *name, vkp_onnx **out)
{
    vkp_onnx *o = calloc(1, sizeof *o);
    if (!o) return no_memory();
    NEW(o, model, Onnx__ModelProto, ONNX__MODEL_PROTO__INIT);
    NEW(o, graph, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    NEW(o, opset, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
    if (o->failed) {
        free(model);
        free(graph);
        free(opset);
        free(o);
        return no_memory();
    }
    o->model = model;
    model->graph = graph;
    model->has_ir_version = true;
    model->ir_version = VKP_ONNX_IR;
    model->producer_name = text(o, "vkpix");
    model->producer_version = text(o, vkp_version());
    graph->name = text(o, name);
    opset->domain = text(o, "");
    opset->has_version = true;
    opset->version = VKP_ONNX_OPSET;
    APPEND(o, model, opset_import, opset);
    *out = o;
    return VKP_OK;
}

void vkp_onnx_destroy(vkp_onnx *o)
{
    if (!o) return;
    onnx__model_proto__free_unpacked(o->model, NULL);
    free(o);
}

void vkp_onnx_describe(vkp_onnx *o, const char *string)
{
    free(o->model->doc_string);
    o->model->doc_string = text(o, string);
}

void vkp_onnx_metadata(vkp_onnx *o, const char *key, const char *value)
{
    NEW(o, pair, Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT);
    if (!pair) return;
    pair->key = text(o, key);
    pair->value = text(o, value);
    APPEND(o, o->model, metadata_props, pair);
}

static void add_dimension(vkp_onnx *o, Onnx__TensorShapeProto *shape, const char *size)
{
    NEW(o, dim, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
    if (!dim) return;
    char *end;
    const long long fixed = strtoll(size, &end, 10);
    if (*end) {
        dim->dim_param = text(o, size);
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    } else {
        dim->dim_value = fixed;
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    }
    APPEND(o, shape, dim, dim);
}

/* NULL when memory ran out. */
static Onnx__ValueInfoProto *make_value(vkp_onnx *o, const char *name, const char *const dims[4],
                                        const char *meaning)
{
    NEW(o, value, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    NEW(o, type, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    NEW(o, tensor, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
    NEW(o, shape, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    if (!value || !type || !tensor || !shape) {
        free(value);
        free(type);
        free(tensor);
        free(shape);
        return NULL;
    }
    value->name = text(o, name);
    value->doc_string = text(o, meaning);
    value->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = VKP_ONNX_F32;
    tensor->shape = shape;
    for (int i = 0; i < 4; i++) add_dimension(o, shape, dims[i]);
    return value;
}

void vkp_onnx_input(vkp_onnx *o, const char *name, const char *const dims[4], const char *meaning)
{
    Onnx__ValueInfoProto *value = make_value(o, name, dims, meaning);
    APPEND(o, o->model->graph, input, value);
}

void vkp_onnx_output(vkp_onnx *o, const char *name, const char *const dims[4], const char *meaning)
{
    Onnx__ValueInfoProto *value = make_value(o, name, dims, meaning);
    APPEND(o, o->model->graph, output, value);
}

void vkp_onnx_initializer(vkp_onnx *o, const char *name, vkp_onnx_type type, size_t rank, const size_t *dims,
                          const void *data, size_t bytes)
{
    NEW(o, tensor, Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);
    if (!tensor) return;
    tensor->name = text(o, name);
    tensor->has_data_type = true;
    tensor->data_type = (int32_t)type;
    tensor->dims = calloc(rank + 1, sizeof *tensor->dims);
    o->failed = o->failed || !tensor->dims;
    tensor->n_dims = tensor->dims ? rank : 0;
    for (size_t i = 0; i < tensor->n_dims; i++) tensor->dims[i] = (int64_t)dims[i];
    tensor->has_raw_data = true;
    tensor->raw_data.data = copy(o, data, bytes);
    tensor->raw_data.len = tensor->raw_data.data ? bytes : 0;
    APPEND(o, o->model->graph, initializer, tensor);
}

static void add_attribute(vkp_onnx *o, Onnx__NodeProto *node, const vkp_onnx_attr *from)
{
    static const Onnx__AttributeProto__AttributeType types[] = {
        [VKP_ONNX_INT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT,
        [VKP_ONNX_INTS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS,
        [VKP_ONNX_FLOAT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT,
        [VKP_ONNX_STRING] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING,
    };
    NEW(o, a, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);
    if (!a) return;
    a->name = text(o, from->name);
    a->has_type = true;
    a->type = types[from->kind];
    if (from->kind == VKP_ONNX_INT) {
        a->has_i = true;
        a->i = from->ints[0];
    } else if (from->kind == VKP_ONNX_INTS) {
        a->ints = copy(o, from->ints, from->count * sizeof *from->ints);
        a->n_ints = a->ints ? from->count : 0;
    } else if (from->kind == VKP_ONNX_FLOAT) {
        a->has_f = true;
        a->f = from->number;
    } else {
        a->has_s = true;
        a->s.data = copy(o, from->text, strlen(from->text));
        a->s.len = a->s.data ? strlen(from->text) : 0;
    }
    APPEND(o, node, attribute, a);
}

void vkp_onnx_node(vkp_onnx *o, const char *op_type, const char *const *inputs, const char *const *outputs,
                   const vkp_onnx_attr *attrs, size_t attr_count)
{
    NEW(o, node, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    if (!node) return;
    node->op_type = text(o, op_type);
    node->name = text(o, outputs[0]);
    for (; *inputs; inputs++) append_text(o, &node->input, &node->n_input, *inputs);
    for (; *outputs; outputs++) append_text(o, &node->output, &node->n_output, *outputs);
    for (size_t i = 0; i < attr_count; i++) add_attribute(o, node, &attrs[i]);
    APPEND(o, o->model->graph, node, node);
}

vkp_status vkp_onnx_write(const vkp_onnx *o, const char *path)
{
    const size_t bytes = o->failed ? 0 : onnx__model_proto__get_packed_size(o->model);
    uint8_t *packed = o->failed ? NULL : malloc(bytes);
    if (!packed) return no_memory();
    onnx__model_proto__pack(o->model, packed);
    const vkp_status status = vkp_file_write(path, packed, bytes);
    free(packed);
    return status;
}
