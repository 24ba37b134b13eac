#include "formats/onnx_network.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/version.h"
#include "formats/onnx.h"
#include "nn/model_file.h"
#include "nn/recognize.h"

enum { NAME = 96 }; /* bytes; labels of nodes have 48 */

/* What a value of the graph is called in the file. */
typedef struct edge {
    vkp_value value;
    char name[NAME];
} edge;

typedef struct writer {
    vkp_onnx *onnx;
    vkp_graph *graph;
    const vkp_onnx_options *options;
    const char *file; /* where the weights come from, for messages */
    const vkp_params *params;
    vkp_bound_params bound;
    float *values[VKP_MAX_PARAMS]; /* of each parameter, packed */
    edge *edges;
    size_t edge_count, edge_capacity;
    vkp_value result;
} writer;

static vkp_status no_memory(const char *what)
{
    return vkp_fail(VKP_MEMORY, "no memory for %s (host memory ran out; close other programs)", what);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define INTS(key, ...)                                        \
    {.name = key, .kind = VKP_ONNX_INTS, .ints = {__VA_ARGS__}, \
     .count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)}
#define TEXT(key, value) {.name = key, .kind = VKP_ONNX_STRING, .text = value}

static void print(char name[NAME], const char *format, ...) VKP_PRINTF(2, 3);
static void print(char name[NAME], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, NAME, format, arguments);
    va_end(arguments);
}

static void node(writer *w, const char *op, const char *const *in, const char *out,
                 const vkp_onnx_attr *attrs, size_t count)
{
    vkp_onnx_node(w->onnx, op, in, NAMES(out), attrs, count);
}

static void integers(writer *w, const char *name, int64_t value)
{
    vkp_onnx_initializer(w->onnx, name, VKP_ONNX_I64, 1, (size_t[]){1}, &value, sizeof value);
}

static vkp_status add_edge(writer *w, vkp_value value, const char *name)
{
    VKP_TRY(vkp_grow((void **)&w->edges, &w->edge_capacity, w->edge_count, sizeof *w->edges));
    edge *e = &w->edges[w->edge_count++];
    e->value = value;
    print(e->name, "%s", name);
    return VKP_OK;
}

static const edge *find_edge(const writer *w, vkp_value value)
{
    for (size_t i = 0; i < w->edge_count; i++)
        if (w->edges[i].value == value) return &w->edges[i];
    return NULL;
}

/* The value whose channels begin at `channel` of `whole`, or NULL; *count is how many it has. */
static const edge *part_at(const writer *w, vkp_value whole, uint32_t channel, uint32_t *count)
{
    for (size_t i = 0; i < w->edge_count; i++) {
        uint32_t first;
        const vkp_value value = w->edges[i].value;
        if (value == whole || vkp_graph_whole(w->graph, value, &first) != whole || first != channel) continue;
        *count = vkp_graph_at(w->graph, value).shape.c;
        return &w->edges[i];
    }
    return NULL;
}

/* A value that nobody made in one piece: its parts, one after the other. */
static vkp_status concatenate(writer *w, vkp_value whole, char name[NAME])
{
    enum { PARTS = 8 };
    const char *parts[PARTS + 1] = {0};
    const uint32_t channels = vkp_graph_at(w->graph, whole).shape.c;
    uint32_t at = 0, count;
    for (int i = 0; i < PARTS && at < channels; i++, at += count) {
        const edge *part = part_at(w, whole, at, &count);
        if (!part)
            return vkp_fail(VKP_INTERNAL,
                            "channel %u of a concatenation is made by nobody (a mistake in vkpix; report it)",
                            at);
        parts[i] = part->name;
    }
    print(name, "concat.%u", whole);
    const vkp_onnx_attr axis = {.name = "axis", .kind = VKP_ONNX_INT, .ints = {1}};
    node(w, "Concat", parts, name, &axis, 1);
    return add_edge(w, whole, name);
}

/* Channels of a value that was made in one piece. */
static vkp_status slice(writer *w, vkp_value part, const char *whole, uint32_t channel, char name[NAME])
{
    char from[NAME], to[NAME], axis[NAME];
    print(name, "slice.%u", part);
    print(from, "%s/from", name);
    print(to, "%s/to", name);
    print(axis, "%s/axis", name);
    integers(w, from, channel);
    integers(w, to, (int64_t)channel + vkp_graph_at(w->graph, part).shape.c);
    integers(w, axis, 1);
    node(w, "Slice", NAMES(whole, from, to, axis), name, NULL, 0);
    return add_edge(w, part, name);
}

