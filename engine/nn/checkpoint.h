/* Checkpoints: RUN/checkpoints/NAME/{generator,discriminator,optimizer}.safetensors and state.yml (where a
 * run averages its weights, generator is the average, and the weights themselves are in optimizer), and the
 * links `last` and `best` to the newest and the best. A checkpoint is written beside and renamed: under its
 * name it is whole, and a kill at any moment leaves the one before. */
#ifndef VKP_NN_CHECKPOINT_H
#define VKP_NN_CHECKPOINT_H

#include "nn/run_state.h"
#include "nn/step.h"

/* Writes RUN/checkpoints/NAME and points `link` ("last", "best") to it. What the link named before is
 * removed, unless it is epoch_N with N a multiple of `keep_every` (0: always removed). An older checkpoint of
 * this name is replaced. IO, MEMORY, DEVICE. */
VKP_MUST_USE vkp_status vkp_checkpoint_write(const char *run, const char *name, const char *link,
                                             uint32_t keep_every, vkp_model *model,
                                             const vkp_run_state *state);

/* Finds RUN's newest whole checkpoint; *path is malloc'd (the caller frees it). Damaged ones are passed over,
 * each told to `warn` (NULL is fine). VKP_INPUT when there is none. */
VKP_MUST_USE vkp_status vkp_checkpoint_newest(const char *run, void (*warn)(void *user, const char *text),
                                              void *user, char **path, vkp_run_state *state);

/* Reads the model's tensors from a checkpoint that vkp_checkpoint_newest gave. */
VKP_MUST_USE vkp_status vkp_checkpoint_load(const char *path, const vkp_run_state *state, vkp_model *model);

#endif
