/* The trainer: a run from a folder of photographs to checkpoints, logs, figures and previews. */
#ifndef VKP_NN_TRAINER_H
#define VKP_NN_TRAINER_H

#include <signal.h>

#include "nn/step.h"

/* Where a run is, for whoever shows progress. */
typedef struct vkp_train_progress {
    uint32_t epoch, epochs; /* current, from 1, and in all */
    uint32_t step, steps;   /* steps done in this epoch, and in all of it (as far as known) */
    uint64_t steps_done;    /* in the whole run */
    vkp_losses losses;      /* of the latest step */
    double steps_per_second;
    double seconds_left;                 /* of the run; NaN while unknown */
    double device_idle;                  /* share of the epoch's time in which it waited for pictures */
    bool epoch_ended;                    /* the row below is new */
    double train_psnr, val_psnr, val_l1; /* of the epoch; NaN where there is none */
} vkp_train_progress;

typedef struct vkp_train_options {
    const char *data;     /* folder of photographs */
    const char *out;      /* RUN: made; must not hold a run already unless `resume` */
    const char *val;      /* folder to validate on, or NULL: folds */
    uint32_t folds, fold; /* 0 folds: not given */
    bool resume, augment, shuffle;
    const char *init_g, *init_d;                                      /* first weights, or NULL */
    uint64_t max_steps;                                               /* 0: no limit */
    double max_minutes;                                               /* 0: no limit */
    int threads;                                                      /* decoders; 0: chosen */
    uint64_t max_pixels;                                              /* of a picture: vkp_picture_read */
    void (*progress)(void *user, const vkp_train_progress *progress); /* NULL is fine */
    void (*message)(void *user, const char *text); /* one line without a newline; NULL is fine */
    void *user;
    const volatile sig_atomic_t *stop; /* becomes true: finish the step, write a checkpoint, return VKP_OK */
} vkp_train_options;

/* Trains as `config` says. Pictures under `data` are sorted by name; with `val` all of them are trained on,
 * else 10 folds (or `folds`) hold one out, unless there are fewer than 10 pictures or neither is given
 * without shuffling: then nothing is validated. A resumed run continues bit for bit, with the settings of
 * RUN/config.yml, of which only epochs, checkpoint_every and preview_every may change, and the division of
 * pictures in RUN/split.yml, which need not be given again.
 *
 * In `out`: lock (nn/run_lock.h), config.yml, split.yml, log.csv, steps.csv, figures/, previews/, checkpoints/, and
 * variants.txt where the device has a chooser (ops/variant.h). Errors: INPUT, IO, USAGE,
 * DEVICE_MEMORY, NOT_FINITE (names step and tensor; the last good checkpoint stays), DEVICE_LOST. */
VKP_MUST_USE vkp_status vkp_train(vkp_device *device, const vkp_config *config,
                                  const vkp_train_options *options);

#endif
