/* Which pictures a run trains and validates on. */
#ifndef VKP_NN_RUN_SET_H
#define VKP_NN_RUN_SET_H

#include "data/folder.h"
#include "nn/trainer.h"

/* Indices point into the folders' lists; `val_folder` is `train_folder`'s list or one of its own. */
typedef struct vkp_run_set {
    vkp_folder train_folder, own_val_folder;
    const vkp_folder *val_folder;
    size_t *train, *val;
    size_t train_count, val_count;
} vkp_run_set;

/* Lists and splits as vkp_train says. The caller frees it with vkp_run_set_free (a zeroed one is fine). */
VKP_MUST_USE vkp_status vkp_run_set_make(const vkp_train_options *options, uint64_t seed, vkp_run_set *out);
void vkp_run_set_free(vkp_run_set *set);

#endif
