#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

typedef struct graph_value {
    char name[48];
    vkp_tensor tensor;
    vkp_tensor grad;     /* given by the caller, or made by the latest walk */
    uint32_t grad_first; /* the picture that it begins with */
    vkp_grads mode;      /* how a given one is used; NONE: not given */
    vkp_value root;      /* itself, or what it is a slice of */
    uint32_t channel;    /* first channel in the root */
    uint32_t picture;    /* first picture in the root */
    bool again;          /* to be made again before the backward walk reads it */
} graph_value;

typedef struct graph_node {
    vkp_node node;
    vkp_value in[VKP_MAX_IN], out[VKP_MAX_OUT];
} graph_node;

struct vkp_graph {
    vkp_program *program;
    bool keep_all;
    graph_value *values; /* [0] unused */
    size_t value_count, value_capacity;
    graph_node *nodes;
    size_t node_count, node_capacity;
};

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a graph (host memory ran out; close other programs)");
}

vkp_status vkp_graph_create(vkp_program *program, bool keep_all, vkp_graph **out)
{
    vkp_graph *g = calloc(1, sizeof *g);
    if (!g) return no_memory();
    g->program = program;
    g->keep_all = keep_all;
    g->value_count = 1;
    *out = g;
    return VKP_OK;
}

void vkp_graph_destroy(vkp_graph *g)
{
    if (!g) return;
    free(g->values);
    free(g->nodes);
    free(g);
}

vkp_program *vkp_graph_program(const vkp_graph *g) { return g->program; }
bool vkp_graph_keeps_all(const vkp_graph *g) { return g->keep_all; }

static vkp_status add_value(vkp_graph *g, const vkp_tensor *tensor, const char *name, vkp_value *out)
{
    VKP_TRY(vkp_grow((void **)&g->values, &g->value_capacity, g->value_count, sizeof *g->values));
    graph_value *v = &g->values[g->value_count];
    *v = (graph_value){.tensor = *tensor, .root = (vkp_value)g->value_count};
    snprintf(v->name, sizeof v->name, "%s", name);
    *out = (vkp_value)g->value_count++;
    return VKP_OK;
}

/* A planned tensor with the layout of `like`'s shape, kept when everything is. */
static vkp_status new_tensor(vkp_graph *g, vkp_shape shape, bool packed, const char *name, vkp_tensor *out)
{
    if (!g->program) {
        /* Nothing lies anywhere; buffer 0 would mean that there is no tensor. */
        *out = packed ? vkp_tensor_packed(1, shape) : vkp_tensor_activation(1, shape);
        return VKP_OK;
    }
    VKP_TRY(packed ? vkp_tensor_new_packed(g->program, shape, name, out)
                   : vkp_tensor_new(g->program, shape, name, out));
    if (g->keep_all) vkp_program_keep(g->program, out->buffer);
    return VKP_OK;
}

vkp_status vkp_graph_activation(vkp_graph *g, vkp_shape shape, const char *name, vkp_value *out)
{
    vkp_tensor tensor;
    VKP_TRY(new_tensor(g, shape, false, name, &tensor));
    return add_value(g, &tensor, name, out);
}

vkp_status vkp_graph_tensor(vkp_graph *g, const vkp_tensor *tensor, vkp_grads mode, const vkp_tensor *grad,
                            const char *name, vkp_value *out)
{
    VKP_TRY(add_value(g, tensor, name, out));
    g->values[*out].mode = mode;
    if (mode != VKP_GRADS_NONE) g->values[*out].grad = *grad;
    return VKP_OK;
}

/* Adds `part`, which begins at a picture and a channel of `whole`; it fits when `last` of `room` do. */
static vkp_status add_part(vkp_graph *g, vkp_value whole, const graph_value *part, uint64_t last,
                           uint32_t room, const char *name, vkp_value *out)
{
    if (g->values[whole].root != whole || last > room)
        return vkp_fail(VKP_INTERNAL, "slice %s does not fit %s (a mistake in vkpix; report it)", name,
                        g->values[whole].name);
    VKP_TRY(add_value(g, &part->tensor, name, out));
    g->values[*out].root = whole;
    g->values[*out].channel = part->channel;
    g->values[*out].picture = part->picture;
    return VKP_OK;
}

vkp_status vkp_graph_slice(vkp_graph *g, vkp_value whole, uint32_t c, uint32_t count, const char *name,
                           vkp_value *out)
{
    const vkp_tensor *t = &g->values[whole].tensor;
    const graph_value part = {.tensor = vkp_tensor_channels(t, c, count), .channel = c};
    return add_part(g, whole, &part, (uint64_t)c + count, t->shape.c, name, out);
}

