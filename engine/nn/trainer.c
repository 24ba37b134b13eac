#include "nn/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "base/version.h"
#include "nn/checkpoint.h"
#include "nn/report.h"
#include "nn/run_lock.h"
#include "nn/run_log.h"
#include "nn/run_set.h"
#include "nn/run_split.h"
#include "nn/validation.h"
#include "ops/variant.h"

#define VARIANTS "variants.txt"
/* Decoded pictures that are kept for the next epochs. */
#define CACHE_BYTES ((size_t)1 << 30)

/* How long the device had nothing to do in the epoch, because decoding or the host was late: from a step's
 * end to the next one's start, and whatever the next batch took beyond the shortest step seen, which is what
 * the device needs. */
typedef struct waiting {
    double seconds, finished, shortest; /* finished: when the latest step was; 0: none yet */
} waiting;

typedef struct trainer {
    vkp_device *device;
    const vkp_train_options *options;
    vkp_config config;
    vkp_run_set set;
    vkp_model model;
    vkp_arena arena;
    vkp_feed *feed;
    vkp_step *full, *rest; /* for whole batches, and for an epoch's smaller last one */
    uint32_t rest_count;
    vkp_validation *validation;
    vkp_run_log *log;
    vkp_run_state state;
    size_t *order;
    double *psnr;
    uint32_t last_count;                           /* pictures of the latest batch */
    double started, epoch_started, seconds_before; /* monotonic seconds; training time of earlier sessions */
    uint64_t steps_before;
    bool adversarial; /* what the steps were made for */
    bool stopping;
    bool queued; /* the next epoch's pictures are on their way already */
    waiting idle;
} trainer;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void message(const trainer *t, const char *format, ...) VKP_PRINTF(2, 3);
static void message(const trainer *t, const char *format, ...)
{
    if (!t->options->message) return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->options->message(t->options->user, text);
}

static void warn(void *user, const char *text)
{
    const vkp_train_options *o = user;
    if (o->message) o->message(o->user, text);
}

static int decoder_threads(const vkp_train_options *o)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (o->threads) return o->threads;
    return cores < 4 ? 2 : cores < 16 ? (int)(cores / 2) : 8;
}

static vkp_status run_path(const trainer *t, const char *name, char path[4096])
{
    if (snprintf(path, 4096, "%s/%s", t->options->out, name) < 4096) return VKP_OK;
    return vkp_fail(VKP_INPUT, "path of %s is too long (4095 bytes at most; use a shorter --out)", name);
}

/* The parts of the state that others keep while the run goes on. */
static void fill_state(trainer *t)
{
    snprintf(t->state.version, sizeof t->state.version, "%s", vkp_version());
    t->state.seconds = t->seconds_before + now() - t->started;
    t->state.g_adam_steps = t->model.g_adam_steps;
    t->state.d_adam_steps = t->model.d_adam_steps;
}

/* Says at which step it was. */
static vkp_status at_step(const trainer *t, vkp_status status)
{
    return vkp_fail(status, "step %" PRIu64 ": %s", t->state.step, vkp_error());
}

static vkp_status write_last(trainer *t)
{
    fill_state(t);
    VKP_TRY(vkp_run_log_sync(t->log));
    const vkp_status status =
        vkp_checkpoint_write_last(t->options->out, t->config.checkpoint_every, &t->model, &t->state);
    return status == VKP_NOT_FINITE ? at_step(t, status) : status;
}

static vkp_status write_best(trainer *t)
{
    fill_state(t);
    VKP_TRY(vkp_run_log_sync(t->log));
    const vkp_status status = vkp_checkpoint_write_best(t->options->out, &t->model, &t->state);
    return status == VKP_NOT_FINITE ? at_step(t, status) : status;
}

/* What a killed process was writing, but for checkpoints. */
static void sweep_run(const char *run)
{
    static const char *const folders[] = {"", "figures", "previews"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path;
        if (vkp_path_join(run, folders[i], &path) != VKP_OK) continue;
        vkp_file_sweep(path, false);
        free(path);
    }
}

