#define _XOPEN_SOURCE 700 /* realpath */
#include "jobs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/folder.h"
#include "image/picture.h"
#include "report.h"

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY,
                    "no memory for the list of pictures (host memory ran out; close other programs)");
}

/* *output = out/name with an extension that can be written. */
static vkp_status output_path(const char *out, const char *name, char **output)
{
    const char *extension = vkp_path_extension(name);
    const bool gray = strcasecmp(extension, "pgm") == 0 || strcasecmp(extension, "pbm") == 0;
    const bool kept = vkp_picture_check_path(name) == VKP_OK;
    const size_t stem = gray ? strlen(name) - strlen(extension) : strlen(name);
    char *renamed = malloc(strlen(name) + sizeof ".png");
    if (!renamed) return no_memory();
    sprintf(renamed, "%.*s%s", (int)stem, name, gray ? "ppm" : kept ? "" : ".png");
    const vkp_status status = vkp_path_join(out, renamed, output);
    free(renamed);
    return status;
}

static vkp_status add(vkp_jobs *jobs, const char *input, const char *out, const char *name)
{
    vkp_job *list = realloc(jobs->list, (jobs->count + 1) * sizeof *list);
    if (!list) return no_memory();
    jobs->list = list;
    vkp_job *job = &list[jobs->count];
    *job = (vkp_job){0};
    VKP_TRY(vkp_path_join("", input, &job->input));
    const vkp_status status =
        name ? output_path(out, name, &job->output) : vkp_path_join("", out, &job->output);
    if (status == VKP_OK) jobs->count++;
    else free(job->input);
    return status;
}

