/* What a command says: lines and progress on standard error, JSON on standard output. */
#ifndef VKPIX_REPORT_H
#define VKPIX_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/status.h"

/* Copies a name so that it stays on its line, whatever a file is called: control characters become '?'. */
void vkp_one_line(const char *name, char *line, size_t room);

/* A line "vkpix: TEXT" on standard error, cut at 8 KiB, which two of the longest paths fill. */
void vkp_report(const char *format, ...) VKP_PRINTF(1, 2);

/* A line "vkpix: error: TEXT" on standard error, for vkp_error() or another of the library's texts. */
void vkp_report_error(const char *text);

/* Prints the document on standard output and frees it; bytes that are no UTF-8 become '?'. VKP_MEMORY, also
 * when `document` is NULL. */
VKP_MUST_USE vkp_status vkp_print_json(cJSON *document);

/* Whether all that was printed on standard output has arrived there. VKP_IO. */
VKP_MUST_USE vkp_status vkp_finish_output(void);

/* Progress of `total` pieces of work on standard error: a bar that is drawn anew on a terminal, else a plain
 * line every few seconds. Zero it, set total and unit ("pictures"). */
typedef struct vkp_progress {
    size_t total;
    const char *unit;
    double started, shown; /* seconds; 0 before the first step */
} vkp_progress;

/* `done` pieces are done. `note` says more, such as the file at hand; "" for nothing. */
void vkp_progress_show(vkp_progress *progress, size_t done, const char *note);

#endif