/* What a value is called that a node reads; it is put together where it is not there in this form. */
static vkp_status read_value(writer *w, vkp_value value, char name[NAME])
{
    uint32_t channel;
    const edge *known = find_edge(w, value);
    const vkp_value whole = vkp_graph_whole(w->graph, value, &channel);
    if (known) {
        memcpy(name, known->name, NAME);
        return VKP_OK;
    }
    if (whole == value) return concatenate(w, value, name);
    char of[NAME];
    VKP_TRY(read_value(w, whole, of));
    return slice(w, value, of, channel, name);
}

/* The parameter "LAYER.PART", or -1. */
static int find_param(const writer *w, const char *layer, const char *part)
{
    char name[NAME];
    print(name, "%s.%s", layer, part);
    for (uint32_t i = 0; i < w->params->count; i++)
        if (strcmp(w->params->list[i].name, name) == 0) return (int)i;
    return -1;
}

/* Writes parameter `index` down; `name` is what nodes read. */
static vkp_status write_param(writer *w, int index, char name[NAME])
{
    const vkp_param *p = &w->params->list[index];
    const uint64_t count = vkp_shape_count(p->shape);
    vkp_safetensor tensor = {.name = p->name, .dtype = VKP_SAFETENSORS_F32, .rank = p->rank,
                             .data = w->values[index], .bytes = count * sizeof(float)};
    vkp_param_shape(p, tensor.shape);
    print(name, "%s", p->name);
    if (!w->options->half) {
        vkp_onnx_initializer(w->onnx, name, VKP_ONNX_F32, p->rank, tensor.shape, tensor.data, tensor.bytes);
        return VKP_OK;
    }
    uint16_t *halves = NULL;
    const vkp_status status = vkp_model_file_halve(&tensor, w->file, &halves);
    if (status == VKP_OK) {
        const vkp_onnx_attr to = {.name = "to", .kind = VKP_ONNX_INT, .ints = {VKP_ONNX_F32}};
        vkp_onnx_initializer(w->onnx, name, VKP_ONNX_F16, p->rank, tensor.shape, tensor.data, tensor.bytes);
        print(name, "%s/float", p->name);
        node(w, "Cast", NAMES(p->name), name, &to, 1);
    }
    free(halves);
    return status;
}

/* The norm behind convolution "BLOCK.INDEX": "BLOCK.INDEX+1" if there is one with running statistics. */
static bool find_norm(const writer *w, const char *layer, char norm[NAME])
{
    const char *dot = strrchr(layer, '.');
    if (!dot) return false;
    print(norm, "%.*s.%lu", (int)(dot - layer), layer, strtoul(dot + 1, NULL, 10) + 1);
    return find_param(w, norm, "running_mean") >= 0;
}

/* Makes the norm part of the convolution's values, in double precision, by fold_norm's definition. */
static vkp_status fold(writer *w, const char *layer, const char *norm)
{
    const int from[VKP_MAX_IN] = {find_param(w, layer, "weight"),      find_param(w, layer, "bias"),
                                  find_param(w, norm, "weight"),       find_param(w, norm, "bias"),
                                  find_param(w, norm, "running_mean"), find_param(w, norm, "running_var")};
    vkp_node n = {.op = &vkp_op_fold_norm, .attr = {.eps = VKP_NORM_EPS}};
    double *in[VKP_MAX_IN], *out[VKP_MAX_OUT] = {0};
    bool there = true;
    for (int i = 0; i < VKP_MAX_IN; i++) {
        const vkp_shape shape = w->params->list[from[i]].shape;
        const uint64_t count = vkp_shape_count(shape);
        n.in[i] = vkp_tensor_packed(1, shape);
        in[i] = malloc(count * sizeof(double));
        there = there && in[i];
        for (uint64_t k = 0; in[i] && k < count; k++) in[i][k] = (double)w->values[from[i]][k];
        if (i >= 2) continue;
        out[i] = malloc(count * sizeof(double));
        there = there && out[i];
    }
    if (there) {
        vkp_op_fold_norm.reference(&n, (const double *const *)in, out);
        for (int i = 0; i < 2; i++)
            for (uint64_t k = 0; k < vkp_shape_count(n.in[i].shape); k++)
                w->values[from[i]][k] = (float)out[i][k];
    }
    for (int i = 0; i < VKP_MAX_IN; i++) free(in[i]);
    for (int i = 0; i < 2; i++) free(out[i]);
    return there ? VKP_OK : no_memory("folding norms");
}

