#define _XOPEN_SOURCE 700 /* realpath */
#include "serve/runs.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "nn/config.h"
#include "nn/run_log.h"
#include "serve/curve.h"

enum { MOST_RUNS = 200, SIGHTS = 32 };

/* Seconds without a step after which a run counts as not running, and that sightings reach back. */
#define RUNNING_SECONDS 60.0
#define SIGHT_SECONDS 1.0

/* How many steps a run had when. */
typedef struct sight {
    double time;
    uint64_t rows;
} sight;

typedef struct watched {
    char *name, *path;
    double updated; /* seconds since its latest step, as of the latest list */
    vkp_curve curve;
    sight sights[SIGHTS]; /* a ring; the latest is at (sighted - 1) % SIGHTS */
    size_t sighted;
} watched;

struct vkp_runs {
    char *folder;
    bool single; /* the folder is the run */
    pthread_mutex_t lock;
    watched *all[MOST_RUNS];
    size_t count;
};

/* What the files of a run say. */
typedef struct reading {
    vkp_config config;
    vkp_run_table log;
    double updated, epoch_ended; /* seconds ago */
} reading;

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for the runs (host memory ran out; close other programs)");
}

/* Seconds since the file changed; infinite when it is not there. */
static double age(const char *folder, const char *name)
{
    char *path;
    struct stat info;
    struct timespec now;
    if (vkp_path_join(folder, name, &path) != VKP_OK) return INFINITY;
    const bool there = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    free(path);
    clock_gettime(CLOCK_REALTIME, &now);
    return there ? difftime(now.tv_sec, info.st_mtim.tv_sec) : INFINITY;
}

static bool is_run(const char *folder)
{
    return isfinite(age(folder, "config.yml")) && isfinite(age(folder, "log.csv"));
}

vkp_status vkp_runs_open(const char *folder, vkp_runs **out)
{
    *out = NULL;
    if (!vkp_folder_exists(folder))
        return vkp_fail(VKP_INPUT, "cannot watch %s (there is no such folder; name one with training runs)",
                        folder);
    vkp_runs *runs = calloc(1, sizeof *runs);
    if (runs) runs->folder = realpath(folder, NULL);
    if (!runs || !runs->folder) {
        free(runs);
        return no_memory();
    }
    runs->single = is_run(runs->folder);
    pthread_mutex_init(&runs->lock, NULL);
    *out = runs;
    return VKP_OK;
}

static void forget(watched *w)
{
    free(w->name);
    free(w->path);
    free(w);
}

void vkp_runs_close(vkp_runs *runs)
{
    if (!runs) return;
    for (size_t i = 0; i < runs->count; i++) forget(runs->all[i]);
    pthread_mutex_destroy(&runs->lock);
    free(runs->folder);
    free(runs);
}

static vkp_status watch(vkp_runs *runs, const char *name)
{
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->all[i]->name, name) == 0) return VKP_OK;
    if (runs->count == MOST_RUNS) return VKP_OK;
    watched *w = calloc(1, sizeof *w);
    if (!w) return no_memory();
    w->name = strdup(name);
    vkp_status status = w->name ? VKP_OK : no_memory();
    const char *folder = runs->single ? "" : runs->folder, *below = runs->single ? runs->folder : name;
    if (status == VKP_OK) status = vkp_path_join(folder, below, &w->path);
    if (status == VKP_OK && is_run(w->path))
        runs->all[runs->count++] = w;
    else
        forget(w);
    return status;
}

/* Brings the list of runs up to date. */
static vkp_status scan(vkp_runs *runs)
{
    for (size_t i = 0; i < runs->count;)
        if (is_run(runs->all[i]->path)) {
            i++;
        } else {
            forget(runs->all[i]);
            runs->all[i] = runs->all[--runs->count];
        }
    if (runs->single) return watch(runs, vkp_path_base(runs->folder));
    DIR *folder = opendir(runs->folder);
    if (!folder) return vkp_fail_errno("search", runs->folder, errno);
    vkp_status status = VKP_OK;
    for (const struct dirent *e; status == VKP_OK && (e = readdir(folder));)
        if (e->d_name[0] != '.') status = watch(runs, e->d_name);
    closedir(folder);
    return status;
}

static vkp_status find(vkp_runs *runs, const char *name, watched **found)
{
    VKP_TRY(scan(runs));
    for (size_t i = 0; i < runs->count; i++) {
        *found = runs->all[i];
        if (strcmp((*found)->name, name) == 0) return VKP_OK;
    }
    return vkp_fail(VKP_USAGE,
                    "there is no run of that name (it was renamed or removed; see the list of runs)");
}

