#include "tune/tuner.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/grow.h"
#include "tune/choices.h"

/* A use that was collected. */
typedef struct wanted {
    char key[VKP_CHOICE_KEY];
    vkp_use use;
} wanted;

struct vkp_tuner {
    vkp_chooser chooser; /* first: the chooser's functions get the tuner by it */
    vkp_device *device;
    vkp_tuner_options options;
    char *path;
    vkp_choices stored, pinned,
        taken;    /* the file's, those of load(), what was answered or forced in this process */
    bool changed; /* `stored` holds more than the file */
    bool collecting;
    double seconds_left; /* for first uses */
    wanted *wanted;
    size_t wanted_count, wanted_capacity;
};

static vkp_status collect(vkp_tuner *t, const char *key, const vkp_node *node, const vkp_variants *variants)
{
    for (size_t i = 0; i < t->wanted_count; i++)
        if (strcmp(t->wanted[i].key, key) == 0) return VKP_OK;
    VKP_TRY(vkp_grow((void **)&t->wanted, &t->wanted_capacity, t->wanted_count, sizeof *t->wanted));
    wanted *w = &t->wanted[t->wanted_count++];
    memcpy(w->key, key, sizeof w->key);
    w->use = vkp_use_of(node, variants);
    return VKP_OK;
}

/* The variant that a list of choices has for the key, where it fits and, not having been tried in this
 * process, is right; else NULL. *wrong becomes one that is not right. */
static vkp_status remembered(const vkp_tuner *t, const vkp_choices *choices, const char *key,
                             const vkp_node *node, const vkp_variants *variants, const vkp_variant **chosen,
                             const vkp_variant **wrong)
{
    const vkp_choice *choice = vkp_choices_find(choices, key);
    const vkp_variant *v = choice ? vkp_variant_named(variants, choice->name) : NULL;
    bool right = true;
    if (*chosen || !v || !v->fits(t->device, node)) return VKP_OK;
    if (choices != &t->taken && (v->on_proof || !vkp_for_cpu(&t->device->info))) {
        const vkp_use use = vkp_use_of(node, variants);
        VKP_TRY(vkp_contest_prove(t->device, &use, v, &right));
    }
    *(right ? chosen : wrong) = v;
    return VKP_OK;
}

/* Whether there is anything to choose between, among what is meant for this device. */
static bool is_open(const vkp_tuner *t, const vkp_node *node, const vkp_variants *variants)
{
    size_t count = 0;
    for (size_t i = 0; i < variants->count; i++) {
        const vkp_variant *v = &variants->list[i];
        if (v->meant_for && v->meant_for(&t->device->info) && v->fits(t->device, node))
            count += 1 + v->on_proof;
    }
    return count > 1;
}

static vkp_status store(vkp_tuner *t, const char *key, const vkp_contest_row *row)
{
    uint32_t microseconds = 0;
    for (size_t i = 0; i < row->count && row->measured; i++)
        if (row->results[i].name == row->winner)
            microseconds = (uint32_t)(row->results[i].milliseconds * 1e3 + 1);
    t->changed = true;
    return vkp_choices_set(&t->stored, key, row->winner, microseconds);
}

static vkp_status first_use(vkp_tuner *t, const char *key, const vkp_node *node, const vkp_variants *variants,
                            const vkp_variant **chosen)
{
    if (t->options.first_use_seconds <= 0 || !is_open(t, node, variants)) return VKP_OK;
    const double begin = vkp_contest_seconds();
    const vkp_use use = vkp_use_of(node, variants);
    vkp_contest_row row;
    VKP_TRY(vkp_contest_hold(t->device, &use, false, begin + t->seconds_left, &row));
    t->seconds_left -= vkp_contest_seconds() - begin;
    if (!row.winner) return VKP_OK;
    if (row.count && t->options.progress) t->options.progress(t->options.user, &row);
    *chosen = vkp_variant_named(variants, row.winner);
    return store(t, key, &row);
}

static vkp_status choose(vkp_chooser *chooser, vkp_device *device, const vkp_node *node,
                         const vkp_variants *variants, const vkp_variant **chosen)
{
    vkp_tuner *t = (vkp_tuner *)chooser;
    char key[VKP_CHOICE_KEY] = {0};
    vkp_choice_key(node, variants, key);
    *chosen = NULL;
    if (t->collecting) return collect(t, key, node, variants);
    const vkp_variant *wrong = NULL;
    VKP_TRY(remembered(t, &t->taken, key, node, variants, chosen, &wrong));
    VKP_TRY(remembered(t, &t->pinned, key, node, variants, chosen, &wrong));
    VKP_TRY(remembered(t, &t->stored, key, node, variants, chosen, &wrong));
    if (!*chosen) VKP_TRY(first_use(t, key, node, variants, chosen));
    if (!*chosen) *chosen = vkp_variant_by_order(device, node, variants);
    if (*chosen && *chosen == wrong) *chosen = &variants->list[variants->count - 1];
    return *chosen ? vkp_choices_set(&t->taken, key, (*chosen)->name, 0) : VKP_OK;
}