/* The steps of one node of the graph: each is a node of ONNX's and reads what the one before it wrote. */
typedef struct chain {
    const vkp_node *node;
    char at[NAME];    /* what the latest step wrote */
    const char *name; /* of the last step's result */
} chain;

static const char *activation_of(const vkp_node *n)
{
    return n->attr.activation == VKP_RELU ? "Relu" : n->attr.activation == VKP_TANH ? "Tanh" : NULL;
}

static void step(writer *w, chain *c, const char *op, const char *const *in, const char *name,
                 const vkp_onnx_attr *attrs, size_t count)
{
    node(w, op, in, name, attrs, count);
    print(c->at, "%s", name);
}

static void activate(writer *w, chain *c)
{
    const char *op = activation_of(c->node);
    if (op) step(w, c, op, NAMES(c->at), c->name, NULL, 0);
}

static void resize(writer *w, chain *c, uint32_t factor, bool bilinear, const char *name)
{
    char scales[NAME];
    const float values[] = {1, 1, (float)factor, (float)factor};
    const vkp_onnx_attr nearest[] = {TEXT("mode", "nearest"), TEXT("nearest_mode", "floor"),
                                     TEXT("coordinate_transformation_mode", "asymmetric")};
    const vkp_onnx_attr linear[] = {TEXT("mode", "linear"),
                                    TEXT("coordinate_transformation_mode", "half_pixel")};
    print(scales, "%s/scales", name);
    vkp_onnx_initializer(w->onnx, scales, VKP_ONNX_F32, 1, (size_t[]){4}, values, sizeof values);
    step(w, c, "Resize", NAMES(c->at, "", scales), name, bilinear ? linear : nearest, bilinear ? 2 : 3);
}

static vkp_status normalize(writer *w, chain *c, const char *norm)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const vkp_onnx_attr eps = {.name = "epsilon", .kind = VKP_ONNX_FLOAT, .number = VKP_NORM_EPS};
    char p[4][NAME], name[NAME];
    for (int i = 0; i < 4; i++) VKP_TRY(write_param(w, find_param(w, norm, parts[i]), p[i]));
    print(name, "G.%s", norm);
    step(w, c, "BatchNormalization", NAMES(c->at, p[0], p[1], p[2], p[3]),
         activation_of(c->node) ? name : c->name, &eps, 1);
    return VKP_OK;
}

static vkp_status convolve(writer *w, chain *c, const vkp_value *in)
{
    const vkp_attr *a = &c->node->attr;
    char layer[NAME], norm[NAME], name[NAME], weight[NAME], bias[NAME];
    int index = 0;
    while (w->bound.values[index] != in[1]) index++;
    print(layer, "%s", w->params->list[index].name);
    layer[strlen(layer) - strlen(".weight")] = 0;
    const bool has_norm = find_norm(w, layer, norm), own_norm = has_norm && !w->options->fold;
    if (has_norm && w->options->fold) VKP_TRY(fold(w, layer, norm));
    if (a->upsample > 1) {
        print(name, "G.%s/up", layer);
        resize(w, c, a->upsample, false, name);
    }
    VKP_TRY(write_param(w, index, weight));
    VKP_TRY(write_param(w, find_param(w, layer, "bias"), bias));
    const vkp_onnx_attr attrs[] = {INTS("kernel_shape", a->kernel, a->kernel),
                                   INTS("strides", a->stride, a->stride),
                                   INTS("pads", a->padding, a->padding, a->padding, a->padding)};
    print(name, "G.%s", layer);
    const bool last = !own_norm && !activation_of(c->node);
    step(w, c, "Conv", NAMES(c->at, weight, bias), last ? c->name : name, attrs, 3);
    if (own_norm) VKP_TRY(normalize(w, c, norm));
    activate(w, c);
    return VKP_OK;
}

