/* Files and paths: whole files in, whole files out.
 *
 * Nothing is ever half-written under its final name: content goes to a temporary file in the same folder,
 * is flushed to the disk, and takes the final name by rename, which replaces an older file in one step.
 * Paths are the system's bytes, '/' separates. */
#ifndef VKP_BASE_FILE_H
#define VKP_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Reads the whole regular file `path`. On success *data is malloc'd (the caller frees), *bytes its length;
 * one zero byte, not counted, follows the content, so that text can be used as a string. On failure *data is
 * NULL and *bytes 0. VKP_INPUT: not a regular file, or larger than `limit` bytes; VKP_IO; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_file_read(const char *path, size_t limit, void **data, size_t *bytes);

/* Makes `path` hold exactly `bytes` bytes of `data` (NULL allowed when 0), or leaves what was there.
 * A link at `path` is replaced, not followed. VKP_IO says path, reason and remedy; VKP_INPUT: `path` names a
 * folder or device; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_file_write(const char *path, const void *data, size_t bytes);

/* The same in parts, for content that is not in one piece. Each writer ends in one commit or abandon. */
typedef struct vkp_file_writer vkp_file_writer;

/* Starts a temporary file beside `path`. Errors as vkp_file_write; *writer is NULL then. */
VKP_MUST_USE vkp_status vkp_file_writer_open(const char *path, vkp_file_writer **writer);
/* Appends. After a failure (VKP_IO) only abandon makes sense. */
VKP_MUST_USE vkp_status vkp_file_writer_write(vkp_file_writer *writer, const void *data, size_t bytes);
/* Flushes, renames, and frees the writer, also on failure (VKP_IO; the temporary file is gone then). */
VKP_MUST_USE vkp_status vkp_file_writer_commit(vkp_file_writer *writer);
/* Removes the temporary file and frees the writer; NULL is allowed. Leaves vkp_error() as it is. */
void vkp_file_writer_abandon(vkp_file_writer *writer);

/* Removes the temporary files in `folder` that killed processes left; this process has no writer open there.
 * Those of other processes that live stay, unless `all` says that there can be none. What cannot be removed
 * stays. */
void vkp_file_sweep(const char *folder, bool all);

/* Flushes the entries of the folder that holds `path`, so that a rename or removal there survives a power
 * cut. VKP_IO; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_file_sync_parent(const char *path);

/* Makes the folder and its missing parents; one that exists already is fine.
 * VKP_INPUT: a part of the path is not a folder; VKP_IO; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_folder_make(const char *path);

/* Whether `path` leads to a regular file / a folder, through links. */
bool vkp_file_exists(const char *path);
bool vkp_folder_exists(const char *path);

/* *joined = folder/name, malloc'd (the caller frees). An empty folder gives `name`; an absolute name is
 * joined like any other. VKP_MEMORY; *joined is NULL then. */
VKP_MUST_USE vkp_status vkp_path_join(const char *folder, const char *name, char **joined);

/* What follows the last '/', a pointer into `path`. "a/b.png" gives "b.png", "a/" gives "". */
const char *vkp_path_base(const char *path);
/* What follows the base name's last '.', a pointer into `path`: "a/b.tar.gz" gives "gz"; "" when there is
 * no dot or only a leading one (".profile"). */
const char *vkp_path_extension(const char *path);

/* Fails with "cannot ACTION PATH (ERROR's text; remedy)" for an errno value: VKP_IO; VKP_MEMORY for ENOMEM;
 * VKP_INPUT for what is wrong with this path alone, a name too long or a circle of links. */
VKP_MUST_USE vkp_status vkp_fail_errno(const char *action, const char *path, int error);

#endif
