/* state.yml: where a run stands, and the word for the other files of its checkpoint.
 *
 * A checkpoint is a folder with generator.safetensors, discriminator.safetensors, optimizer.safetensors and
 * state.yml. state.yml is written last and holds the lengths and XXH3 checksums of the other three, and in its
 * last line the checksum of all that stands before: a checkpoint is whole exactly when vkp_run_state_read
 * succeeds. Its first line is its format. Format 1, of the first vkpix, has neither the lengths nor the last line;
 * it is still read. */
#ifndef VKP_NN_RUN_STATE_H
#define VKP_NN_RUN_STATE_H

#include <stdint.h>

#include "base/status.h"

/* The sums of an unfinished epoch's steps, from which log.csv's means are made. */
enum { VKP_SUM_D_ADV, VKP_SUM_G_ADV, VKP_SUM_G_L1, VKP_SUM_PSNR, VKP_SUM_COUNT };

typedef struct vkp_run_state {
    char version[64];      /* of the vkpix that wrote it */
    uint32_t epoch;        /* epochs finished */
    uint32_t epoch_steps;  /* steps done in the epoch that is not finished; 0 between epochs */
    uint64_t step;         /* steps done in all */
    uint32_t seed;         /* of the run: order, augmentation and first weights follow from it */
    uint32_t d_batches;    /* batches whose gradients wait for D's next Adam step (d_every) */
    uint64_t g_adam_steps; /* Adam steps taken, for the bias corrections */
    uint64_t d_adam_steps;
    uint32_t best_epoch;   /* 0: nothing validated yet */
    double best_val_psnr;  /* dB; NaN when nothing is validated yet */
    double seconds;        /* of training, all sessions together */
    double epoch_sums[VKP_SUM_COUNT];
} vkp_run_state;

/* Writes FOLDER/state.yml, atomically, for the three files that are there already. VKP_IO: one of them is
 * missing, or as vkp_file_write; VKP_INTERNAL: a number that is not finite; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_run_state_write(const char *folder, const vkp_run_state *state);

/* Reads FOLDER/state.yml and checks the three files against it. VKP_FORMAT: damaged, missing, unknown or
 * impossible entries, or a file that is not the one state.yml was written with; VKP_INPUT: whole, but of a later
 * format; VKP_IO: a file is missing; VKP_MEMORY. *state is undefined on failure. */
VKP_MUST_USE vkp_status vkp_run_state_read(const char *folder, vkp_run_state *state);

#endif