/* Takes the folder for this process, which must hold a run exactly when one is to be resumed. */
static vkp_status take_run(const vkp_train_options *o, int *lock)
{
    char *path;
    *lock = -1;
    if (!o->resume) VKP_TRY(vkp_folder_make(o->out));
    VKP_TRY(vkp_path_join(o->out, "config.yml", &path));
    /* A folder that is no run gets no lock file either. */
    vkp_status status = VKP_OK;
    if (!o->resume || vkp_file_exists(path)) status = vkp_run_lock_take(o->out, lock);
    if (status == VKP_OK && o->resume && !vkp_file_exists(path))
        status = vkp_fail(VKP_INPUT,
                          "%s holds no run to resume (config.yml is missing; leave --resume out to begin one)",
                          o->out);
    if (status == VKP_OK && !o->resume && vkp_file_exists(path))
        status = vkp_fail(VKP_USAGE,
                          "%s holds a run already (config.yml is there; add --resume to continue it, or give "
                          "another --out)",
                          o->out);
    free(path);
    if (status == VKP_OK) sweep_run(o->out);
    return status;
}

static vkp_status make_folders(const trainer *t)
{
    char path[4096];
    static const char *const folders[] = {"figures", "previews", "checkpoints"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        VKP_TRY(run_path(t, folders[i], path));
        VKP_TRY(vkp_folder_make(path));
    }
    return VKP_OK;
}

static vkp_status start_new(trainer *t)
{
    const vkp_train_options *o = t->options;
    VKP_TRY(make_folders(t));
    VKP_TRY(vkp_model_create(t->device, &t->config, t->config.seed, &t->model));
    if (o->init_g) VKP_TRY(vkp_params_load(&t->model.generator, o->init_g));
    if (o->init_g && t->model.averaged) VKP_TRY(vkp_params_load(&t->model.average, o->init_g));
    if (o->init_d) VKP_TRY(vkp_params_load(&t->model.discriminator, o->init_d));
    t->state = (vkp_run_state){.seed = t->config.seed, .best_val_psnr = NAN};
    VKP_TRY(vkp_run_log_open(o->out, -1, -1, &t->log));
    return write_last(t);
}

/* The settings a run began with, but for those that only say how long it goes on and what it shows. */
static vkp_status check_same_config(trainer *t)
{
    char path[4096], names[512];
    VKP_TRY(run_path(t, "config.yml", path));
    vkp_config saved;
    VKP_TRY(vkp_config_preset(&saved, NULL));
    VKP_TRY(vkp_config_load(&saved, path));
    saved.epochs = t->config.epochs;
    saved.checkpoint_every = t->config.checkpoint_every;
    saved.preview_every = t->config.preview_every;
    if (!vkp_config_diff(&saved, &t->config, names, sizeof names)) return vkp_config_save(&t->config, path);
    return vkp_fail(
        VKP_USAGE,
        "cannot resume %s with another %s (it would be another run; leave the setting out, or give "
        "a new --out)",
        t->options->out, names);
}

static vkp_status start_again(trainer *t)
{
    VKP_TRY(check_same_config(t));
    VKP_TRY(make_folders(t));
    char *path, variants[4096];
    VKP_TRY(run_path(t, VARIANTS, variants));
    if (!vkp_variant_load(t->device, variants))
        message(t, "%s is missing or not this device's and version's: bits may differ from here on",
                variants);
    VKP_TRY(vkp_checkpoint_newest(t->options->out, warn, (void *)t->options, &path, &t->state));
    vkp_status status = vkp_model_create(t->device, &t->config, t->config.seed, &t->model);
    if (status == VKP_OK) status = vkp_checkpoint_load(path, &t->state, &t->model);
    if (status == VKP_OK)
        message(t, "resuming after epoch %u and %u steps of the next, from %s", t->state.epoch,
                t->state.epoch_steps, path);
    if (status == VKP_OK)
        status = vkp_run_log_open(t->options->out, t->state.epoch, (int64_t)t->state.step - 1, &t->log);
    if (status == VKP_OK)
        status = vkp_checkpoint_settle(t->options->out, path, t->config.checkpoint_every, &t->model, &t->state);
    free(path);
    t->seconds_before = t->state.seconds;
    return status;
}