vkp_status vkp_graph_pictures(vkp_graph *g, vkp_value whole, uint32_t n, uint32_t count, const char *name,
                              vkp_value *out)
{
    const vkp_tensor *t = &g->values[whole].tensor;
    const graph_value part = {.tensor = vkp_tensor_pictures(t, n, count), .picture = n};
    return add_part(g, whole, &part, (uint64_t)n + count, t->shape.n, name, out);
}

void vkp_graph_make_again(vkp_graph *g, vkp_value value) { g->values[g->values[value].root].again = true; }

vkp_tensor vkp_graph_at(const vkp_graph *g, vkp_value value) { return g->values[value].tensor; }

/* The part of `whole`, the gradient of v's root from picture `first` on, that belongs to `count` pictures of
 * v from its picture `n` on. */
static vkp_tensor grad_part(const graph_value *v, const vkp_tensor *whole, uint32_t first, uint32_t n,
                            uint32_t count)
{
    const vkp_tensor pictures = vkp_tensor_pictures(whole, v->picture + n - first, count);
    return vkp_tensor_channels(&pictures, v->channel, v->tensor.shape.c);
}

vkp_tensor vkp_graph_grad(const vkp_graph *g, vkp_value value)
{
    const graph_value *v = &g->values[value], *root = &g->values[v->root];
    const uint32_t count = v->tensor.shape.n;
    if (!root->grad.buffer || v->picture < root->grad_first ||
        v->picture + count > root->grad_first + root->grad.shape.n)
        return (vkp_tensor){0};
    return grad_part(v, &root->grad, root->grad_first, 0, count);
}

vkp_value vkp_graph_find(const vkp_graph *g, const char *name)
{
    for (size_t i = g->value_count; i-- > 1;)
        if (strcmp(g->values[i].name, name) == 0) return (vkp_value)i;
    return 0;
}

uint32_t vkp_graph_mark(const vkp_graph *g) { return (uint32_t)g->node_count; }

const vkp_node *vkp_graph_node(const vkp_graph *g, uint32_t index, const vkp_value **in,
                               const vkp_value **out)
{
    *in = g->nodes[index].in;
    *out = g->nodes[index].out;
    return &g->nodes[index].node;
}

vkp_value vkp_graph_whole(const vkp_graph *g, vkp_value value, uint32_t *channel)
{
    *channel = g->values[value].channel;
    return g->values[value].root;
}

static vkp_status make_outputs(vkp_graph *g, graph_node *n)
{
    vkp_shape shapes[VKP_MAX_OUT] = {0};
    VKP_TRY(n->node.op->shape(&n->node, shapes));
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) {
        const vkp_place *place = &n->node.op->out[i];
        if (place->role == VKP_NONE || !shapes[i].n) continue;
        if (!n->out[i]) {
            char name[48];
            snprintf(name, sizeof name, i ? "%.36s.%.10s" : "%.47s", n->node.label, place->name);
            vkp_tensor tensor;
            const bool packed = place->role == VKP_PARAMETER || place->role == VKP_STATE;
            VKP_TRY(new_tensor(g, shapes[i], packed, name, &tensor));
            VKP_TRY(add_value(g, &tensor, name, &n->out[i]));
        }
        n->node.out[i] = g->values[n->out[i]].tensor;
        char want[48], have[48];
        if (!vkp_shape_equal(n->node.out[i].shape, shapes[i]))
            return vkp_fail(VKP_SHAPE, "%s makes %s, not %s (the sizes do not fit; check size and pools)",
                            n->node.label, vkp_shape_text(shapes[i], want),
                            vkp_shape_text(n->node.out[i].shape, have));
    }
    return VKP_OK;
}

vkp_status vkp_graph_apply(vkp_graph *g, const vkp_op *op, const vkp_attr *attr, const char *name,
                           const vkp_value in[VKP_MAX_IN], vkp_value out[VKP_MAX_OUT])
{
    VKP_TRY(vkp_grow((void **)&g->nodes, &g->node_capacity, g->node_count, sizeof *g->nodes));
    graph_node n = {.node = {.op = op, .attr = *attr}};
    snprintf(n.node.label, sizeof n.node.label, "%s", name);
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        n.in[i] = in[i];
        if (in[i]) n.node.in[i] = g->values[in[i]].tensor;
    }
    memcpy(n.out, out, sizeof n.out);
    VKP_TRY(make_outputs(g, &n));
    memcpy(out, n.out, sizeof n.out);
    g->nodes[g->node_count++] = n;
    if (!g->program) return VKP_OK;
    char label[64];
    snprintf(label, sizeof label, "%.36s %.18s", name, op->name);
    vkp_program_label(g->program, label);
    return op->forward(g->program, &n.node);
}