static vkp_status read_steps(watched *w)
{
    char *path;
    VKP_TRY(vkp_path_join(w->path, "steps.csv", &path));
    const vkp_status status = vkp_file_exists(path) ? vkp_curve_update(&w->curve, path) : VKP_OK;
    free(path);
    const double now = vkp_clock();
    if (!w->sighted || now - w->sights[(w->sighted - 1) % SIGHTS].time >= SIGHT_SECONDS)
        w->sights[w->sighted++ % SIGHTS] = (sight){now, w->curve.rows};
    return status;
}

static vkp_status read_run(watched *w, reading *r)
{
    char *path;
    *r = (reading){.log = {0}};
    VKP_TRY(read_steps(w));
    VKP_TRY(vkp_config_preset(&r->config, NULL));
    VKP_TRY(vkp_path_join(w->path, "config.yml", &path));
    const vkp_status status = vkp_config_load(&r->config, path);
    free(path);
    VKP_TRY(status);
    r->updated = age(w->path, "steps.csv");
    r->epoch_ended = age(w->path, "log.csv");
    if (r->epoch_ended < r->updated || !isfinite(r->updated)) r->updated = r->epoch_ended;
    return vkp_run_log_read_epochs(w->path, &r->log);
}

static double log_value(const reading *r, size_t column, size_t row)
{
    return r->log.values[column * r->log.rows + row];
}

static double epochs_done(const reading *r)
{
    return r->log.rows ? log_value(r, VKP_LOG_epoch, r->log.rows - 1) : 0;
}

/* Steps a second over what was seen lately; NaN while that is nothing. */
static double speed(const watched *w)
{
    if (w->sighted < 2) return NAN;
    const sight *latest = &w->sights[(w->sighted - 1) % SIGHTS];
    const sight *first = &w->sights[w->sighted > SIGHTS ? w->sighted % SIGHTS : 0];
    if (latest->rows <= first->rows) return NAN;
    return (double)(latest->rows - first->rows) / (latest->time - first->time);
}

/* By the time that the latest epochs took; NaN before the first has ended. */
static double seconds_left(const reading *r)
{
    enum { EPOCHS = 3 };
    double sum = 0;
    const size_t rows = r->log.rows, used = rows < EPOCHS ? rows : EPOCHS;
    if (!rows) return NAN;
    for (size_t i = rows - used; i < rows; i++) sum += log_value(r, VKP_LOG_seconds, i);
    const double usual = sum / (double)used;
    const double left = (r->config.epochs - epochs_done(r)) * usual, done = fmin(r->epoch_ended, usual);
    return left > 0 ? left - done : 0;
}

static bool is_running(const watched *w, const reading *r)
{
    const double rate = speed(w);
    if (epochs_done(r) >= r->config.epochs) return false;
    return r->updated < (rate > 0 ? fmax(RUNNING_SECONDS, 3 / rate) : RUNNING_SECONDS);
}

/* NaN is null in JSON. */
static void add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(object, name, value);
    else
        cJSON_AddNullToObject(object, name);
}