/* Which variants the programs written so far are made of: a resumed run is to take the same. */
static vkp_status keep_variants(const trainer *t)
{
    char path[4096];
    VKP_TRY(run_path(t, VARIANTS, path));
    return vkp_variant_save(t->device, path);
}

static vkp_status make_step(trainer *t, uint32_t count, vkp_step **out)
{
    vkp_step_options options = {.batch = count,
                                .rgb = vkp_feed_rgb(t->feed),
                                .gray = vkp_feed_gray(t->feed),
                                .adversarial = t->adversarial};
    vkp_feed_output(t->feed, &options.h, &options.w);
    return vkp_step_create(t->device, &t->config, &t->model, &options, &t->arena, out);
}

static void drop_step(vkp_step **step)
{
    vkp_step_destroy(*step);
    *step = NULL;
}

static vkp_status step_for(trainer *t, uint32_t count, vkp_step **out)
{
    vkp_step **place = count == t->config.batch ? &t->full : &t->rest;
    const bool adversarial = vkp_config_adversarial(&t->config, t->state.epoch);
    if (adversarial != t->adversarial) {
        drop_step(&t->full);
        drop_step(&t->rest);
        t->adversarial = adversarial;
    }
    if (place == &t->rest && t->rest_count != count) {
        drop_step(&t->rest);
        t->rest_count = count;
    }
    *out = *place;
    if (*place) return VKP_OK;
    VKP_TRY(make_step(t, count, place));
    *out = *place;
    return keep_variants(t);
}

static vkp_status open_feeds(trainer *t)
{
    const vkp_train_options *o = t->options;
    VKP_TRY(vkp_run_set_make(o, t->config.seed, &t->set));
    const uint32_t batch =
        t->set.train_count < t->config.batch ? (uint32_t)t->set.train_count : t->config.batch;
    const vkp_feed_options feed = {.paths = (const char *const *)t->set.train_folder.paths,
                                   .count = t->set.train_folder.count,
                                   .batch = batch,
                                   .fit = (vkp_fit)t->config.fit,
                                   .size = (int)t->config.size,
                                   .flip = o->augment ? t->config.flip : 0,
                                   .blur = o->augment ? t->config.blur : 0,
                                   .view_min = t->config.view_min,
                                   .view_max = t->config.view_max,
                                   .jitter = o->augment ? t->config.jitter : 0,
                                   .degrade = o->augment ? t->config.degrade : 0,
                                   .cache_bytes = CACHE_BYTES,
                                   .seed = t->config.seed,
                                   .threads = decoder_threads(o),
                                   .max_pixels = o->max_pixels,
                                   .warn = warn,
                                   .user = (void *)o};
    VKP_TRY(vkp_feed_create(t->device, &feed, &t->feed));
    t->order = malloc(t->set.train_count * sizeof *t->order);
    t->psnr = calloc(t->config.batch, sizeof *t->psnr);
    if (!t->order || !t->psnr)
        return vkp_fail(VKP_MEMORY, "no memory for a run (host memory ran out; close programs)");
    message(t, "%zu pictures to train on, %zu to validate on", t->set.train_count, t->set.val_count);
    if (!t->set.val_count) return VKP_OK;
    return vkp_validation_create(t->device, &t->config, vkp_model_result(&t->model), t->set.val_folder,
                                 t->set.val, t->set.val_count, decoder_threads(o), o->max_pixels, &t->arena,
                                 warn, (void *)o, &t->validation);
}

static vkp_status queue_epoch(trainer *t, uint32_t epoch)
{
    memcpy(t->order, t->set.train, t->set.train_count * sizeof *t->order);
    if (t->options->shuffle)
        vkp_random_shuffle(t->order, t->set.train_count, t->config.seed,
                           vkp_random_stream(VKP_RANDOM_ORDER, epoch));
    return vkp_feed_queue(t->feed, t->order, t->set.train_count, epoch);
}

/* Of the time up to the latest whole batch of the epoch; 0 while there is none. */
static double idle_share(const waiting *w, double epoch_started)
{
    return w->finished > epoch_started ? w->seconds / (w->finished - epoch_started) : 0;
}

