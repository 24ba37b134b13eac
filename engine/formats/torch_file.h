/* PyTorch's files: what torch.save makes of a state_dict since PyTorch 1.6, a zip archive of a pickle
 * (formats/pickle.h) and a file for each storage. Nothing in it is executed. */
#ifndef VKP_FORMATS_TORCH_FILE_H
#define VKP_FORMATS_TORCH_FILE_H

#include <stdbool.h>

#include "nn/safetensors.h"

enum { VKP_TORCH_FILE_MAX_BYTES = 1 << 28, VKP_TORCH_FILE_MAX_PICKLE = 1 << 20 };

typedef struct vkp_torch_file vkp_torch_file;

/* Whether a file that begins so can only be one of PyTorch's, readable or not. */
bool vkp_torch_file_is(const void *bytes, size_t size);

/* Opens a file's bytes, which must stay as long as *file; `name` is for messages. VKP_FORMAT: no zip archive,
 * damaged, without a pickle, of another byte order; the format before 1.6; as vkp_pickle_read. VKP_MEMORY.
 * vkp_torch_file_close afterwards; NULL is allowed there. */
VKP_MUST_USE vkp_status vkp_torch_file_open(const void *bytes, size_t size, const char *name,
                                            vkp_torch_file **file);
void vkp_torch_file_close(vkp_torch_file *file);

/* All tensors, in the order of the state_dict; data are NULL until vkp_torch_file_load, which changes the
 * list in place. It lives as long as *file. */
const vkp_safetensor *vkp_torch_file_list(const vkp_torch_file *file, size_t *count);

/* Reads all values, row-major whatever the strides were. VKP_FORMAT: a tensor that reaches beyond its
 * storage, or a storage that is missing, damaged, or of another size than the pickle says; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_torch_file_load(vkp_torch_file *file);

#endif
