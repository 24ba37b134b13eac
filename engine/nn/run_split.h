/* split.yml: how a run divides its pictures, so that resuming it takes nothing but RUN and the folder. */
#ifndef VKP_NN_RUN_SPLIT_H
#define VKP_NN_RUN_SPLIT_H

#include "nn/trainer.h"

/* Writes OUT/split.yml from the options' val, folds, fold and shuffle; the path of `val` is made absolute.
 * VKP_INTERNAL: a path that YAML cannot hold (not UTF-8); errors as vkp_file_write; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_run_split_save(const vkp_train_options *options);

/* Completes the options of a run that is resumed: what they leave out comes from OUT/split.yml, whose `val`
 * is then malloc'd into *val (the caller frees it; NULL: nothing taken). A run without the file keeps the
 * options as they are. VKP_USAGE: options that would make it another run (folds, fold, --no-shuffle, or
 * folds for --val); a different `val` is taken, since folders move. VKP_FORMAT: a damaged file. */
VKP_MUST_USE vkp_status vkp_run_split_resume(vkp_train_options *options, char **val);

#endif