static uint32_t steps_per_epoch(const trainer *t)
{
    return (uint32_t)((t->set.train_count + t->config.batch - 1) / t->config.batch);
}

static double learning_rate(const trainer *t, uint32_t step)
{
    return vkp_config_lr(&t->config, t->state.epoch, step, steps_per_epoch(t));
}

static void report_progress(const trainer *t, const vkp_losses *losses, const double row[VKP_LOG_COLUMNS])
{
    if (!t->options->progress) return;
    const uint32_t steps = steps_per_epoch(t);
    const double rate = (double)(t->state.step - t->steps_before) / (now() - t->started);
    uint64_t total = (uint64_t)steps * t->config.epochs;
    if (t->options->max_steps && t->options->max_steps < total) total = t->options->max_steps;
    double left = total > t->state.step ? (double)(total - t->state.step) / rate : 0;
    const double minutes_left = t->options->max_minutes * 60 - (now() - t->started);
    if (t->options->max_minutes > 0 && minutes_left < left) left = minutes_left > 0 ? minutes_left : 0;
    t->options->progress(
        t->options->user,
        &(vkp_train_progress){.epoch = t->state.epoch + (row ? 0 : 1),
                              .epochs = t->config.epochs,
                              .step = row ? steps : t->state.epoch_steps,
                              .steps = steps,
                              .steps_done = t->state.step,
                              .losses = *losses,
                              .steps_per_second = rate,
                              .seconds_left = left,
                              .device_idle = idle_share(&t->idle, t->epoch_started),
                              .epoch_ended = row != NULL,
                              .train_psnr = row ? row[VKP_LOG_train_psnr] : NAN,
                              .val_psnr = row ? row[VKP_LOG_val_psnr] : NAN,
                              .val_l1 = row ? row[VKP_LOG_val_G_l1_loss] : NAN});
}

static bool should_stop(const trainer *t)
{
    const vkp_train_options *o = t->options;
    if (o->stop && *o->stop) return true;
    if (o->max_steps && t->state.step >= o->max_steps) return true;
    return o->max_minutes > 0 && now() - t->started >= o->max_minutes * 60;
}

static vkp_status count_step(trainer *t, const vkp_losses *losses, uint32_t pictures)
{
    vkp_run_state *s = &t->state;
    const double row[VKP_STEPS_COLUMNS] = {(double)s->step, losses->d_adv, losses->g_adv, losses->g_l1};
    VKP_TRY(vkp_run_log_add_step(t->log, row));
    s->epoch_sums[VKP_SUM_D_ADV] += losses->d_adv;
    s->epoch_sums[VKP_SUM_G_ADV] += losses->g_adv;
    s->epoch_sums[VKP_SUM_G_L1] += losses->g_l1;
    for (uint32_t i = 0; i < pictures; i++) s->epoch_sums[VKP_SUM_PSNR] += t->psnr[i];
    s->d_batches = (s->epoch_steps + 1) % t->config.d_every;
    s->epoch_steps++;
    s->step++;
    t->last_count = pictures;
    report_progress(t, losses, NULL);
    return VKP_OK;
}

/* Makes the folder a run: only once its pictures can be read and its step fits the device. */
static vkp_status begin_run(const trainer *t)
{
    char path[4096];
    VKP_TRY(run_path(t, "config.yml", path));
    const vkp_status status = vkp_run_split_save(t->options);
    if (status == VKP_INTERNAL)
        message(t, "the name of --val is not UTF-8 and is not kept: give it again when resuming");
    else
        VKP_TRY(status);
    return vkp_config_save(&t->config, path);
}

/* After a step that was submitted at one time, and whose successor's batch was ready at another. */
static void count_waiting(waiting *w, double submitted, double fed)
{
    const double end = now(), took = end - submitted;
    if (w->finished > 0) w->seconds += submitted - w->finished;
    if (w->shortest > 0 && fed - submitted > w->shortest) w->seconds += fed - submitted - w->shortest;
    if (w->shortest <= 0 || took < w->shortest) w->shortest = took;
    w->finished = end;
}

