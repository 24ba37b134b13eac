/* The tuner: which variant of an operation is taken for a shape on this device.
 *
 * Where it knows nothing better, the fastest of a contest (tune/contest.h); choices are kept in a file
 * (tune/choices.h). When a program is written, a variant is taken from, in this order: what was taken before
 * in this process; what the chooser's load() took, for a run that goes on; the file; a contest among the
 * variants meant for this kind of device, as long as first_use_seconds last; the list's order. What the order
 * gave because the seconds were over goes into the file too, since two runs of one command are to give the
 * same bits; only vkp_tuner_run thinks it over again. A choice that was not made in this process is checked
 * before it is used, but for software devices, where the check would take longer than it saves: there only
 * variants that need proof. */
#ifndef VKP_TUNE_TUNER_H
#define VKP_TUNE_TUNER_H

#include "tune/contest.h"

typedef void vkp_tuner_progress(void *user, const vkp_contest_row *row);

typedef struct vkp_tuner_options {
    const char *path;             /* the file, or NULL: nothing is kept */
    double first_use_seconds;     /* in all, for shapes that are met while programs are written; 0: none */
    vkp_tuner_progress *progress; /* hears of first uses that were tried; NULL is fine */
    void *user;
} vkp_tuner_options;

typedef struct vkp_tuner vkp_tuner;

/* Makes a tuner and the device's chooser of it. vkp_tuner_destroy before the device is closed. MEMORY. */
VKP_MUST_USE vkp_status vkp_tuner_create(vkp_device *device, const vkp_tuner_options *options,
                                         vkp_tuner **out);
/* The device's tuner; NULL when it has none. */
vkp_tuner *vkp_tuner_of(const vkp_device *device);
/* Writes what is new to the file, where that is possible, and frees it; NULL is allowed. */
void vkp_tuner_destroy(vkp_tuner *tuner);

/* From now on notes the shapes that programs are written for, and leaves the choice to the order; or stops.
 */
void vkp_tuner_collect(vkp_tuner *tuner, bool on);

/* What vkp_tuner_run tries. */
typedef struct vkp_tuner_plan {
    double seconds; /* in all */
    bool again;     /* also shapes that have a winner from an earlier time */
    bool all;       /* also variants that are meant for other kinds of devices */
} vkp_tuner_plan;

/* Holds a contest for each shape collected; `progress` hears of each as it is done. *left is the number of
 * shapes for which the time did not suffice. Writes the file. IO; errors of the device. */
VKP_MUST_USE vkp_status vkp_tuner_run(vkp_tuner *tuner, const vkp_tuner_plan *plan,
                                      vkp_tuner_progress *progress, void *user, size_t *left);

#endif
