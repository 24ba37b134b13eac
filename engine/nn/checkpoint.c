#include "nn/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const char *const files[] = {"generator.safetensors", "discriminator.safetensors",
                                    "optimizer.safetensors", "state.yml"};
enum { FILES = sizeof files / sizeof *files };

typedef struct path {
    char text[4096];
} path;

static vkp_status make_path(path *p, const char *folder, const char *name, const char *suffix)
{
    const int n = snprintf(p->text, sizeof p->text, "%s/%s%s", folder, name, suffix);
    if (n > 0 && (size_t)n < sizeof p->text) return VKP_OK;
    return vkp_fail(VKP_INPUT, "path of %s is too long (%d bytes; use a shorter --out)", name, n);
}

/* Removes a checkpoint's folder: only what a checkpoint holds, so nothing of the user's. */
static vkp_status remove_checkpoint(const char *folder)
{
    for (int i = 0; i < FILES; i++) {
        path p;
        VKP_TRY(make_path(&p, folder, files[i], ""));
        if (unlink(p.text) && errno != ENOENT && errno != ENOTDIR)
            return vkp_fail_errno("remove", p.text, errno);
    }
    if (rmdir(folder) && errno != ENOENT) return vkp_fail_errno("remove", folder, errno);
    return VKP_OK;
}

static vkp_status write_files(const char *folder, vkp_model *model, const vkp_run_state *state)
{
    vkp_params *const networks[] = {&model->generator, &model->discriminator};
    const char *const prefixes[] = {"generator", "discriminator"};
    path p;
    VKP_TRY(make_path(&p, folder, files[0], ""));
    VKP_TRY(vkp_params_save(vkp_model_result(model), p.text));
    VKP_TRY(make_path(&p, folder, files[1], ""));
    VKP_TRY(vkp_params_save(networks[1], p.text));
    VKP_TRY(make_path(&p, folder, files[2], ""));
    VKP_TRY(vkp_optimizer_save(p.text, networks, prefixes, 2, model->averaged));
    return vkp_run_state_write(folder, state);
}

/* Points folder/link to `name`; *before is what it pointed to, or empty. */
static vkp_status set_link(const char *folder, const char *link, const char *name, path *before)
{
    path at, beside;
    VKP_TRY(make_path(&at, folder, link, ""));
    VKP_TRY(make_path(&beside, folder, link, ".tmp"));
    const ssize_t n = readlink(at.text, before->text, sizeof before->text - 1);
    before->text[n > 0 ? n : 0] = 0;
    if (unlink(beside.text) && errno != ENOENT) return vkp_fail_errno("remove", beside.text, errno);
    if (symlink(name, beside.text)) return vkp_fail_errno("make the link", beside.text, errno);
    if (rename(beside.text, at.text)) return vkp_fail_errno("rename", beside.text, errno);
    return vkp_file_sync_parent(at.text);
}

/* Moves a finished folder to its name; one that has it already steps aside first and is removed after. */
static vkp_status take_name(const char *beside, const char *final, const char *old)
{
    VKP_TRY(remove_checkpoint(old));
    if (rename(final, old) && errno != ENOENT) return vkp_fail_errno("rename", final, errno);
    if (rename(beside, final)) return vkp_fail_errno("rename", beside, errno);
    VKP_TRY(vkp_file_sync_parent(final));
    return remove_checkpoint(old);
}

static bool is_kept(const char *name, uint32_t keep_every)
{
    unsigned epoch;
    return keep_every && sscanf(name, "epoch_%u", &epoch) == 1 && epoch && epoch % keep_every == 0;
}

vkp_status vkp_checkpoint_write(const char *run, const char *name, const char *link, uint32_t keep_every,
                                vkp_model *model, const vkp_run_state *state)
{
    path folder, final, beside, old, before;
    VKP_TRY(make_path(&folder, run, "checkpoints", ""));
    VKP_TRY(make_path(&final, folder.text, name, ""));
    VKP_TRY(make_path(&beside, folder.text, name, ".tmp"));
    VKP_TRY(make_path(&old, folder.text, name, ".old"));
    VKP_TRY(remove_checkpoint(beside.text));
    VKP_TRY(vkp_folder_make(beside.text));
    const vkp_status status = write_files(beside.text, model, state);
    if (status != VKP_OK) {
        /* The first error is the one to tell; a rest that cannot be removed is no checkpoint anyway. */
        const vkp_status again = vkp_fail(status, "%s", vkp_error());
        for (int i = 0; i < FILES; i++) {
            path p;
            if (snprintf(p.text, sizeof p.text, "%s/%s", beside.text, files[i]) < (int)sizeof p.text)
                unlink(p.text);
        }
        rmdir(beside.text);
        return again;
    }
    VKP_TRY(take_name(beside.text, final.text, old.text));
    VKP_TRY(set_link(folder.text, link, name, &before));
    if (!before.text[0] || strcmp(before.text, name) == 0 || strchr(before.text, '/') ||
        is_kept(before.text, keep_every))
        return VKP_OK;
    path previous;
    VKP_TRY(make_path(&previous, folder.text, before.text, ""));
    return remove_checkpoint(previous.text);
}

static bool is_temporary(const char *name)
{
    const size_t n = strlen(name);
    return name[0] == '.' || (n > 4 && strcmp(name + n - 4, ".tmp") == 0);
}

/* Looks at one entry; takes it when it is whole and newer than what was found. */
static vkp_status consider(const char *folder, const char *name, void (*warn)(void *, const char *),
                           void *user, char **best, vkp_run_state *best_state)
{
    path p;
    vkp_run_state state;
    VKP_TRY(make_path(&p, folder, name, ""));
    if (!vkp_folder_exists(p.text)) return VKP_OK;
    if (vkp_run_state_read(p.text, &state) != VKP_OK) {
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
    path folder;
    VKP_TRY(make_path(&folder, run, "checkpoints", ""));
    DIR *dir = opendir(folder.text);
    vkp_status status = VKP_OK;
    for (struct dirent *e; dir && status == VKP_OK && (e = readdir(dir));)
        if (!is_temporary(e->d_name)) status = consider(folder.text, e->d_name, warn, user, found, state);
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
    VKP_TRY(make_path(&p, folder, files[0], ""));
    VKP_TRY(vkp_params_load(vkp_model_result(model), p.text));
    VKP_TRY(make_path(&p, folder, files[1], ""));
    VKP_TRY(vkp_params_load(networks[1], p.text));
    VKP_TRY(make_path(&p, folder, files[2], ""));
    VKP_TRY(vkp_optimizer_load(p.text, networks, prefixes, 2, model->averaged));
    model->generator.batches_tracked = vkp_model_result(model)->batches_tracked;
    model->g_adam_steps = state->g_adam_steps;
    model->d_adam_steps = state->d_adam_steps;
    return VKP_OK;
}