/* One step on a batch that is on its way to the device; *batch becomes the next one, which the decoders and
 * the host prepare while the device computes. */
static vkp_status one_step(trainer *t, vkp_feed_batch *batch)
{
    vkp_step *step;
    vkp_losses losses;
    const uint32_t pictures = batch->count, every = t->config.d_every, at = t->state.epoch_steps;
    VKP_TRY(step_for(t, pictures, &step));
    if (!t->state.step) VKP_TRY(begin_run(t));
    const vkp_step_inputs inputs = {.blur = batch->blur,
                                    .valid = batch->valid,
                                    .lr = learning_rate(t, at),
                                    .first_of_d = at % every == 0,
                                    .update_d = at % every == every - 1};
    VKP_TRY(vkp_step_submit(step, &inputs));
    const double submitted = now();
    VKP_TRY(vkp_feed_next(t->feed, batch));
    const double fed = now();
    const vkp_status status = vkp_step_finish(step, &losses, t->psnr);
    if (pictures == t->config.batch) count_waiting(&t->idle, submitted, fed);
    if (status != VKP_OK) return at_step(t, status);
    return count_step(t, &losses, pictures);
}

/* The steps of the epoch after the finished ones, until its end or a stop; *ended tells which. */
static vkp_status train_epoch(trainer *t, bool *ended)
{
    vkp_feed_batch batch;
    *ended = true;
    t->epoch_started = now();
    /* The very first step makes its pipelines first: that is not waiting. */
    t->idle =
        (waiting){.shortest = t->idle.shortest, .finished = t->idle.shortest > 0 ? t->epoch_started : 0};
    if (!t->queued) VKP_TRY(queue_epoch(t, t->state.epoch));
    t->queued = false;
    VKP_TRY(vkp_feed_skip(t->feed, (size_t)t->state.epoch_steps * t->config.batch));
    VKP_TRY(vkp_feed_next(t->feed, &batch));
    while (batch.count) {
        VKP_TRY(one_step(t, &batch));
        t->stopping = should_stop(t);
        *ended = !batch.count;
        if (t->stopping) break;
    }
    /* The decoders go on with the next epoch while this one is validated and drawn. */
    t->queued = *ended && !t->stopping && t->state.epoch_steps && t->state.epoch + 1 < t->config.epochs;
    return t->queued ? queue_epoch(t, t->state.epoch + 1) : VKP_OK;
}

static vkp_status write_preview(trainer *t, uint32_t epoch, const vkp_preview *preview)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "previews/epoch_%03u.png", epoch);
    VKP_TRY(run_path(t, name, path));
    return vkp_preview_write(preview, path);
}

/* Validation, the log's row, figures and previews, for an epoch that ended or was cut short. */
static vkp_status report_epoch(trainer *t, double row[VKP_LOG_COLUMNS])
{
    const vkp_run_state *s = &t->state;
    const uint32_t epoch = s->epoch + 1;
    const double pictures = (double)(s->epoch_steps - 1) * t->config.batch + t->last_count;
    double val_l1 = NAN, val_psnr = NAN;
    vkp_preview preview = {0};
    const bool show =
        epoch == 1 || epoch % t->config.preview_every == 0 || t->stopping || epoch == t->config.epochs;
    if (t->validation) {
        vkp_status status = vkp_validation_run(t->validation, &val_l1, &val_psnr, show ? &preview : NULL);
        /* Previews and figures are for the eye: one that cannot be written is no reason to stop training. */
        if (status == VKP_OK && preview.count && write_preview(t, epoch, &preview) != VKP_OK)
            message(t, "no preview: %s", vkp_error());
        vkp_preview_free(&preview);
        VKP_TRY(status);
    }
    const double values[VKP_LOG_COLUMNS] = {epoch,
                                            s->epoch_sums[VKP_SUM_D_ADV] / s->epoch_steps,
                                            s->epoch_sums[VKP_SUM_G_ADV] / s->epoch_steps,
                                            s->epoch_sums[VKP_SUM_G_L1] / s->epoch_steps,
                                            val_l1,
                                            s->epoch_sums[VKP_SUM_PSNR] / pictures,
                                            val_psnr,
                                            learning_rate(t, s->epoch_steps - 1),
                                            now() - t->epoch_started};
    memcpy(row, values, sizeof values);
    VKP_TRY(vkp_run_log_add_epoch(t->log, row));
    if (vkp_report_figures(t->options->out) != VKP_OK) message(t, "no figures: %s", vkp_error());
    return VKP_OK;
}

