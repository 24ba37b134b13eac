/* What an operation is, and the list of all of them.
 *
 * Adding one is two new files and a line: engine/ops/foo.c defines `const vkp_op vkp_op_foo`,
 * shaders/foo_*.comp compute it, and VKP_OP(foo) in ops.def registers it. With the line come its tests
 * (forward against `reference`, gradients against finite differences of `reference`, guard words around
 * every tensor, zero padding), its benchmark row and its row in the table of docs. */
#ifndef VKP_OPS_OP_H
#define VKP_OPS_OP_H

#include "ops/tensor.h"

#define VKP_MAX_IN 6
#define VKP_MAX_OUT 4

typedef enum vkp_activation { VKP_LINEAR, VKP_RELU, VKP_LEAKY_RELU, VKP_TANH } vkp_activation;

/* The attributes of every operation, by PyTorch's names; an operation reads those it documents. */
typedef struct vkp_attr {
    uint32_t kernel, stride, padding;
    uint32_t upsample; /* conv2d: nearest upsampling of the input by this factor before it (0 or 1: none) */
    uint32_t factor;          /* pooling and upsampling; norm: of `pooled`, 0: none */
    vkp_activation activation;
    bool training;            /* norm: batch statistics, not running ones */
    bool statistics;          /* conv2d: also makes those of its result, for the norm behind it */
    uint32_t pictures;        /* norm, conv2d's statistics: so many consecutive pictures share statistics;
                                 0: all (BatchNorm), 1: each has its own (InstanceNorm) */
    uint32_t mode;            /* losses and others: see the operation */
    bool pooled_only;         /* norm: what is not pooled is not wanted */
    float slope;              /* LeakyReLU */
    float eps, momentum;
    float weight[4];          /* weighted sums */
    float scale;
} vkp_attr;

/* Which pictures of an operation's activations belong together. Of the others it can be computed alone. */
typedef enum vkp_pictures {
    VKP_PICTURES_TOGETHER, /* all: an output may depend on every picture */
    VKP_PICTURES_APART,    /* none: a picture of the outputs follows from that picture of the inputs */
    VKP_PICTURES_GROUPED,  /* each attr.pictures that follow each other (0: all) */
} vkp_pictures;

typedef struct vkp_op vkp_op;
typedef struct vkp_variant vkp_variant;   /* ops/variant.h */
typedef struct vkp_variants vkp_variants;
typedef struct vkp_chooser vkp_chooser;

/* One use of an operation: what it reads and writes. A tensor whose buffer is 0 is not there. */
typedef struct vkp_node {
    const vkp_op *op;
    vkp_attr attr;
    vkp_tensor in[VKP_MAX_IN], out[VKP_MAX_OUT];
    /* Backward: gradients by the outputs, given, and by the inputs, wanted. add[i]: d_in[i] holds a
     * gradient already, and this one is added to it. */
    vkp_tensor d_out[VKP_MAX_OUT], d_in[VKP_MAX_IN];
    bool add[VKP_MAX_IN];
    char label[48];
} vkp_node;

/* How an operation uses one of its inputs or outputs. */
typedef enum vkp_role {
    VKP_NONE,       /* there is none at this place */
    VKP_ACTIVATION, /* padded rows */
    VKP_PARAMETER,  /* packed rows; also for statistics and scalars */
    VKP_CONSTANT,   /* padded rows, no gradient (a target, a mask) */
    VKP_STATE,      /* packed rows, no gradient (running statistics, optimizer state, counters) */
} vkp_role;

typedef struct vkp_place {
    const char *name;
    vkp_role role;
    float low, high; /* tests draw its values from here; both 0: from the case's range */
} vkp_place;

/* One set of shapes and attributes that tests and benchmarks go through. The shapes of the outputs follow.
 * The last case with `large` set is the benchmark's. */
typedef struct vkp_case {
    vkp_shape in[VKP_MAX_IN]; /* n == 0: this optional input is absent */
    vkp_attr attr;
    float low, high;          /* inputs are drawn from here; both 0: -1 to 1 */
    bool large;               /* only for benchmarks, too slow for the CPU reference */
} vkp_case;

typedef enum vkp_direction { VKP_FORWARD, VKP_BACKWARD } vkp_direction;

struct vkp_op {
    const char *name, *summary; /* the summary is the row of the table in docs */
    vkp_place in[VKP_MAX_IN], out[VKP_MAX_OUT];
    vkp_pictures pictures; /* which of them can be computed alone; tests/test_ops.c proves it */

    /* Fills the shapes of node->out from node->in and the attributes; SHAPE when they do not fit. */
    vkp_status (*shape)(const vkp_node *node, vkp_shape out[VKP_MAX_OUT]);

    /* Adds the dispatches of one direction to the program. Backward writes (or adds to) those of d_in that
     * are there; NULL for what has no derivative (an optimizer's step, a metric). */
    vkp_status (*forward)(vkp_program *program, const vkp_node *node);
    vkp_status (*backward)(vkp_program *program, const vkp_node *node);

    /* Where there are several ways to compute it: a list for each direction, used by the two above. */
    const vkp_variants *variants;
    size_t variants_count;

    /* The plain definition in double precision on dense NCHW arrays; in[i] is NULL when absent. The node
     * gives shapes and attributes. No cleverness here: it is what everything else is checked against. */
    void (*reference)(const vkp_node *node, const double *const in[VKP_MAX_IN],
                      double *const out[VKP_MAX_OUT]);

    /* Multiplications and additions of the operation's own mathematics; NULL: memory bound, not counted. */
    double (*flop)(const vkp_node *node, vkp_direction direction);

    /* Optional: makes the values of input i (dense, float each) for the tests where random numbers make no
     * sense, a table of indices say; returns false for inputs that are to be random. */
    bool (*fill)(const vkp_node *node, uint32_t i, float *values);

    const vkp_case *cases;
    size_t case_count;
    double tolerance; /* normalized root mean square error allowed against the reference; 0: 2e-6 */
};

/* All operations, in the order of ops.def. */
#define VKP_OP(name) extern const vkp_op vkp_op_##name;
#include "ops/ops.def"
#undef VKP_OP
extern const vkp_op *const vkp_ops[];
extern const size_t vkp_op_count;

/* The pictures of a node: those of the first of its outputs that is there. */
uint32_t vkp_node_count(const vkp_node *node);

/* How many pictures of a node's outputs are the least that can be computed alone; all of them where
 * they belong together. */
uint32_t vkp_node_unit(const vkp_node *node);

/* The node for pictures [first, first + count) alone, whole units, in place: its activations and constants
 * are cut, and those states that have a row for each picture or unit. The gradients are left as they are. */
vkp_node vkp_node_pictures(const vkp_node *node, uint32_t first, uint32_t count);

/* A shape for an error text: "(1,3,8,8)". `text` holds at least 48 bytes; returns it. */
const char *vkp_shape_text(vkp_shape shape, char *text);

#endif