/* Some consecutive pictures. */
typedef struct range {
    uint32_t first, count;
} range;

/* One backward walk: what needs a gradient, for which pictures of each root there is one, and what of it is
 * made already. */
typedef struct walk {
    vkp_graph *graph;
    bool *needed;            /* by root */
    range *cover;            /* by root */
    vkp_tensor *grad;        /* by root, of the pictures of cover; buffer 0: not made yet */
    unsigned char **written; /* by root, one byte a picture of cover and channel */
} walk;

static bool differentiable(const graph_node *n, uint32_t i)
{
    const vkp_role role = n->node.op->in[i].role;
    return n->in[i] && (role == VKP_ACTIVATION || role == VKP_PARAMETER);
}

static bool any_needed(const walk *w, const graph_node *n)
{
    bool any = false;
    for (uint32_t i = 0; i < VKP_MAX_IN; i++)
        any = any || (differentiable(n, i) && w->needed[w->graph->values[n->in[i]].root]);
    return any;
}

static bool is_result(const graph_node *n, uint32_t i)
{
    return n->out[i] && n->node.op->out[i].role != VKP_STATE;
}

static void find_needed(walk *w, uint32_t first, uint32_t last)
{
    for (uint32_t k = first; k < last; k++) {
        const graph_node *n = &w->graph->nodes[k];
        const bool any = any_needed(w, n);
        for (uint32_t i = 0; i < VKP_MAX_OUT && any; i++)
            if (is_result(n, i)) w->needed[w->graph->values[n->out[i]].root] = true;
    }
}

/* The smallest range that holds both. */
static range join(range a, range b)
{
    if (!a.count || !b.count) return a.count ? a : b;
    const uint32_t first = a.first < b.first ? a.first : b.first;
    const uint32_t a_end = a.first + a.count, b_end = b.first + b.count;
    return (range){first, (a_end > b_end ? a_end : b_end) - first};
}

/* The pictures that value `id` has a gradient for, counted from its own first. */
static range covered(const walk *w, vkp_value id)
{
    const graph_value *v = &w->graph->values[id];
    const range c = w->cover[v->root];
    const uint32_t end = v->picture + v->tensor.shape.n, c_end = c.first + c.count;
    const uint32_t from = c.first > v->picture ? c.first : v->picture, to = c_end < end ? c_end : end;
    return from < to ? (range){from - v->picture, to - from} : (range){0};
}

/* The pictures that a node must be computed for: those with a gradient, and what they cannot do without. */
static range pictures_of(const walk *w, const graph_node *n)
{
    range r = {0};
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++)
        if (is_result(n, i)) r = join(r, covered(w, n->out[i]));
    const uint32_t unit = vkp_node_unit(&n->node), excess = r.first % unit;
    if (!r.count) return r;
    return (range){r.first - excess, vkp_groups(excess + r.count, unit) * unit};
}

/* The same of an input: parameters, and what goes together, are taken whole. */
static range pictures_in(const graph_node *n, uint32_t i, range r)
{
    const vkp_node *node = &n->node;
    const uint32_t count = node->in[i].shape.n;
    const bool apart = node->op->in[i].role == VKP_ACTIVATION && vkp_node_unit(node) < vkp_node_count(node);
    return apart ? r : (range){0, count};
}

static void find_cover(walk *w, uint32_t first, uint32_t last)
{
    for (uint32_t k = last; k-- > first;) {
        const graph_node *n = &w->graph->nodes[k];
        if (!n->node.op->backward || !any_needed(w, n)) continue;
        const range r = pictures_of(w, n);
        for (uint32_t i = 0; i < VKP_MAX_IN && r.count; i++) {
            if (!differentiable(n, i)) continue;
            const graph_value *v = &w->graph->values[n->in[i]];
            const range in = pictures_in(n, i, r);
            w->cover[v->root] = join(w->cover[v->root], (range){v->picture + in.first, in.count});
        }
    }
}

/* Where in `written` the channels of a value begin, for its picture n, which is covered. */
static unsigned char *written_at(const walk *w, const graph_value *v, uint32_t n)
{
    const size_t row = v->picture + n - w->cover[v->root].first;
    return w->written[v->root] + row * w->graph->values[v->root].tensor.shape.c + v->channel;
}

