/* Model file: a generator in one safetensors file that needs nothing beside it.
 *
 * Its metadata say what the run's config.yml says elsewhere: "vkpix.config" holds every key of the settings,
 * a line KEY=VALUE each, "vkpix.version" the vkpix that wrote it. To others it is safetensors like any. */
#ifndef VKP_NN_MODEL_FILE_H
#define VKP_NN_MODEL_FILE_H

#include <stdbool.h>

#include "nn/config.h"
#include "nn/safetensors.h"

#define VKP_MODEL_FILE_CONFIG "vkpix.config"
#define VKP_MODEL_FILE_VERSION "vkpix.version"

/* The settings that the file's metadata hold: *config is preset train01 with them; *configured is false, and
 * *config untouched, when there are none. VKP_FORMAT: a line that is no setting of this vkpix's. `name` is
 * the file's, for that message. */
VKP_MUST_USE vkp_status vkp_model_file_config(const vkp_safetensors *file, const char *name,
                                              vkp_config *config, bool *configured);

/* The settings as the metadata have them, malloc'd (the caller frees); NULL when memory ran out. */
char *vkp_model_file_settings(const vkp_config *config);

/* Makes *tensor, F32 with its bytes given, one of F16, rounded to the nearest, ties to even: *halves holds
 * the values, malloc'd (the caller frees, also on failure). VKP_INPUT: a value with no F16 near it: 65520 and
 * beyond, NaN, infinite; names the tensor, and `name`, the file. VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_model_file_halve(vkp_safetensor *tensor, const char *name, uint16_t **halves);

/* Writes tensors of a generator's file to `path`, atomically, with the settings (NULL: none are known).
 * `half`: F32 tensors as F16 (vkp_model_file_halve). `name` is the file they come from, for messages.
 * VKP_FORMAT: a tensor that is neither F32, F16 nor I64; VKP_MEMORY; VKP_INPUT as vkp_model_file_halve;
 * VKP_IO and VKP_INPUT as vkp_file_write. */
VKP_MUST_USE vkp_status vkp_model_file_write(const char *path, const vkp_safetensor *list, size_t count,
                                             const char *name, const vkp_config *config, bool half);

#endif