static vkp_status end_epoch(trainer *t, const double row[VKP_LOG_COLUMNS])
{
    vkp_run_state *s = &t->state;
    const double psnr = row[VKP_LOG_val_psnr];
    s->epoch++;
    s->epoch_steps = 0;
    s->d_batches = 0; /* what an odd last batch left waiting is dropped */
    memset(s->epoch_sums, 0, sizeof s->epoch_sums);
    if (!isnan(psnr) && !(psnr <= s->best_val_psnr)) {
        s->best_val_psnr = psnr;
        s->best_epoch = s->epoch;
        VKP_TRY(write_best(t));
    }
    VKP_TRY(write_last(t));
    report_progress(t,
                    &(vkp_losses){.d_adv = row[VKP_LOG_train_D_adv_loss],
                                  .g_adv = row[VKP_LOG_train_G_adv_loss],
                                  .g_l1 = row[VKP_LOG_train_G_l1_loss],
                                  .adversarial = t->adversarial},
                    row);
    return VKP_OK;
}

static vkp_status run(trainer *t)
{
    if (should_stop(t)) {
        if (!t->state.step) VKP_TRY(begin_run(t)); /* stopped so early, it can still be resumed */
        else message(t, "nothing to do: the run has %" PRIu64 " steps already", t->state.step);
    }
    while (t->state.epoch < t->config.epochs && !should_stop(t)) {
        double row[VKP_LOG_COLUMNS];
        bool ended;
        VKP_TRY(train_epoch(t, &ended));
        if (!t->state.epoch_steps)
            return vkp_fail(VKP_INPUT, "no picture of %s could be read (see above; check the files)",
                            t->options->data);
        /* Who asked for a stop may not wait for a validation. */
        if (!ended) VKP_TRY(write_last(t));
        VKP_TRY(report_epoch(t, row));
        if (!ended) return vkp_run_log_sync(t->log);
        VKP_TRY(end_epoch(t, row));
    }
    return VKP_OK;
}

static void close_trainer(trainer *t)
{
    vkp_step_destroy(t->full);
    vkp_step_destroy(t->rest);
    vkp_validation_destroy(t->validation);
    vkp_feed_destroy(t->feed);
    vkp_arena_destroy(t->device, &t->arena);
    vkp_model_free(&t->model);
    vkp_run_log_close(t->log);
    vkp_run_set_free(&t->set);
    free(t->order);
    free(t->psnr);
}

/* A run in a folder that is this process's own, with all of its options. */
static vkp_status train_in(vkp_device *device, const vkp_config *config, const vkp_train_options *options)
{
    trainer t = {.device = device, .options = options, .config = *config, .started = now()};
    /* Also in the settings that the run keeps; blur that no picture gets needs no pass of its own. */
    if (!options->augment) {
        t.config.blur = t.config.flip = t.config.jitter = t.config.degrade = 0;
        t.config.view_min = t.config.view_max = 0;
    }
    vkp_status status = vkp_config_check(&t.config);
    if (status == VKP_OK) status = options->resume ? start_again(&t) : start_new(&t);
    if (status == VKP_OK) status = open_feeds(&t);
    t.started = now();
    t.steps_before = t.state.step;
    if (status == VKP_OK) status = run(&t);
    close_trainer(&t);
    return status;
}

vkp_status vkp_train(vkp_device *device, const vkp_config *config, const vkp_train_options *options)
{
    vkp_train_options own = *options;
    char *val = NULL;
    int lock;
    vkp_status status = take_run(&own, &lock);
    if (status == VKP_OK && own.resume) status = vkp_run_split_resume(&own, &val);
    if (status == VKP_OK) status = train_in(device, config, &own);
    vkp_run_lock_release(lock);
    free(val);
    return status;
}
