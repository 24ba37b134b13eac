#include "nn/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* In the order in which they are removed: without state.yml a folder is no checkpoint any more. */
static const char *const files[] = {"state.yml", "generator.safetensors", "discriminator.safetensors",
                                    "optimizer.safetensors"};
enum { STATE, GENERATOR, DISCRIMINATOR, OPTIMIZER, FILES, NAME_ROOM = 64 };

static const char best_prefix[] = "best_epoch_", step_prefix[] = "step_";

/* What a name ends in while a checkpoint is written, and while it is replaced or removed. */
#define BESIDE ".tmp"
#define OLD ".old"

typedef struct path {
    char text[4096];
} path;

static vkp_status make_path(path *p, const char *folder, const char *name, const char *suffix)
{
    const int n = snprintf(p->text, sizeof p->text, "%s/%s%s", folder, name, suffix);
    if (n > 0 && (size_t)n < sizeof p->text) return VKP_OK;
    return vkp_fail(VKP_INPUT, "path of %s is too long (%d bytes; use a shorter --out)", name, n);
}

/* Removes a checkpoint's folder: only what a checkpoint holds, so nothing of the user's. Nothing is done
 * where there is none; a link to one counts as none. */
static vkp_status remove_checkpoint(const char *folder)
{
    struct stat info;
    if (lstat(folder, &info) || !S_ISDIR(info.st_mode)) return VKP_OK;
    vkp_file_sweep(folder, true);
    for (int i = 0; i < FILES; i++) {
        path p;
        VKP_TRY(make_path(&p, folder, files[i], ""));
        if (unlink(p.text) && errno != ENOENT) return vkp_fail_errno("remove", p.text, errno);
    }
    if (rmdir(folder)) return vkp_fail_errno("remove", folder, errno);
    return VKP_OK;
}

/* The last word against keeping a run that broke: what the steps watch, and what they had no reason to yet,
 * gradients that wait for D's next step. */
static vkp_status check_finite(const vkp_model *model)
{
    const vkp_params *const networks[] = {&model->generator, &model->discriminator, &model->average};
    const char *const prefixes[] = {"generator", "discriminator", "average"};
    for (int i = 0; i < (model->averaged ? 3 : 2); i++) {
        char found[VKP_PARAMS_FOUND];
        VKP_TRY(vkp_params_find_not_finite(networks[i], prefixes[i], found));
        if (*found)
            return vkp_fail(VKP_NOT_FINITE,
                            "%s is not finite (so no checkpoint is written; begin anew with a lower --set "
                            "lr, or other first weights)",
                            found);
    }
    return VKP_OK;
}

static vkp_status write_files(const char *folder, vkp_model *model, const vkp_run_state *state)
{
    vkp_params *const networks[] = {&model->generator, &model->discriminator};
    const char *const prefixes[] = {"generator", "discriminator"};
    path p;
    VKP_TRY(make_path(&p, folder, files[GENERATOR], ""));
    VKP_TRY(vkp_params_save(vkp_model_result(model), p.text));
    VKP_TRY(make_path(&p, folder, files[DISCRIMINATOR], ""));
    VKP_TRY(vkp_params_save(networks[1], p.text));
    VKP_TRY(make_path(&p, folder, files[OPTIMIZER], ""));
    VKP_TRY(vkp_optimizer_save(p.text, networks, prefixes, 2, model->averaged));
    return vkp_run_state_write(folder, state);
}

static void last_name(const vkp_run_state *state, char name[NAME_ROOM])
{
    if (state->epoch_steps)
        snprintf(name, NAME_ROOM, "%s%08" PRIu64, step_prefix, state->step);
    else
        snprintf(name, NAME_ROOM, "epoch_%03" PRIu32, state->epoch);
}

