/* realpath() is an XSI function. */
#define _XOPEN_SOURCE 700
#include "nn/run_split.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"

typedef struct split {
    char *val; /* empty: folds, or none */
    uint32_t folds, fold;
    bool shuffle;
} split;

static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_STRING_PTR("val", CYAML_FLAG_POINTER, split, val, 0, CYAML_UNLIMITED),
    CYAML_FIELD_UINT("folds", CYAML_FLAG_DEFAULT, split, folds),
    CYAML_FIELD_UINT("fold", CYAML_FLAG_DEFAULT, split, fold),
    CYAML_FIELD_BOOL("shuffle", CYAML_FLAG_DEFAULT, split, shuffle),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, split, fields)};

vkp_status vkp_run_split_save(const vkp_train_options *o)
{
    char *path, *absolute = o->val ? realpath(o->val, NULL) : strdup("");
    if (!absolute)
        return vkp_fail(VKP_IO, "cannot find %s any more (was it moved?; give --val again)",
                        o->val ? o->val : "a folder");
    vkp_status status = vkp_path_join(o->out, "split.yml", &path);
    if (status == VKP_OK) {
        const split saved = {.val = absolute, .folds = o->folds, .fold = o->fold, .shuffle = o->shuffle};
        status = vkp_yaml_save(path, &schema, &saved);
        free(path);
    }
    free(absolute);
    return status;
}

static vkp_status complete(vkp_train_options *o, const split *saved, char **val)
{
    const char *wrong = o->folds && o->folds != saved->folds       ? "--folds"
                        : o->folds && o->fold != saved->fold       ? "--fold"
                        : !o->shuffle && saved->shuffle            ? "--no-shuffle"
                        : o->val && (saved->folds || !*saved->val) ? "--val"
                                                                   : NULL;
    if (wrong)
        return vkp_fail(VKP_USAGE,
                        "cannot resume %s with another %s (it would be another run; leave the option out, or "
                        "give a new --out)",
                        o->out, wrong);
    if (!o->val && *saved->val) {
        *val = strdup(saved->val);
        if (!*val) return vkp_fail(VKP_MEMORY, "no memory for a path (host memory ran out; close programs)");
        o->val = *val;
    }
    o->folds = saved->folds;
    o->fold = saved->fold;
    o->shuffle = saved->shuffle;
    return VKP_OK;
}

vkp_status vkp_run_split_resume(vkp_train_options *o, char **val)
{
    char *path;
    void *loaded = NULL;
    *val = NULL;
    VKP_TRY(vkp_path_join(o->out, "split.yml", &path));
    vkp_status status = VKP_OK;
    if (vkp_file_exists(path)) {
        status =
            vkp_yaml_load(path, &schema, VKP_FORMAT, "delete it and give --val or --folds again", &loaded);
        if (status == VKP_OK && !loaded)
            status = vkp_fail(VKP_FORMAT,
                              "cannot use %s (it is empty; delete it and give --val or --folds "
                              "again)",
                              path);
        if (status == VKP_OK) status = complete(o, loaded, val);
    }
    vkp_yaml_free(&schema, loaded);
    free(path);
    return status;
}