static void append_number(cJSON *array, double value)
{
    cJSON_AddItemToArray(array, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static void add_summary(cJSON *object, const watched *w, const reading *r)
{
    const size_t rows = r->log.rows;
    add_number(object, "epoch", epochs_done(r));
    add_number(object, "epochs", r->config.epochs);
    add_number(object, "steps", (double)w->curve.rows);
    cJSON_AddBoolToObject(object, "running", is_running(w, r));
    add_number(object, "updated", r->updated);
    add_number(object, "val_psnr", rows ? log_value(r, VKP_LOG_val_psnr, rows - 1) : NAN);
    char *weights = NULL;
    const bool known = vkp_path_join(w->path, "checkpoints/last", &weights) == VKP_OK;
    cJSON_AddBoolToObject(object, "has_weights", known && vkp_folder_exists(weights));
    free(weights);
}

static vkp_status add_listed(cJSON *list, watched *w)
{
    reading r;
    cJSON *object = cJSON_CreateObject();
    if (!object || !cJSON_AddItemToArray(list, object) || !cJSON_AddStringToObject(object, "name", w->name))
        return no_memory();
    if (read_run(w, &r) == VKP_OK)
        add_summary(object, w, &r);
    else
        cJSON_AddStringToObject(object, "error", vkp_error());
    vkp_run_table_free(&r.log);
    return VKP_OK;
}

/* The one with the latest step first, as far as whole seconds tell; else by name. */
static int by_latest(const void *a, const void *b)
{
    const watched *x = *(watched *const *)a, *y = *(watched *const *)b;
    if (x->updated < y->updated) return -1;
    return x->updated > y->updated ? 1 : strcmp(x->name, y->name);
}

vkp_status vkp_runs_list(vkp_runs *runs, cJSON **list)
{
    *list = cJSON_CreateArray();
    if (!*list) return no_memory();
    pthread_mutex_lock(&runs->lock);
    vkp_status status = scan(runs);
    for (size_t i = 0; i < runs->count; i++) runs->all[i]->updated = age(runs->all[i]->path, "steps.csv");
    qsort(runs->all, runs->count, sizeof *runs->all, by_latest);
    for (size_t i = 0; i < runs->count && status == VKP_OK; i++) status = add_listed(*list, runs->all[i]);
    pthread_mutex_unlock(&runs->lock);
    if (status != VKP_OK) {
        cJSON_Delete(*list);
        *list = NULL;
    }
    return status;
}

static void add_settings(cJSON *object, const vkp_config *config)
{
    char value[128];
    cJSON *settings = cJSON_AddObjectToObject(object, "settings");
    for (size_t key = 0; key < vkp_config_key_count(); key++)
        cJSON_AddStringToObject(settings, vkp_config_key_name(key),
                                vkp_config_key_value(config, key, value, sizeof value));
}

static void add_log(cJSON *object, const reading *r)
{
    static const char *const names[] = {
#define X(name) #name,
        VKP_LOG_COLUMN_MAP(X)
#undef X
    };
    cJSON *log = cJSON_AddObjectToObject(object, "log");
    for (size_t c = 0; c < VKP_LOG_COLUMNS; c++) {
        cJSON *column = cJSON_AddArrayToObject(log, names[c]);
        for (size_t row = 0; row < r->log.rows; row++) append_number(column, log_value(r, c, row));
    }
}

_Static_assert((int)VKP_STEPS_COLUMNS == (int)VKP_CURVE_COLUMNS, "a curve holds the columns of steps.csv");

static void add_curve(cJSON *object, const vkp_curve *c)
{
    static const char *const names[] = {
#define X(name) #name,
        VKP_STEPS_COLUMN_MAP(X)
#undef X
    };
    cJSON *curve = cJSON_AddObjectToObject(object, "curve");
    for (int k = 0; k < VKP_CURVE_COLUMNS; k++) {
        cJSON *column = cJSON_AddArrayToObject(curve, names[k]);
        for (uint32_t i = 0; i < vkp_curve_count(c); i++) append_number(column, vkp_curve_mean(c, i, k));
    }
}

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The epochs of which there are previews, in ascending order. */
static void add_previews(cJSON *object, const watched *w)
{
    enum { MOST = 4096 };
    char *path, end[8];
    unsigned epoch;
    int count = 0;
    cJSON *list = cJSON_AddArrayToObject(object, "previews");
    double *epochs = malloc(MOST * sizeof *epochs);
    DIR *folder = vkp_path_join(w->path, "previews", &path) == VKP_OK ? opendir(path) : NULL;
    free(path);
    for (const struct dirent *e; epochs && folder && count < MOST && (e = readdir(folder));)
        if (sscanf(e->d_name, "epoch_%u%7s", &epoch, end) == 2 && strcmp(end, ".png") == 0)
            epochs[count++] = epoch;
    if (folder) closedir(folder);
    if (epochs) qsort(epochs, (size_t)count, sizeof *epochs, by_number);
    for (int i = 0; i < count; i++) append_number(list, epochs[i]);
    free(epochs);
}

static vkp_status describe(watched *w, cJSON *object)
{
    reading r;
    const vkp_status status = read_run(w, &r);
    if (status == VKP_OK) {
        cJSON_AddStringToObject(object, "name", w->name);
        add_summary(object, w, &r);
        add_number(object, "steps_per_second", is_running(w, &r) ? speed(w) : NAN);
        add_number(object, "seconds_left", is_running(w, &r) ? seconds_left(&r) : NAN);
        add_settings(object, &r.config);
        add_log(object, &r);
        add_curve(object, &w->curve);
        add_previews(object, w);
    }
    vkp_run_table_free(&r.log);
    return status;
}

vkp_status vkp_runs_describe(vkp_runs *runs, const char *name, cJSON **run)
{
    watched *w = NULL;
    *run = cJSON_CreateObject();
    if (!*run) return no_memory();
    pthread_mutex_lock(&runs->lock);
    vkp_status status = find(runs, name, &w);
    if (status == VKP_OK) status = describe(w, *run);
    pthread_mutex_unlock(&runs->lock);
    if (status != VKP_OK) {
        cJSON_Delete(*run);
        *run = NULL;
    }
    return status;
}

vkp_status vkp_runs_path(vkp_runs *runs, const char *name, char **path)
{
    watched *w = NULL;
    *path = NULL;
    pthread_mutex_lock(&runs->lock);
    vkp_status status = find(runs, name, &w);
    if (status == VKP_OK) status = vkp_path_join("", w->path, path);
    pthread_mutex_unlock(&runs->lock);
    return status;
}

vkp_status vkp_runs_preview(vkp_runs *runs, const char *name, unsigned epoch, char **path)
{
    char *run, file[48];
    *path = NULL;
    VKP_TRY(vkp_runs_path(runs, name, &run));
    snprintf(file, sizeof file, "previews/epoch_%03u.png", epoch);
    const vkp_status status = vkp_path_join(run, file, path);
    free(run);
    return status;
}
