#include "nn/run_set.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_FOLDS = 10 };

static vkp_status all_of(const vkp_folder *folder, size_t **list, size_t *count)
{
    *list = malloc((folder->count ? folder->count : 1) * sizeof **list);
    if (!*list)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the list of pictures (host memory ran out; close programs)");
    *count = folder->count;
    for (size_t i = 0; i < folder->count; i++) (*list)[i] = i;
    return VKP_OK;
}

static vkp_status copy_of(const size_t *from, size_t count, size_t **list)
{
    *list = malloc((count ? count : 1) * sizeof **list);
    if (!*list)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the list of pictures (host memory ran out; close programs)");
    memcpy(*list, from, count * sizeof **list);
    return VKP_OK;
}

static vkp_status split(const vkp_train_options *o, uint64_t seed, vkp_run_set *s)
{
    const uint32_t folds = o->folds ? o->folds : DEFAULT_FOLDS;
    vkp_split parts;
    VKP_TRY(vkp_folds(s->train_folder.count, folds, o->fold, seed, &parts));
    vkp_status status = copy_of(parts.train, parts.train_count, &s->train);
    if (status == VKP_OK) status = copy_of(parts.val, parts.val_count, &s->val);
    s->train_count = parts.train_count;
    s->val_count = parts.val_count;
    s->val_folder = &s->train_folder;
    vkp_split_free(&parts);
    return status;
}

vkp_status vkp_run_set_make(const vkp_train_options *o, uint64_t seed, vkp_run_set *s)
{
    *s = (vkp_run_set){0};
    VKP_TRY(vkp_folder_list(o->data, &s->train_folder));
    vkp_status status;
    const bool small = s->train_folder.count < DEFAULT_FOLDS;
    if (o->val) {
        status = vkp_folder_list(o->val, &s->own_val_folder);
        s->val_folder = &s->own_val_folder;
        if (status == VKP_OK) status = all_of(s->val_folder, &s->val, &s->val_count);
        if (status == VKP_OK) status = all_of(&s->train_folder, &s->train, &s->train_count);
    } else if (!o->folds && (small || !o->shuffle)) {
        status = all_of(&s->train_folder, &s->train, &s->train_count);
    } else {
        status = split(o, seed, s);
    }
    if (status != VKP_OK) vkp_run_set_free(s);
    return status;
}

void vkp_run_set_free(vkp_run_set *s)
{
    vkp_folder_free(&s->train_folder);
    vkp_folder_free(&s->own_val_folder);
    free(s->train);
    free(s->val);
    *s = (vkp_run_set){0};
}
