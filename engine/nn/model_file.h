/* Model file: a generator in one safetensors file that needs nothing beside it.
 *
 * Its metadata say what the run's config.yml says elsewhere: "vkpix.config" holds every key of the settings,
 * a line KEY=VALUE each, "vkpix.version" the vkpix that wrote it. To others it is safetensors like any. */
#ifndef VKP_NN_MODEL_FILE_H
#define VKP_NN_MODEL_FILE_H

#include <stdbool.h>

#include "nn/config.h"
#include "nn/safetensors.h"

/* The settings that the file's metadata hold: *config is preset train01 with them; *configured is false, and
 * *config untouched, when there are none. VKP_FORMAT: a line that is no setting of this vkpix's. `name` is
 * the file's, for that message. */
VKP_MUST_USE vkp_status vkp_model_file_config(const vkp_safetensors *file, const char *name,
                                              vkp_config *config, bool *configured);

/* Writes all tensors of a generator's file to `path`, atomically, with the settings (NULL: none are known).
 * `half`: F32 tensors as F16, rounded to the nearest, ties to even. `name` is the generator's file, for
 * messages. VKP_INPUT: a value with no F16 near it: 65520 and beyond, NaN, infinite; names the tensor.
 * VKP_FORMAT: a tensor that is neither F32, F16 nor I64; VKP_MEMORY; VKP_IO and VKP_INPUT as
 * vkp_file_write. */
VKP_MUST_USE vkp_status vkp_model_file_write(const char *path, const vkp_safetensors *file, const char *name,
                                             const vkp_config *config, bool half);

#endif