/* Whether `path` lies in `folder`, at any depth; both resolved. */
static bool is_within(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* Whether `path` was found in `out`, and `out` in the folder that is being searched. */
static bool is_result(const char *path, const char *out, const char *searched)
{
    char *resolved = realpath(path, NULL), *folder = realpath(searched, NULL), *results = realpath(out, NULL);
    const bool found =
        resolved && folder && results && is_within(results, folder) && is_within(resolved, results);
    free(resolved);
    free(folder);
    free(results);
    return found;
}

/* Adds one INPUT with all that is in it. */
static vkp_status add_input(vkp_jobs *jobs, const char *input, const char *out)
{
    const bool searched = vkp_folder_exists(input);
    vkp_folder folder;
    VKP_TRY(vkp_folder_list(input, &folder));
    vkp_status status = VKP_OK;
    for (size_t i = 0; i < folder.count && status == VKP_OK; i++)
        if (!searched || !is_result(folder.paths[i], out, input))
            status = add(jobs, folder.paths[i], out, searched ? folder.names[i] : vkp_path_base(input));
    vkp_folder_free(&folder);
    return status;
}

static vkp_status add_all(vkp_jobs *jobs, const char *const *inputs, size_t count, const char *out)
{
    const bool to_folder = vkp_folder_exists(out) || out[strlen(out) - 1] == '/';
    if (count == 1 && vkp_file_exists(inputs[0]) && !to_folder) {
        VKP_TRY(vkp_picture_check_path(out));
        return add(jobs, inputs[0], out, NULL);
    }
    jobs->folder = out;
    vkp_status status = VKP_OK;
    for (size_t i = 0; i < count && status == VKP_OK; i++) {
        status = add_input(jobs, inputs[i], out);
        if (status != VKP_INPUT && status != VKP_IO) continue;
        if (count == 1) break;
        vkp_report_error(vkp_error());
        jobs->unusable++;
        status = VKP_OK;
    }
    if (status == VKP_OK && !jobs->count && !jobs->unusable)
        status =
            vkp_fail(VKP_INPUT,
                     "nothing to colour (all pictures lie in %s, where results go; give other inputs)", out);
    return status;
}

static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static void drop(vkp_job *job)
{
    free(job->input);
    free(job->output);
    *job = (vkp_job){0};
}

static int by_output(const void *a, const void *b)
{
    const vkp_job *const *left = a, *const *right = b;
    const int order = strcmp((*left)->output, (*right)->output);
    return order ? order : (*left > *right) - (*left < *right);
}

/* Drops inputs that were given twice; two pictures cannot become one. */
static vkp_status check_outputs(vkp_jobs *jobs)
{
    vkp_job **sorted = malloc((jobs->count + 1) * sizeof *sorted);
    if (!sorted) return no_memory();
    for (size_t i = 0; i < jobs->count; i++) sorted[i] = &jobs->list[i];
    qsort(sorted, jobs->count, sizeof *sorted, by_output);
    vkp_status status = VKP_OK;
    for (size_t i = 0, kept = 0; i < jobs->count && status == VKP_OK; i++) {
        if (same_file(sorted[i]->input, sorted[i]->output)) {
            status =
                vkp_fail(VKP_USAGE,
                         "%s would replace its own input (originals are never overwritten; choose another "
                         "--out)",
                         sorted[i]->output);
        } else if (i == kept || strcmp(sorted[kept]->output, sorted[i]->output) != 0) {
            kept = i;
        } else if (same_file(sorted[kept]->input, sorted[i]->input)) {
            drop(sorted[i]);
        } else {
            status = vkp_fail(VKP_USAGE,
                              "%s and %s would both become %s (their names are the same; colour them into "
                              "different folders)",
                              sorted[kept]->input, sorted[i]->input, sorted[i]->output);
        }
    }
    free(sorted);
    return status;
}

static void remove_dropped(vkp_jobs *jobs, bool skip_existing)
{
    size_t kept = 0;
    for (size_t i = 0; i < jobs->count; i++) {
        vkp_job *job = &jobs->list[i];
        if (job->input && skip_existing && vkp_file_exists(job->output)) {
            jobs->existing++;
            drop(job);
        }
        if (job->input) jobs->list[kept++] = *job;
    }
    jobs->count = kept;
}

vkp_status vkp_jobs_make(const char *const *inputs, size_t input_count, const char *out, bool skip_existing,
                         vkp_jobs *jobs)
{
    *jobs = (vkp_jobs){0};
    vkp_status status = add_all(jobs, inputs, input_count, out);
    if (status == VKP_OK) status = check_outputs(jobs);
    remove_dropped(jobs, skip_existing);
    if (status != VKP_OK) vkp_jobs_free(jobs);
    return status;
}

/* Whether `path` is a link that leads out of `folder`, or nowhere. */
static bool leads_out(const char *path, const char *folder)
{
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISLNK(info.st_mode)) return false;
    char *target = realpath(path, NULL), *root = realpath(folder, NULL);
    const bool inside = target && root && (strcmp(target, root) == 0 || is_within(target, root));
    free(target);
    free(root);
    return !inside;
}

/* Cuts `parent` at each '/' behind the first `from` bytes, and looks. */
static vkp_status check_links(char *parent, size_t from, const char *folder, const char *output)
{
    for (char *at = parent + from;; at++) {
        if (*at && *at != '/') continue;
        const char end = *at;
        *at = 0;
        if (at > parent + from && leads_out(parent, folder))
            return vkp_fail(VKP_INPUT, "cannot write %s (the link %s leads out of %s; remove it)", output,
                            parent, folder);
        *at = end;
        if (!end) return VKP_OK;
    }
}

vkp_status vkp_job_make_parent(const char *folder, const char *output)
{
    char *parent;
    VKP_TRY(vkp_path_join("", output, &parent));
    char *slash = strrchr(parent, '/');
    vkp_status status = VKP_OK;
    if (slash && slash != parent) {
        *slash = 0;
        const size_t from = folder ? strlen(folder) : 0;
        if (folder && from < strlen(parent)) status = check_links(parent, from, folder, output);
        if (status == VKP_OK) status = vkp_folder_make(parent);
    }
    free(parent);
    return status;
}

void vkp_jobs_free(vkp_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) drop(&jobs->list[i]);
    free(jobs->list);
    *jobs = (vkp_jobs){0};
}
