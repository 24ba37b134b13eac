/* A graph of operations over a program: values and the nodes that make them, forward written down as the
 * nodes are added, backward by walking them in reverse.
 *
 * A value is a tensor with a name. Concatenation needs no copy: make the whole value first, let the
 * operations write into slices of it (of channels or of pictures), and hand the whole to the next one.
 * Gradients follow the same layout.
 *
 * Two batches in one pass are such a whole: a loss of one batch is that of a slice of the last value, and
 * its backward walk then goes through the pictures of that slice alone. */
#ifndef VKP_GRAPH_GRAPH_H
#define VKP_GRAPH_GRAPH_H

#include "ops/op.h"

typedef struct vkp_graph vkp_graph;
typedef uint32_t vkp_value; /* 0: no value */

/* An empty graph that writes into `program`, which it does not own. With keep_all every value and gradient
 * keeps memory of its own to the program's end, so that each can be read by name after a run (tests).
 * Without a program (NULL) it is a description alone, which needs no device: nodes and shapes.
 * The caller frees it with vkp_graph_destroy; the program stays valid. */
VKP_MUST_USE vkp_status vkp_graph_create(vkp_program *program, bool keep_all, vkp_graph **out);
void vkp_graph_destroy(vkp_graph *graph);
vkp_program *vkp_graph_program(const vkp_graph *graph);
bool vkp_graph_keeps_all(const vkp_graph *graph);

/* A new activation (n,c,h,w) in planned memory. Names need not be unique; the latest is found by name. */
VKP_MUST_USE vkp_status vkp_graph_activation(vkp_graph *graph, vkp_shape shape, const char *name,
                                             vkp_value *out);

/* What a backward walk does to a gradient whose place the caller gave. */
typedef enum vkp_grads { VKP_GRADS_NONE, VKP_GRADS_WRITE, VKP_GRADS_ADD } vkp_grads;

/* A tensor that is already in the program: an input, a parameter, a statistic. `grad` is where its gradient
 * goes when it is wanted, written anew or added by each walk; ignored with VKP_GRADS_NONE. */
VKP_MUST_USE vkp_status vkp_graph_tensor(vkp_graph *graph, const vkp_tensor *tensor, vkp_grads mode,
                                         const vkp_tensor *grad, const char *name, vkp_value *out);

/* Channels [c, c + count) of a value, or pictures [n, n + count), in place; INTERNAL when it has fewer or is
 * a slice itself. */
VKP_MUST_USE vkp_status vkp_graph_slice(vkp_graph *graph, vkp_value whole, uint32_t c, uint32_t count,
                                        const char *name, vkp_value *out);
VKP_MUST_USE vkp_status vkp_graph_pictures(vkp_graph *graph, vkp_value whole, uint32_t n, uint32_t count,
                                           const char *name, vkp_value *out);

/* Adds a node and writes down its forward dispatches. `in` holds VKP_MAX_IN values, 0 where absent. `out`
 * holds VKP_MAX_OUT values: those given (a slice, say) are written into, the others are made and
 * returned. The first output is called `name`. SHAPE when an output given has the wrong shape. */
VKP_MUST_USE vkp_status vkp_graph_apply(vkp_graph *graph, const vkp_op *op, const vkp_attr *attr,
                                        const char *name, const vkp_value in[VKP_MAX_IN],
                                        vkp_value out[VKP_MAX_OUT]);

/* Lets go of a value's memory (of its whole, if it is a slice) after the forward pass: the first backward walk
 * that reads it has the operations that made it run again. It must be an activation of
 * vkp_graph_activation's, made by operations that write one output alone if asked (norm does), whose own
 * inputs stay as they were. Chen et al., Training deep nets with sublinear memory cost, 2016. */
void vkp_graph_make_again(vkp_graph *graph, vkp_value value);

/* The tensor of a value, and the latest gradient computed for it (buffer 0: none, or not for all of its
 * pictures). */
vkp_tensor vkp_graph_at(const vkp_graph *graph, vkp_value value);
vkp_tensor vkp_graph_grad(const vkp_graph *graph, vkp_value value);

/* The latest value of this name, or 0. */
vkp_value vkp_graph_find(const vkp_graph *graph, const char *name);

/* Number of nodes so far: marks a place in the graph. */
uint32_t vkp_graph_mark(const vkp_graph *graph);

/* For who reads a graph: node `index`, from 0, in the order of adding, with its values (VKP_MAX_IN and
 * VKP_MAX_OUT of them); and the value that `value` is a slice of, itself if of none, with the first channel
 * there. Pointers are valid until the next node is added. */
const vkp_node *vkp_graph_node(const vkp_graph *graph, uint32_t index, const vkp_value **in,
                               const vkp_value **out);
vkp_value vkp_graph_whole(const vkp_graph *graph, vkp_value value, uint32_t *channel);

/* Writes down the gradient of scalar `loss` by every wanted tensor, through the nodes of [first, last).
 * `seed` is the gradient of the loss itself (a scalar tensor holding 1). Nothing is computed that none of
 * the `count` wanted values needs, and nothing for pictures that the loss does not depend on: a node whose
 * op->pictures allows it is cut to the others. Read a gradient by vkp_graph_grad; with keep_all those of
 * every walk stay, as values "LOSS/NAME" of the pictures that have one. INTERNAL when a node would need the
 * gradient of pictures that has not been made. */
VKP_MUST_USE vkp_status vkp_graph_backward(vkp_graph *graph, uint32_t first, uint32_t last, vkp_value loss,
                                           const vkp_tensor *seed, const vkp_value *wanted, uint32_t count);

#endif
