/* Checkpoints: RUN/checkpoints/NAME/{generator,discriminator,optimizer}.safetensors and state.yml (where a run
 * averages its weights, generator is the average, and the weights themselves are in optimizer), and the
 * links `last` and `best` to the newest and the best. NAME is epoch_NNN after an epoch, step_NNNNNNNN within one,
 * best_epoch_NNN_NN.NNdB for the best. A checkpoint is written beside and renamed: under its name it is whole,
 * and a kill at any moment leaves the one before. */
#ifndef VKP_NN_CHECKPOINT_H
#define VKP_NN_CHECKPOINT_H

#include "nn/run_state.h"
#include "nn/step.h"

/* Writes the checkpoint of where the run stands and points `last`, or `best`, to it. What the link named
 * before is removed, but for epoch_N with N a multiple of `keep_every` (0: none). An older checkpoint of this
 * name is replaced. NOT_FINITE: a number of the model is not, which the text names; IO, MEMORY, DEVICE. After a
 * failure the earlier checkpoints are as they were. */
VKP_MUST_USE vkp_status vkp_checkpoint_write_last(const char *run, uint32_t keep_every, vkp_model *model,
                                                  const vkp_run_state *state);
VKP_MUST_USE vkp_status vkp_checkpoint_write_best(const char *run, vkp_model *model,
                                                  const vkp_run_state *state);

/* Finds RUN's newest whole checkpoint; *path is malloc'd (the caller frees it). Damaged ones are passed over,
 * each told to `warn` (NULL is fine). VKP_INPUT when there is none, or when there is one of a later vkpix. */
VKP_MUST_USE vkp_status vkp_checkpoint_newest(const char *run, void (*warn)(void *user, const char *text),
                                              void *user, char **path, vkp_run_state *state);

/* Reads the model's tensors from a checkpoint that vkp_checkpoint_newest gave. */
VKP_MUST_USE vkp_status vkp_checkpoint_load(const char *path, const vkp_run_state *state, vkp_model *model);

/* Brings to its end what a kill in the middle of writing left, after the model was loaded from `path`: both links
 * name what they should, and what was not finished, or not yet removed, is gone. Errors as writing. */
VKP_MUST_USE vkp_status vkp_checkpoint_settle(const char *run, const char *path, uint32_t keep_every,
                                              vkp_model *model, const vkp_run_state *state);

#endif
