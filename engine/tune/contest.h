/* Contests between the variants that fit a use: who computes rightly here, and who is the fastest.
 *
 * A variant is first held against the plain form on a small case of the same kind; one that gives NaN,
 * nothing but zeros, or another result is out. Those left are timed: the median of a few runs, fewer where
 * one is clearly slower. A variant further down the list must win by 3 %, or noise would choose. */
#ifndef VKP_TUNE_CONTEST_H
#define VKP_TUNE_CONTEST_H

#include "tune/trial.h"

enum { VKP_CONTEST_VARIANTS = 32 };

/* What became of one variant. */
typedef struct vkp_contest_result {
    const char *name;
    double milliseconds; /* median; 0: it was not timed */
    double error;        /* against the plain form; see vkp_trial_error */
    bool out;            /* it is wrong, or cannot be made here */
    char why[160];       /* why it is out or was not timed; "" otherwise */
} vkp_contest_result;

/* What became of one shape. */
typedef struct vkp_contest_row {
    vkp_use use;
    vkp_contest_result results[VKP_CONTEST_VARIANTS];
    size_t count;
    const char *winner; /* the variant that is taken */
    bool measured;      /* it won; otherwise it is what the order gives, or, where that is out, the plain
                           form, and `why` says why */
    bool stored;        /* nothing was tried: it won an earlier time */
    char why[160];
} vkp_contest_row;

/* Tries the variants that fit, of those only what is meant for this kind of device unless `all`, until the
 * clock of vkp_contest_seconds shows `deadline`; where it ends before all were tried, nobody wins.
 * DEVICE_LOST, MEMORY, SHAPE; whatever else goes wrong stands in *row. */
VKP_MUST_USE vkp_status vkp_contest_hold(vkp_device *device, const vkp_use *use, bool all, double deadline,
                                         vkp_contest_row *row);
double vkp_contest_seconds(void);

/* Only the check of one variant. DEVICE_LOST, MEMORY. */
VKP_MUST_USE vkp_status vkp_contest_prove(vkp_device *device, const vkp_use *use, const vkp_variant *variant,
                                          bool *right);

/* Whether after this error nothing more can be tried. */
bool vkp_contest_is_fatal(vkp_status status);

/* A row for people: "conv2d_forward (4,32,80,80) k3: lanes 3.21 ms, thin 4.80 ms -> lanes". */
void vkp_contest_text(const vkp_contest_row *row, char *text, size_t room);

#endif