static vkp_status pool(writer *w, chain *c, const vkp_value *in)
{
    (void)in;
    const uint32_t factor = c->node->attr.factor;
    const vkp_onnx_attr attrs[] = {INTS("kernel_shape", factor, factor), INTS("strides", factor, factor)};
    step(w, c, "AveragePool", NAMES(c->at), c->name, attrs, 2);
    return VKP_OK;
}

static vkp_status pool_all(writer *w, chain *c, const vkp_value *in)
{
    (void)in;
    step(w, c, "GlobalAveragePool", NAMES(c->at), c->name, NULL, 0);
    return VKP_OK;
}

/* Of one channel: with more, ONNX would put the result's channels in another order. */
static vkp_status unshuffle(writer *w, chain *c, const vkp_value *in)
{
    if (vkp_graph_at(w->graph, in[0]).shape.c != 1)
        return vkp_fail(VKP_INTERNAL, "%s unshuffles several channels (a mistake in vkpix; report it)",
                        c->node->label);
    const vkp_onnx_attr size = {.name = "blocksize", .kind = VKP_ONNX_INT, .ints = {c->node->attr.factor}};
    step(w, c, "SpaceToDepth", NAMES(c->at), c->name, &size, 1);
    return VKP_OK;
}

static vkp_status upsample(writer *w, chain *c, const vkp_value *in)
{
    (void)in;
    resize(w, c, c->node->attr.factor, true, c->name);
    return VKP_OK;
}

static vkp_status add(writer *w, chain *c, const vkp_value *in)
{
    char other[NAME], name[NAME];
    VKP_TRY(read_value(w, in[1], other));
    print(name, "%s/sum", c->name);
    step(w, c, "Add", NAMES(c->at, other), activation_of(c->node) ? name : c->name, NULL, 0);
    activate(w, c);
    return VKP_OK;
}

/* x * (1 + scale) + shift as x * scale + x + shift. */
static vkp_status modulate(writer *w, chain *c, const vkp_value *in)
{
    char film[NAME], scale[NAME], shift[NAME], product[NAME], sum[NAME], x[NAME];
    const vkp_onnx_attr axis = {.name = "axis", .kind = VKP_ONNX_INT, .ints = {1}};
    VKP_TRY(read_value(w, in[1], film));
    memcpy(x, c->at, sizeof x);
    print(scale, "%s/scale", c->name);
    print(shift, "%s/shift", c->name);
    print(product, "%s/product", c->name);
    print(sum, "%s/sum", c->name);
    vkp_onnx_node(w->onnx, "Split", NAMES(film), NAMES(scale, shift), &axis, 1);
    step(w, c, "Mul", NAMES(x, scale), product, NULL, 0);
    step(w, c, "Add", NAMES(product, x), sum, NULL, 0);
    step(w, c, "Add", NAMES(sum, shift), c->name, NULL, 0);
    return VKP_OK;
}

static const struct {
    const vkp_op *op;
    vkp_status (*write)(writer *, chain *, const vkp_value *in);
} forms[] = {
    {&vkp_op_conv2d, convolve},           {&vkp_op_avg_pool, pool},      {&vkp_op_global_avg_pool, pool_all},
    {&vkp_op_pixel_unshuffle, unshuffle}, {&vkp_op_add, add},            {&vkp_op_film, modulate},
    {&vkp_op_upsample_bilinear, upsample},
};

static vkp_status write_node(writer *w, uint32_t index)
{
    const vkp_value *in, *out;
    const vkp_node *n = vkp_graph_node(w->graph, index, &in, &out);
    chain c = {.node = n, .name = out[0] == w->result ? "chroma" : n->label};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].op != n->op || n->attr.activation == VKP_LEAKY_RELU) continue;
        VKP_TRY(read_value(w, in[0], c.at));
        VKP_TRY(forms[i].write(w, &c, in));
        return add_edge(w, out[0], c.at);
    }
    return vkp_fail(VKP_INTERNAL, "operation %s has no ONNX form (a mistake in vkpix; report it)",
                    n->op->name);
}

static vkp_status read_params(writer *w, const vkp_safetensors *file)
{
    for (uint32_t i = 0; i < w->params->count; i++) {
        const vkp_param *p = &w->params->list[i];
        size_t shape[4];
        vkp_param_shape(p, shape);
        w->values[i] = malloc(vkp_shape_count(p->shape) * sizeof(float));
        if (!w->values[i]) return no_memory("weights");
        VKP_TRY(vkp_safetensors_copy_f32(file, p->name, p->rank, shape, w->values[i]));
    }
    return VKP_OK;
}

