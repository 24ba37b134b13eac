/* The pickle inside a PyTorch file: a state_dict, names to tensors that lie elsewhere.
 *
 * A pickle is a program (Python's pickletools documents it). Of its opcodes only those are known here that
 * torch.save needs for a state_dict with its default protocol, 2, and of the names that it may call only
 * collections.OrderedDict, torch._utils._rebuild_tensor_v2 and _rebuild_parameter, and the types of storages.
 * None is called: they are words that stand for what is to be built. Everything else is refused. */
#ifndef VKP_FORMATS_PICKLE_H
#define VKP_FORMATS_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "nn/safetensors.h"

enum { VKP_PICKLE_TEXT = 128 }; /* names and keys are shorter */

/* Nothing of it is checked against anything: sizes and strides are whatever the file says, from 0 on. */
typedef struct vkp_pickled_tensor {
    char name[VKP_PICKLE_TEXT];
    char storage[VKP_PICKLE_TEXT];   /* the storage's key */
    vkp_safetensors_dtype dtype;     /* F64, F32, F16, BF16 or I64 */
    uint64_t storage_count;          /* elements of the storage */
    uint64_t offset;                 /* elements before the first */
    size_t rank;
    uint64_t size[VKP_SAFETENSORS_MAX_RANK], stride[VKP_SAFETENSORS_MAX_RANK]; /* elements */
} vkp_pickled_tensor;

/* *tensors = the entries of the one dictionary that the pickle makes, *count of them in its order, malloc'd
 * (the caller frees). `name` is the file's, for messages. VKP_FORMAT: truncated, an opcode or name that is not
 * known, something else than such a dictionary, a key that comes twice; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_pickle_read(const void *bytes, size_t size, const char *name,
                                        vkp_pickled_tensor **tensors, size_t *count);

#endif