static vkp_status note(vkp_chooser *chooser, const vkp_node *node, const vkp_variants *variants,
                       const vkp_variant *forced)
{
    vkp_tuner *t = (vkp_tuner *)chooser;
    char key[VKP_CHOICE_KEY] = {0};
    if (t->collecting) return VKP_OK;
    vkp_choice_key(node, variants, key);
    return vkp_choices_set(&t->taken, key, forced->name, 0);
}

static vkp_status save(vkp_chooser *chooser, const char *path)
{
    vkp_tuner *t = (vkp_tuner *)chooser;
    /* With those of load() that nobody has asked for yet. */
    for (size_t i = 0; i < t->taken.count; i++)
        VKP_TRY(vkp_choices_set(&t->pinned, t->taken.list[i].key, t->taken.list[i].name, 0));
    return vkp_choices_write(&t->pinned, t->device, path);
}

static bool load(vkp_chooser *chooser, const char *path)
{
    vkp_tuner *t = (vkp_tuner *)chooser;
    return vkp_choices_read(&t->pinned, t->device, path);
}

vkp_status vkp_tuner_create(vkp_device *device, const vkp_tuner_options *options, vkp_tuner **out)
{
    vkp_tuner *t = calloc(1, sizeof *t);
    char *path = t && options->path ? malloc(strlen(options->path) + 1) : NULL;
    *out = NULL;
    if (!t || (options->path && !path)) {
        free(t);
        return vkp_fail(VKP_MEMORY, "no memory for the tuner (host memory ran out; close other programs)");
    }
    *t = (vkp_tuner){.chooser = {.choose = choose, .note = note, .save = save, .load = load},
                     .device = device,
                     .options = *options,
                     .path = path,
                     .seconds_left = options->first_use_seconds};
    if (path) {
        strcpy(path, options->path);
        vkp_choices_read(&t->stored, device, path);
    }
    device->chooser = &t->chooser;
    *out = t;
    return VKP_OK;
}

vkp_tuner *vkp_tuner_of(const vkp_device *device) { return (vkp_tuner *)device->chooser; }

static vkp_status write_file(vkp_tuner *t)
{
    if (!t->changed || !t->path) return VKP_OK;
    VKP_TRY(vkp_choices_write(&t->stored, t->device, t->path));
    t->changed = false;
    return VKP_OK;
}

void vkp_tuner_destroy(vkp_tuner *t)
{
    if (!t) return;
    /* Without the file the next first use takes the time again, and that is all. */
    if (write_file(t) != VKP_OK) t->changed = false;
    t->device->chooser = NULL;
    vkp_choices_free(&t->stored);
    vkp_choices_free(&t->pinned);
    vkp_choices_free(&t->taken);
    free(t->wanted);
    free(t->path);
    free(t);
}

void vkp_tuner_collect(vkp_tuner *t, bool on) { t->collecting = on; }

/* Holds the contest for one shape, or finds its result in the file. */
static vkp_status tune(vkp_tuner *t, const wanted *w, const vkp_tuner_plan *plan, double deadline,
                       vkp_contest_row *row)
{
    const vkp_choice *known = vkp_choices_find(&t->stored, w->key);
    const vkp_variant *v = known ? vkp_variant_named(w->use.variants, known->name) : NULL;
    if (v && known->microseconds && !plan->again) {
        *row = (vkp_contest_row){.use = w->use, .winner = v->name, .stored = true};
        return VKP_OK;
    }
    VKP_TRY(vkp_contest_hold(t->device, &w->use, plan->all, deadline, row));
    if (!row->measured) return VKP_OK;
    VKP_TRY(store(t, w->key, row));
    return write_file(t);
}

vkp_status vkp_tuner_run(vkp_tuner *t, const vkp_tuner_plan *plan, vkp_tuner_progress *progress, void *user,
                         size_t *left)
{
    const double deadline = vkp_contest_seconds() + plan->seconds;
    *left = 0;
    for (size_t i = 0; i < t->wanted_count; i++) {
        vkp_contest_row row;
        VKP_TRY(tune(t, &t->wanted[i], plan, deadline, &row));
        *left += !row.measured && !row.stored;
        progress(user, &row);
    }
    return VKP_OK;
}