/* Whether all of a gradient of value `id` is made for those pictures; *none when nothing is. */
static bool is_written(const walk *w, vkp_value id, range r, bool *none)
{
    const graph_value *v = &w->graph->values[id];
    const range c = covered(w, id);
    size_t count = 0;
    for (uint32_t n = r.first; n < r.first + r.count && w->written[v->root]; n++)
        for (uint32_t k = 0; k < v->tensor.shape.c && n >= c.first && n < c.first + c.count; k++)
            count += written_at(w, v, n)[k];
    *none = count == 0;
    return count == (size_t)r.count * v->tensor.shape.c;
}

static vkp_status make_grad(walk *w, vkp_value root)
{
    const graph_value *v = &w->graph->values[root];
    const range cover = w->cover[root];
    const size_t bytes = (size_t)cover.count * v->tensor.shape.c;
    if (!w->written[root]) {
        w->written[root] = calloc(bytes, 1);
        if (!w->written[root]) return no_memory();
    }
    if (w->grad[root].buffer) return VKP_OK;
    if (v->mode != VKP_GRADS_NONE) {
        w->grad[root] = vkp_tensor_pictures(&v->grad, cover.first, cover.count);
        if (v->mode == VKP_GRADS_ADD) memset(w->written[root], 1, bytes);
        return VKP_OK;
    }
    char name[56];
    snprintf(name, sizeof name, "grad %s", v->name);
    vkp_shape shape = v->tensor.shape;
    shape.n = cover.count;
    /* Rows of a multiple of 4 floats are the same packed and padded; others tell by their pitch. */
    return new_tensor(w->graph, shape, v->tensor.pitch == shape.w && v->tensor.pitch % 4, name,
                      &w->grad[root]);
}

static vkp_tensor grad_of(const walk *w, vkp_value id, range r)
{
    const graph_value *v = &w->graph->values[id];
    return grad_part(v, &w->grad[v->root], w->cover[v->root].first, r.first, r.count);
}

static vkp_status half_made(const walk *w, vkp_value id)
{
    return vkp_fail(VKP_INTERNAL, "gradient of %s is half made (a mistake in vkpix; report it)",
                    w->graph->values[id].name);
}

/* Gives a node, cut to pictures r, its gradients in and out; *skip when nothing flows into it. */
static vkp_status connect(walk *w, const graph_node *n, range r, vkp_node *node, bool *skip)
{
    bool none;
    *skip = true;
    for (uint32_t i = 0; i < VKP_MAX_OUT; i++) {
        if (!is_result(n, i)) continue;
        const bool whole = is_written(w, n->out[i], r, &none);
        if (none) continue;
        if (!whole) return half_made(w, n->out[i]);
        node->d_out[i] = grad_of(w, n->out[i], r);
        *skip = false;
    }
    for (uint32_t i = 0; i < VKP_MAX_IN && !*skip; i++) {
        if (!differentiable(n, i)) continue;
        const graph_value *v = &w->graph->values[n->in[i]];
        const range in = pictures_in(n, i, r);
        if (!w->needed[v->root]) continue;
        VKP_TRY(make_grad(w, v->root));
        const bool whole = is_written(w, n->in[i], in, &none);
        if (!whole && !none) return half_made(w, n->in[i]);
        node->d_in[i] = grad_of(w, n->in[i], in);
        node->add[i] = whole;
        for (uint32_t k = in.first; k < in.first + in.count; k++)
            memset(written_at(w, v, k), 1, v->tensor.shape.c);
    }
    return VKP_OK;
}

static vkp_status make_inputs_again(vkp_graph *g, const graph_node *n);

/* Writes down once more the nodes that make parts of a root, into `tensor`. */
static vkp_status repeat_makers(vkp_graph *g, vkp_value root, const vkp_tensor *tensor)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const graph_node *n = &g->nodes[k];
        for (uint32_t i = 0; i < VKP_MAX_OUT; i++) {
            if (!n->out[i] || g->values[n->out[i]].root != root) continue;
            VKP_TRY(make_inputs_again(g, n));
            vkp_node maker = n->node;
            for (uint32_t j = 0; j < VKP_MAX_OUT; j++)
                if (is_result(n, j) && j != i) maker.out[j] = (vkp_tensor){0};
            maker.out[i].buffer = tensor->buffer;
            char label[64];
            snprintf(label, sizeof label, "%.36s %.12s again", maker.label, maker.op->name);
            vkp_program_label(g->program, label);
            VKP_TRY(maker.op->forward(g->program, &maker));
        }
    }
    return VKP_OK;
}

