/* Runs: what a folder of training runs holds, for looking at while they go on. Only reads, and every name
 * that comes from outside is looked up in the folder's own listing: no path is ever made of it. */
#ifndef VKP_SERVE_RUNS_H
#define VKP_SERVE_RUNS_H

#include <cjson/cJSON.h>

#include "base/status.h"

typedef struct vkp_runs vkp_runs;

/* Watches `folder`: a run itself, or one whose sub-folders are runs (those with a config.yml and a log.csv;
 * they may come and go). VKP_INPUT: no folder; VKP_MEMORY. vkp_runs_close afterwards; NULL is fine there. All
 * calls below may come from any thread. */
VKP_MUST_USE vkp_status vkp_runs_open(const char *folder, vkp_runs **out);
void vkp_runs_close(vkp_runs *runs);

/* An array with an object a run, the one with the latest step first: name, epoch (finished ones), epochs,
 * steps, running (it has epochs left, and took a step within the last minute or three usual steps), updated
 * (seconds since the latest), val_psnr (the latest; null: none), has_weights. A run that cannot be read has
 * `error` instead. cJSON_Delete afterwards. VKP_IO, VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_runs_list(vkp_runs *runs, cJSON **list);

/* One run: what the list says, and settings (key: value as --set takes it), log (column: values by epoch,
 * null where a field is empty), curve (step, d_adv, g_adv, g_l1: at most 512 means over equally many steps),
 * previews (their epochs), steps_per_second and seconds_left (null while unknown). VKP_USAGE: no such run;
 * VKP_FORMAT, VKP_INPUT, VKP_IO: it cannot be read; VKP_MEMORY. cJSON_Delete afterwards. */
VKP_MUST_USE vkp_status vkp_runs_describe(vkp_runs *runs, const char *name, cJSON **run);

/* The path of a run, and of the preview after an epoch; malloc'd (the caller frees). VKP_USAGE: no such run;
 * VKP_MEMORY. The preview may not be there. */
VKP_MUST_USE vkp_status vkp_runs_path(vkp_runs *runs, const char *name, char **path);
VKP_MUST_USE vkp_status vkp_runs_preview(vkp_runs *runs, const char *name, unsigned epoch, char **path);

#endif