/* The network on a picture of the smallest size: in ONNX's form it has any. */
static vkp_status describe(writer *w, uint32_t side)
{
    vkp_pass pass;
    vkp_value gray;
    w->bound = (vkp_bound_params){.params = w->params, .graph = w->graph};
    for (uint32_t i = 0; i < w->params->count; i++) {
        const vkp_param *p = &w->params->list[i];
        const vkp_tensor t = vkp_tensor_packed(1, p->shape);
        VKP_TRY(vkp_graph_tensor(w->graph, &t, VKP_GRADS_NONE, NULL, p->name, &w->bound.values[i]));
    }
    const vkp_tensor t = vkp_tensor_activation(1, (vkp_shape){1, 1, side, side});
    VKP_TRY(vkp_graph_tensor(w->graph, &t, VKP_GRADS_NONE, NULL, "gray", &gray));
    VKP_TRY(add_edge(w, gray, "gray"));
    VKP_TRY(vkp_generator_forward(&w->bound, gray, false, NULL, "G", &pass));
    w->result = pass.out;
    return VKP_OK;
}

static vkp_status write_about(writer *w, const vkp_config *config, uint32_t side)
{
    char text[512], multiple[16];
    snprintf(multiple, sizeof multiple, "%u", side);
    snprintf(text, sizeof text,
             "Colours black-and-white photographs (vkpix). gray is 2 Y - 1 of the luma Y in 0..1, chroma is "
             "2 Cr and 2 Cb of full-range BT.601; height and width are multiples of %u.",
             side);
    vkp_onnx_describe(w->onnx, text);
    vkp_onnx_input(w->onnx, "gray", NAMES("batch", "1", "height", "width"), "luma, -1..1");
    vkp_onnx_output(w->onnx, "chroma", NAMES("batch", "2", "height", "width"), "Cr, Cb, -1..1");
    vkp_onnx_metadata(w->onnx, VKP_MODEL_FILE_VERSION, vkp_version());
    vkp_onnx_metadata(w->onnx, "vkpix.multiple_of", multiple);
    if (!config) return VKP_OK;
    char *settings = vkp_model_file_settings(config);
    if (!settings) return no_memory("settings");
    vkp_onnx_metadata(w->onnx, VKP_MODEL_FILE_CONFIG, settings);
    free(settings);
    return VKP_OK;
}

static vkp_status write_all(writer *w, const char *path, const vkp_weights *weights, uint32_t side)
{
    VKP_TRY(read_params(w, weights->file));
    VKP_TRY(describe(w, side));
    VKP_TRY(write_about(w, weights->configured ? &weights->config : NULL, side));
    for (uint32_t i = 0; i < vkp_graph_mark(w->graph); i++) VKP_TRY(write_node(w, i));
    return vkp_onnx_write(w->onnx, path);
}

vkp_status vkp_onnx_network_write(const char *path, const vkp_weights *weights,
                                  const vkp_onnx_options *options)
{
    size_t count;
    vkp_network_kind kind;
    vkp_params params;
    const vkp_safetensor *list = vkp_safetensors_list(weights->file, &count);
    VKP_TRY(vkp_recognize(list, count, weights->name, &kind));
    if (kind != VKP_NETWORK_UNET && kind != VKP_NETWORK_NATURAL)
        return vkp_fail(VKP_FORMAT,
                        "%s is %s, which colours nothing (ONNX files are of generators; give one)",
                        weights->name, vkp_network_kind_name(kind));
    VKP_TRY(vkp_network_kind_declare(kind, &params));
    writer w = {.options = options, .file = weights->name, .params = &params};
    vkp_status status = vkp_graph_create(NULL, false, &w.graph);
    if (status == VKP_OK) status = vkp_onnx_create("generator", &w.onnx);
    if (status == VKP_OK)
        status = write_all(&w, path, weights, vkp_generator_granularity((vkp_config_network)params.network));
    for (int i = 0; i < VKP_MAX_PARAMS; i++) free(w.values[i]);
    free(w.edges);
    vkp_onnx_destroy(w.onnx);
    vkp_graph_destroy(w.graph);
    return status;
}