static bool begins_with(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* What a link of ours in RUN/checkpoints points to; empty where there is none. */
static vkp_status read_link(const char *folder, const char *link, path *target)
{
    path at;
    VKP_TRY(make_path(&at, folder, link, ""));
    const ssize_t n = readlink(at.text, target->text, sizeof target->text - 1);
    target->text[n > 0 ? n : 0] = 0;
    return VKP_OK;
}

/* Points folder/link to `name`; *before is what it pointed to, or empty. */
static vkp_status set_link(const char *folder, const char *link, const char *name, path *before)
{
    path at, beside;
    VKP_TRY(make_path(&at, folder, link, ""));
    VKP_TRY(make_path(&beside, folder, link, BESIDE));
    VKP_TRY(read_link(folder, link, before));
    if (unlink(beside.text) && errno != ENOENT) return vkp_fail_errno("remove", beside.text, errno);
    if (symlink(name, beside.text)) return vkp_fail_errno("make the link", beside.text, errno);
    if (rename(beside.text, at.text)) return vkp_fail_errno("rename", beside.text, errno);
    return vkp_file_sync_parent(at.text);
}

/* So that under its name a checkpoint is whole, also while it goes. */
static vkp_status step_aside(const char *checkpoint, const char *old)
{
    VKP_TRY(remove_checkpoint(old));
    if (rename(checkpoint, old) && errno != ENOENT) return vkp_fail_errno("rename", checkpoint, errno);
    return VKP_OK;
}

/* Moves a finished folder to its name; one that has it already steps aside first and is removed after. What
 * stepped aside before a kill stays until then: it may be all there is. */
static vkp_status take_name(const char *beside, const char *final, const char *old)
{
    if (vkp_folder_exists(final)) VKP_TRY(step_aside(final, old));
    if (rename(beside, final)) return vkp_fail_errno("rename", beside, errno);
    VKP_TRY(vkp_file_sync_parent(final));
    return remove_checkpoint(old);
}

static bool is_kept(const char *name, uint32_t keep_every)
{
    unsigned epoch;
    return keep_every && sscanf(name, "epoch_%u", &epoch) == 1 && epoch && epoch % keep_every == 0;
}

/* Points the link to `name` and removes what it pointed to, unless that is to be kept. */
static vkp_status move_link(const char *folder, const char *link, const char *name, uint32_t keep_every)
{
    path before, previous, old;
    VKP_TRY(set_link(folder, link, name, &before));
    if (!before.text[0] || strcmp(before.text, name) == 0 || strchr(before.text, '/') ||
        is_kept(before.text, keep_every))
        return VKP_OK;
    VKP_TRY(make_path(&previous, folder, before.text, ""));
    VKP_TRY(make_path(&old, folder, before.text, OLD));
    VKP_TRY(step_aside(previous.text, old.text));
    return remove_checkpoint(old.text);
}

/* Removes what could not be finished and leaves vkp_error() as it is: the first error is the one to tell, and
 * a rest that cannot be removed is no checkpoint anyway. */
static void give_up(const char *beside)
{
    path p;
    vkp_file_sweep(beside, true);
    for (int i = 0; i < FILES; i++)
        if (snprintf(p.text, sizeof p.text, "%s/%s", beside, files[i]) < (int)sizeof p.text) unlink(p.text);
    rmdir(beside);
}

static vkp_status write_checkpoint(const char *run, const char *name, const char *link, uint32_t keep_every,
                                   vkp_model *model, const vkp_run_state *state)
{
    path folder, final, beside, old;
    VKP_TRY(make_path(&folder, run, "checkpoints", ""));
    VKP_TRY(make_path(&final, folder.text, name, ""));
    VKP_TRY(make_path(&beside, folder.text, name, BESIDE));
    VKP_TRY(make_path(&old, folder.text, name, OLD));
    VKP_TRY(check_finite(model));
    VKP_TRY(remove_checkpoint(beside.text));
    VKP_TRY(vkp_folder_make(beside.text));
    const vkp_status status = write_files(beside.text, model, state);
    if (status != VKP_OK) {
        give_up(beside.text);
        return status;
    }
    VKP_TRY(take_name(beside.text, final.text, old.text));
    return move_link(folder.text, link, name, keep_every);
}

vkp_status vkp_checkpoint_write_last(const char *run, uint32_t keep_every, vkp_model *model,
                                     const vkp_run_state *state)
{
    char name[NAME_ROOM];
    last_name(state, name);
    return write_checkpoint(run, name, "last", keep_every, model, state);
}

vkp_status vkp_checkpoint_write_best(const char *run, vkp_model *model, const vkp_run_state *state)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%s%03" PRIu32 "_%.2fdB", best_prefix, state->best_epoch,
             state->best_val_psnr);
    return write_checkpoint(run, name, "best", 0, model, state);
}

/* Whether an entry is to be looked at: not what is unfinished, half removed, or a link to another entry. */
static bool may_be_checkpoint(const char *folder, const char *name)
{
    path at;
    struct stat info;
    if (name[0] == '.' || ends_with(name, BESIDE) || make_path(&at, folder, name, "") != VKP_OK) return false;
    if (lstat(at.text, &info) || !S_ISDIR(info.st_mode)) return false;
    if (!ends_with(name, OLD)) return true;
    return make_path(&at, folder, name, "/state.yml") == VKP_OK && vkp_file_exists(at.text);
}

/* Looks at one entry; takes it when it is whole and newer than what was found. A damaged one is passed over,
 * but not one of a later vkpix: going on from an older one would be no resuming. */
