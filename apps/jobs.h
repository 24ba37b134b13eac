/* Jobs: which pictures are to be made, and where each one goes. */
#ifndef VKPIX_JOBS_H
#define VKPIX_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct vkp_job {
    char *input, *output;
} vkp_job;

typedef struct vkp_jobs {
    const char *folder; /* the one that all outputs lie below, vkp_jobs_make's `out`; NULL: a single file */
    vkp_job *list; /* in the order of the inputs, folders in theirs (vkp_folder_list) */
    size_t count;
    size_t existing; /* left out because the output is there already */
    size_t unusable; /* inputs that could not be used at all, each reported */
} vkp_jobs;

/* Pairs every picture of the inputs (files, and folders that are searched) with its output: `out` itself for
 * a single file, unless `out` is a folder or ends in '/'; else out/NAME, where NAME is the path below the
 * input folder, or the file's base name. The extension stays where vkpix can write it; pgm and pbm become
 * ppm, others get .png in addition. Pictures that lie in `out` itself are not taken when folders are
 * searched, so that a second run does not colour the first one's results. An input given twice is taken once.
 *
 * VKP_USAGE: an extension that cannot be written, two inputs with one output, an output that is its own
 * input; VKP_INPUT, VKP_IO: the only input cannot be used (of several, those are reported and counted);
 * VKP_MEMORY. vkp_jobs_free afterwards; *jobs is empty on failure. */
VKP_MUST_USE vkp_status vkp_jobs_make(const char *const *inputs, size_t input_count, const char *out,
                                      bool skip_existing, vkp_jobs *jobs);
void vkp_jobs_free(vkp_jobs *jobs);

/* Makes the folder that `output` lies in. Below `folder` (NULL: nothing is checked) no link is followed that
 * leads out of it: VKP_INPUT. VKP_IO, VKP_MEMORY; VKP_INPUT also for a file that is in the way. */
VKP_MUST_USE vkp_status vkp_job_make_parent(const char *folder, const char *output);

#endif
