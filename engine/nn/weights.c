#include "nn/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "nn/built_in.h"
#include "nn/model_file.h"

static const char generator_file[] = "generator.safetensors";

/* *path = folder/a/b as far as a and b are there (not NULL). */
static vkp_status join(const char *folder, const char *a, const char *b, char **path)
{
    char below[128];
    snprintf(below, sizeof below, "%s%s%s", a, b ? "/" : "", b ? b : "");
    return vkp_path_join(folder, below, path);
}

/* Takes folder/below/generator.safetensors if there is such a file; *found says so. */
static vkp_status try_folder(const char *folder, const char *below, vkp_weights *w, bool *found)
{
    VKP_TRY(below ? join(folder, below, generator_file, &w->name)
                  : join(folder, generator_file, NULL, &w->name));
    *found = vkp_file_exists(w->name);
    if (*found) return VKP_OK;
    free(w->name);
    w->name = NULL;
    return VKP_OK;
}

static vkp_status load_config(const char *run, vkp_weights *w)
{
    char *path;
    VKP_TRY(vkp_path_join(run, "config.yml", &path));
    vkp_status status = VKP_OK;
    if (vkp_file_exists(path)) {
        status = vkp_config_preset(&w->config, NULL);
        if (status == VKP_OK) status = vkp_config_load(&w->config, path);
        w->configured = status == VKP_OK;
    }
    free(path);
    return status;
}

/* Loads the settings of the run around RUN/checkpoints/NAME/FILE; files elsewhere have no run. */
static vkp_status load_config_around(vkp_weights *w)
{
    char *run = malloc(strlen(w->name) + 1);
    if (!run) return vkp_fail(VKP_MEMORY, "no memory for a path (host memory ran out; close other programs)");
    strcpy(run, w->name);
    char *last[3];
    for (int i = 0; i < 3; i++) {
        last[i] = strrchr(run, '/');
        if (last[i]) *last[i] = 0;
    }
    /* What is left of "checkpoints/last/generator.safetensors" is "checkpoints" itself: the run is here. */
    const char *checkpoints = last[2] ? last[2] + 1 : run;
    const char *folder = !last[2] ? "." : *run ? run : "/";
    vkp_status status = VKP_OK;
    if (last[1] && strcmp(checkpoints, "checkpoints") == 0) status = load_config(folder, w);
    free(run);
    return status;
}

static vkp_status find_in_folder(const char *folder, vkp_weights *w)
{
    static const char *const below[] = {"checkpoints/best", "checkpoints/last", NULL};
    bool found = false;
    for (size_t i = 0; i < sizeof below / sizeof *below && !found; i++)
        VKP_TRY(try_folder(folder, below[i], w, &found));
    if (found) return VKP_OK;
    return vkp_fail(VKP_INPUT,
                    "no model in %s (neither checkpoints/best nor checkpoints/last has a %s; give a run "
                    "that has written a checkpoint)",
                    folder, generator_file);
}

/* Settings in the file itself are those of these weights; config.yml may have changed since. */
static vkp_status read_file(vkp_weights *w)
{
    VKP_TRY(vkp_safetensors_read(w->name, &w->file));
    VKP_TRY(vkp_model_file_config(w->file, w->name, &w->config, &w->configured));
    return w->configured ? VKP_OK : load_config_around(w);
}

static vkp_status open_built_in(const vkp_built_in *built_in, vkp_weights *w)
{
    static const char mark[] = " (built in)";
    w->name = malloc(strlen(built_in->name) + sizeof mark);
    if (!w->name) return vkp_fail(VKP_MEMORY, "no memory for a name (host memory ran out; close programs)");
    sprintf(w->name, "%s%s", built_in->name, mark);
    VKP_TRY(vkp_safetensors_open(built_in->bytes, (size_t)(built_in->end - built_in->bytes), w->name,
                                 &w->file));
    return vkp_model_file_config(w->file, w->name, &w->config, &w->configured);
}

static vkp_status find(const char *model, vkp_weights *w)
{
    const vkp_built_in *built_in = vkp_built_in_find(model ? model : VKP_BUILT_IN_DEFAULT);
    if (built_in) return open_built_in(built_in, w);
    if (!model || !*model)
        return vkp_fail(VKP_USAGE, "no model (%s; give --model FILE, RUN or NAME, built in are: %s)",
                        model ? "its name is empty" : "there is no " VKP_BUILT_IN_DEFAULT " in this vkpix",
                        VKP_BUILT_IN_NAMES);
    if (vkp_folder_exists(model)) {
        VKP_TRY(find_in_folder(model, w));
    } else if (vkp_file_exists(model)) {
        VKP_TRY(vkp_path_join("", model, &w->name));
    } else {
        return vkp_fail(VKP_INPUT,
                        "no model %s (no such file or run folder, and not built in; give a %s, a run folder "
                        "or a name, built in are: %s)",
                        model, generator_file, VKP_BUILT_IN_NAMES);
    }
    return read_file(w);
}

vkp_status vkp_weights_find(const char *model, vkp_weights *w)
{
    *w = (vkp_weights){0};
    const vkp_status status = find(model, w);
    if (status != VKP_OK) vkp_weights_free(w);
    return status;
}

void vkp_weights_free(vkp_weights *w)
{
    vkp_safetensors_free(w->file);
    free(w->name);
    *w = (vkp_weights){0};
}