static vkp_status consider(const char *folder, const char *name, void (*warn)(void *, const char *),
                           void *user, char **best, vkp_run_state *best_state)
{
    path p;
    vkp_run_state state;
    VKP_TRY(make_path(&p, folder, name, ""));
    if (!vkp_folder_exists(p.text)) return VKP_OK;
    const vkp_status status = vkp_run_state_read(p.text, &state);
    if (status == VKP_INPUT || status == VKP_MEMORY) return status;
    if (status != VKP_OK) {
        if (warn) warn(user, vkp_error());
        return VKP_OK;
    }
    if (*best && state.step <= best_state->step) return VKP_OK;
    char *copy = malloc(strlen(p.text) + 1);
    if (!copy)
        return vkp_fail(VKP_MEMORY, "no memory for a path (host memory ran out; close other programs)");
    free(*best);
    *best = strcpy(copy, p.text);
    *best_state = state;
    return VKP_OK;
}

vkp_status vkp_checkpoint_newest(const char *run, void (*warn)(void *user, const char *text), void *user,
                                 char **found, vkp_run_state *state)
{
    *found = NULL;
    path folder, last;
    VKP_TRY(make_path(&folder, run, "checkpoints", ""));
    VKP_TRY(read_link(folder.text, "last", &last));
    /* First, so that it is taken where others are as new. */
    vkp_status status = *last.text ? consider(folder.text, last.text, warn, user, found, state) : VKP_OK;
    DIR *dir = opendir(folder.text);
    for (struct dirent *e; dir && status == VKP_OK && (e = readdir(dir));) {
        if (may_be_checkpoint(folder.text, e->d_name) && strcmp(e->d_name, last.text) != 0)
            status = consider(folder.text, e->d_name, warn, user, found, state);
    }
    if (dir) closedir(dir);
    if (status == VKP_OK && !*found)
        status =
            vkp_fail(VKP_INPUT, "%s has no whole checkpoint (looked in %s; start anew with another --out)",
                     run, folder.text);
    if (status != VKP_OK) {
        free(*found);
        *found = NULL;
    }
    return status;
}

vkp_status vkp_checkpoint_load(const char *folder, const vkp_run_state *state, vkp_model *model)
{
    vkp_params *const networks[] = {&model->generator, &model->discriminator};
    const char *const prefixes[] = {"generator", "discriminator"};
    path p;
    VKP_TRY(make_path(&p, folder, files[GENERATOR], ""));
    VKP_TRY(vkp_params_load(vkp_model_result(model), p.text));
    VKP_TRY(make_path(&p, folder, files[DISCRIMINATOR], ""));
    VKP_TRY(vkp_params_load(networks[1], p.text));
    VKP_TRY(make_path(&p, folder, files[OPTIMIZER], ""));
    VKP_TRY(vkp_optimizer_load(p.text, networks, prefixes, 2, model->averaged));
    model->generator.batches_tracked = vkp_model_result(model)->batches_tracked;
    model->g_adam_steps = state->g_adam_steps;
    model->d_adam_steps = state->d_adam_steps;
    return VKP_OK;
}

static bool is_link_of(const char *folder, const char *link, const char *name)
{
    path target;
    return read_link(folder, link, &target) == VKP_OK && strcmp(target.text, name) == 0;
}

/* Removes what was not finished, and the bests and steps that no link names any more. */
static vkp_status sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    vkp_status status = VKP_OK;
    for (struct dirent *e; dir && status == VKP_OK && (e = readdir(dir));) {
        const char *name = e->d_name;
        const bool unnamed = (begins_with(name, best_prefix) && !is_link_of(folder, "best", name)) ||
                             (begins_with(name, step_prefix) && !is_link_of(folder, "last", name));
        path p;
        if (!unnamed && !ends_with(name, BESIDE) && !ends_with(name, OLD)) continue;
        status = make_path(&p, folder, name, "");
        if (status == VKP_OK) status = remove_checkpoint(p.text);
    }
    if (dir) closedir(dir);
    return status;
}

vkp_status vkp_checkpoint_settle(const char *run, const char *resumed, uint32_t keep_every, vkp_model *model,
                                 const vkp_run_state *state)
{
    const char *name = vkp_path_base(resumed);
    char last[NAME_ROOM];
    path folder;
    last_name(state, last);
    VKP_TRY(make_path(&folder, run, "checkpoints", ""));
    if (begins_with(name, best_prefix) && !ends_with(name, OLD))
        VKP_TRY(move_link(folder.text, "best", name, 0));
    if (strcmp(name, last) == 0)
        VKP_TRY(move_link(folder.text, "last", name, keep_every));
    else if (!is_link_of(folder.text, "last", name))
        VKP_TRY(vkp_checkpoint_write_last(run, keep_every, model, state));
    return sweep(folder.text);
}