static void move_tensors(vkp_tensor *tensors, uint32_t count, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < count; i++)
        if (tensors[i].buffer == from) tensors[i].buffer = to;
}

/* Before what a node reads is needed: makes again what is not kept since the forward pass. */
static vkp_status make_inputs_again(vkp_graph *g, const graph_node *n)
{
    for (uint32_t i = 0; i < VKP_MAX_IN; i++) {
        const vkp_value root = n->in[i] ? g->values[n->in[i]].root : 0;
        if (!root || !g->values[root].again) continue;
        const vkp_tensor old = g->values[root].tensor;
        vkp_tensor tensor;
        char name[56];
        g->values[root].again = false;
        snprintf(name, sizeof name, "%.40s again", g->values[root].name);
        VKP_TRY(new_tensor(g, old.shape, false, name, &tensor));
        VKP_TRY(repeat_makers(g, root, &tensor));
        for (size_t k = 1; k < g->value_count; k++)
            move_tensors(&g->values[k].tensor, 1, old.buffer, tensor.buffer);
        for (size_t k = 0; k < g->node_count; k++) {
            move_tensors(g->nodes[k].node.in, VKP_MAX_IN, old.buffer, tensor.buffer);
            move_tensors(g->nodes[k].node.out, VKP_MAX_OUT, old.buffer, tensor.buffer);
        }
    }
    return VKP_OK;
}

static vkp_status walk_back(walk *w, uint32_t first, uint32_t last)
{
    for (uint32_t k = last; k-- > first;) {
        const graph_node *n = &w->graph->nodes[k];
        if (!n->node.op->backward || !any_needed(w, n)) continue;
        const range r = pictures_of(w, n);
        if (!r.count) continue;
        VKP_TRY(make_inputs_again(w->graph, n));
        vkp_node node = vkp_node_pictures(&n->node, r.first, r.count);
        bool skip;
        VKP_TRY(connect(w, n, r, &node, &skip));
        if (skip) continue;
        char label[64];
        snprintf(label, sizeof label, "%.36s %.12s grad", node.label, node.op->name);
        vkp_program_label(w->graph->program, label);
        VKP_TRY(node.op->backward(w->graph->program, &node));
    }
    return VKP_OK;
}

/* Leaves the walk's gradients where vkp_graph_grad and, when everything is kept, vkp_graph_find look. */
static vkp_status publish(walk *w, vkp_value loss)
{
    vkp_graph *g = w->graph;
    const size_t count = g->value_count;
    for (size_t i = 1; i < count; i++) {
        if (g->values[i].mode != VKP_GRADS_NONE || !w->grad[i].buffer) continue;
        g->values[i].grad = w->grad[i];
        g->values[i].grad_first = w->cover[i].first;
        if (!g->keep_all) continue;
        char name[48];
        vkp_value named;
        snprintf(name, sizeof name, "%.15s/%.31s", g->values[loss].name, g->values[i].name);
        VKP_TRY(add_value(g, &w->grad[i], name, &named));
    }
    return VKP_OK;
}

vkp_status vkp_graph_backward(vkp_graph *g, uint32_t first, uint32_t last, vkp_value loss,
                              const vkp_tensor *seed, const vkp_value *wanted, uint32_t count)
{
    walk w = {.graph = g,
              .needed = calloc(g->value_count, sizeof(bool)),
              .cover = calloc(g->value_count, sizeof(range)),
              .grad = calloc(g->value_count, sizeof(vkp_tensor)),
              .written = calloc(g->value_count, sizeof(char *))};
    vkp_status status = w.needed && w.cover && w.grad && w.written ? VKP_OK : no_memory();
    if (status == VKP_OK) {
        for (uint32_t i = 0; i < count; i++) w.needed[g->values[wanted[i]].root] = true;
        find_needed(&w, first, last);
        w.cover[loss] = (range){0, g->values[loss].tensor.shape.n};
        find_cover(&w, first, last);
        w.grad[loss] = *seed;
        status = make_grad(&w, loss);
    }
    if (status == VKP_OK) {
        memset(w.written[loss], 1, g->values[loss].tensor.shape.c);
        status = walk_back(&w, first, last);
    }
    for (size_t i = 1; i < g->value_count && w.written; i++) free(w.written[i]);
    if (status == VKP_OK) status = publish(&w, loss);
    free(w.needed);
    free(w.cover);
    free(w.grad);
    free(w.written);
    return status;
}
