/* The tensors of one network: parameters that are trained, and statistics that go with them, by the names
 * of PyTorch's state_dict. On the device they lie in one buffer, the trained ones first, so that the
 * optimizer takes all of them in one pass; gradients and Adam's moments have the same places. */
#ifndef VKP_NN_PARAMS_H
#define VKP_NN_PARAMS_H

#include "graph/graph.h"
#include "nn/safetensors.h"

enum { VKP_MAX_PARAMS = 160 };

typedef struct vkp_param {
    char name[40];
    vkp_shape shape; /* packed; as PyTorch's for rank 4, (1,c,1,1) for rank 1 */
    uint32_t rank;   /* in files: 4 or 1 */
    bool trained;
    bool zero_grad; /* trained, but its gradient is zero by algebra: never computed */
    float bound; /* first values: uniform in +-bound, or, when 0, all `fill` */
    float fill;
    uint64_t offset; /* floats from the start of the buffers, a multiple of 64 */
} vkp_param;

/* The shape in files: its `rank` first sizes. */
void vkp_param_shape(const vkp_param *param, size_t shape[4]);
/* "enc1.1.num_batches_tracked" for "enc1.1.running_mean"; false for tensors without a counter beside them. */
bool vkp_param_counter(const vkp_param *param, char *name, size_t room);

/* Zero it, declare, allocate; vkp_params_free at the end. */
typedef struct vkp_params {
    vkp_param list[VKP_MAX_PARAMS];
    uint32_t count;
    int network; /* a generator's kind, vkp_config_network */
    uint64_t trained, total; /* floats of the trained part, and of all */
    vkp_device *device;
    vkp_buffer values;
    vkp_buffer grads;        /* the trained part; empty unless allocated for training */
    vkp_buffer moments;      /* Adam's exp_avg and exp_avg_sq in turn for each element of the trained part */
    int64_t batches_tracked; /* forward passes in training, BatchNorm's num_batches_tracked */
} vkp_params;

/* Declares a trained tensor of `rank` dimensions that starts uniform in +-bound (bound > 0) or as `fill`;
 * with trained false a statistic. INTERNAL when there are too many. */
VKP_MUST_USE vkp_status vkp_params_declare(vkp_params *params, const char *name, uint32_t rank,
                                           vkp_shape shape, bool trained, float bound, float fill);

/* Gives all declared tensors their places and device memory; `training` also for gradients and moments,
 * which start at zero. Values are undefined. DEVICE_MEMORY. */
VKP_MUST_USE vkp_status vkp_params_allocate(vkp_params *params, vkp_device *device, bool training);
void vkp_params_free(vkp_params *params);

/* Sets every tensor to its first values, computed on the device from `seed`. `network` (0, 1, ...) keeps
 * the numbers of two networks apart. */
VKP_MUST_USE vkp_status vkp_params_initialize(vkp_params *params, uint64_t seed, uint32_t network);

/* Reads and writes a state_dict as safetensors (F32, F16 read too); BatchNorm's num_batches_tracked is
 * written as I64 and read when there. Extra tensors in the file are an error: it is another network's.
 * VKP_FORMAT names the tensor that is missing, has another shape, or is not expected. */
VKP_MUST_USE vkp_status vkp_params_load(vkp_params *params, const char *path);
/* The same of a file that is open already; `name` is for messages. */
VKP_MUST_USE vkp_status vkp_params_load_file(vkp_params *params, const vkp_safetensors *file,
                                             const char *name);
VKP_MUST_USE vkp_status vkp_params_save(const vkp_params *params, const char *path);

enum { VKP_PARAMS_FOUND = 96 };
/* Looks for a number that is NaN or infinite: in gradients, then moments (each if it has them), then values.
 * `found` becomes "" or "the gradient of PREFIX.NAME" and the like; of several tensors the last is named,
 * at which walking backward began to fail. MEMORY, DEVICE. */
VKP_MUST_USE vkp_status vkp_params_find_not_finite(const vkp_params *params, const char *prefix,
                                                   char found[VKP_PARAMS_FOUND]);

/* The optimizer's state, and the gradients that wait for its next step, of several networks in one file:
 * PREFIX.NAME.exp_avg, PREFIX.NAME.exp_avg_sq, PREFIX.NAME.grad; for the first `with_values` of them also
 * PREFIX.NAME.value, where the network's own file holds an average of them. A gradient that is zero by
 * algebra is zero after loading whatever the file says. */
VKP_MUST_USE vkp_status vkp_optimizer_save(const char *path, vkp_params *const *params,
                                           const char *const *prefixes, uint32_t count, uint32_t with_values);
VKP_MUST_USE vkp_status vkp_optimizer_load(const char *path, vkp_params *const *params,
                                           const char *const *prefixes, uint32_t count, uint32_t with_values);

/* A network's tensors as values of one graph. */
typedef struct vkp_bound_params {
    const vkp_params *params;
    vkp_graph *graph;
    vkp_tensor values_tensor;         /* all of them, flat (1,1,1,total) */
    vkp_value values[VKP_MAX_PARAMS]; /* in the order of params->list */
} vkp_bound_params;

/* Adds them to a graph. Gradients of the trained ones go to params->grads in the given way. */
VKP_MUST_USE vkp_status vkp_params_bind(const vkp_params *params, vkp_graph *graph, vkp_grads mode,
                                        vkp_bound_params *out);

/* The value of "NAME" (formatted as printf does), or 0 when this network has no such tensor. */
vkp_value vkp_bound_find(const vkp_bound_params *bound, const char *format, ...) VKP_PRINTF(2, 3);

/* Lists the trained values whose gradients are to be computed, for vkp_graph_backward; returns how many.
 * Those of zero_grad are not among them: no walk writes theirs, which stay zero from the start. */
uint32_t vkp_bound_trained(const vkp_bound_params *bound, vkp_value trained[VKP_MAX_PARAMS]);

#endif
