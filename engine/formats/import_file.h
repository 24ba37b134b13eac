/* Weights from elsewhere: a state_dict in PyTorch's own format (formats/torch_file.h) or safetensors, as a
 * file of vkpix's. */
#ifndef VKP_FORMATS_IMPORT_FILE_H
#define VKP_FORMATS_IMPORT_FILE_H

#include "nn/recognize.h"

/* What was found and written. */
typedef struct vkp_imported {
    vkp_network_kind kind;
    size_t tensors;
    bool configured; /* settings stand in the file's metadata */
} vkp_imported;

/* Reads `from`, whose tensors must be those of one of vkpix's networks by PyTorch's names, "module." or
 * "_orig_mod." before all of them left out, and writes them to `to`, atomically; F64 and BF16 become F32, F16
 * stays. The settings written with a generator are those of `preset`; where that is NULL those that
 * a safetensors file has, else for `natural` those of its preset, else none.
 * VKP_FORMAT: as vkp_torch_file_open, vkp_torch_file_load and vkp_safetensors_open; no network of vkpix's; a
 * value that is not finite. VKP_USAGE: no such preset, or one of another network. VKP_INPUT, VKP_IO, VKP_MEMORY as
 * vkp_file_read and vkp_file_write. */
VKP_MUST_USE vkp_status vkp_import_file(const char *from, const char *to, const char *preset,
                                        vkp_imported *imported);

#endif
