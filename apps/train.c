/* vkpix train: trains a network on a folder of photographs. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nn/trainer.h"
#include "options.h"
#include "picture_source.h"
#include "report.h"

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

/* The first signal asks for a checkpoint and an end; a second one ends the program as usual. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

typedef struct display {
    bool terminal;
    double shown;
} display;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *duration(double seconds, char *text, size_t room)
{
    if (!isfinite(seconds))
        snprintf(text, room, "?");
    else if (seconds < 3600)
        snprintf(text, room, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, room, "%.0fh%02d", floor(seconds / 3600), (int)fmod(seconds / 60, 60));
    return text;
}

/* Of those losses that the step has. */
static const char *losses_text(const vkp_losses *l, char *text, size_t room)
{
    int n = 0;
    if (l->adversarial) n = snprintf(text, room, "D %.4f  G %.4f  ", l->d_adv, l->g_adv);
    n += snprintf(text + n, room - (size_t)n, "L1 %.3f", l->g_l1);
    if (l->classes > 0) snprintf(text + n, room - (size_t)n, "  classes %.3f", l->classes);
    return text;
}

static void show_epoch(const vkp_train_progress *p)
{
    char validation[96] = "", losses[96];
    if (!isnan(p->val_psnr))
        snprintf(validation, sizeof validation, "; validation L1 %.3f, PSNR %.2f dB", p->val_l1, p->val_psnr);
    vkp_report("epoch %u/%u: %s  PSNR %.2f dB%s; device idle %.1f %%", p->epoch, p->epochs,
               losses_text(&p->losses, losses, sizeof losses), p->train_psnr, validation,
               100 * p->device_idle);
}

static void show_progress(void *user, const vkp_train_progress *p)
{
    display *d = user;
    const double pause = d->terminal ? 0.2 : 10;
    char left[32], bar[21];
    if (p->epoch_ended) {
        if (d->terminal) fprintf(stderr, "\r\033[K");
        show_epoch(p);
        d->shown = 0;
        return;
    }
    if (now() - d->shown < pause) return;
    d->shown = now();
    duration(p->seconds_left, left, sizeof left);
    char line[256], losses[96];
    const unsigned filled = p->steps ? 20 * p->step / p->steps : 0;
    memset(bar, '.', 20);
    memset(bar, '#', filled < 20 ? filled : 20);
    bar[20] = 0;
    snprintf(line, sizeof line, "epoch %u/%u %s step %u/%u  %s  %.2f steps/s  %s left", p->epoch, p->epochs,
             d->terminal ? bar : "", p->step, p->steps, losses_text(&p->losses, losses, sizeof losses),
             p->steps_per_second, left);
    if (d->terminal)
        fprintf(stderr, "\r\033[K%s", line);
    else
        vkp_report("%s", line);
}

static void show_message(void *user, const char *text)
{
    const display *d = user;
    if (d->terminal) fprintf(stderr, "\r\033[K");
    vkp_report("%s", text);
}

/* The preset or, when resuming, what the run began with; then the file; then --set in order. */
static vkp_status read_config(const vkp_options *options, const char *out, bool resume, vkp_config *config)
{
    char path[4096];
    const char *preset = vkp_options_value(options, "preset"), *file = vkp_options_value(options, "config"),
               *assignment;
    if (snprintf(path, sizeof path, "%s/config.yml", out) >= (int)sizeof path)
        return vkp_fail(VKP_USAGE, "--out is too long (%zu bytes at most; use a shorter path)",
                        sizeof path - 12);
    VKP_TRY(vkp_config_preset(config, preset));
    if (resume && !preset && !file) VKP_TRY(vkp_config_load(config, path));
    if (file) VKP_TRY(vkp_config_load(config, file));
    for (size_t i = 0; vkp_options_each(options, "set", i, &assignment); i++)
        VKP_TRY(vkp_config_set(config, assignment));
    return vkp_config_check(config);
}

static vkp_status read_options(const vkp_options *options, vkp_train_options *train)
{
    long folds = 0, fold = 0, steps = 0;
    *train = (vkp_train_options){.data = vkp_options_argument(options, 0),
                                 .out = vkp_options_value(options, "out"),
                                 .val = vkp_options_value(options, "val"),
                                 .resume = vkp_options_given(options, "resume"),
                                 .augment = !vkp_options_given(options, "no-augment"),
                                 .shuffle = !vkp_options_given(options, "no-shuffle"),
                                 .init_g = vkp_options_value(options, "init-g"),
                                 .init_d = vkp_options_value(options, "init-d"),
                                 .stop = &stop_asked};
    VKP_TRY(vkp_options_integer(options, "folds", 2, 1000000, &folds));
    VKP_TRY(vkp_options_integer(options, "fold", 0, 1000000, &fold));
    VKP_TRY(vkp_options_integer(options, "max-steps", 1, 1000000000, &steps));
    VKP_TRY(vkp_options_real(options, "max-minutes", 0.01, 1e6, &train->max_minutes));
    VKP_TRY(vkp_options_max_pixels(options, &train->max_pixels));
    if (train->val && folds)
        return vkp_fail(VKP_USAGE,
                        "cannot take both --val and --folds (each says what to validate on; leave one out)");
    if (folds ? fold >= folds : fold >= 10)
        return vkp_fail(VKP_USAGE, "there is no fold %ld (folds count from 0; give --fold 0 to %ld)", fold,
                        folds ? folds - 1 : 9);
    if (vkp_options_given(options, "fold") && !folds) folds = 10;
    train->folds = (uint32_t)folds;
    train->fold = (uint32_t)fold;
    train->max_steps = (uint64_t)steps;
    return VKP_OK;
}

/* A word as a shell takes it: quoted where it has to be; cut where `room` is too small. */
static const char *shell_word(const char *word, char *text, size_t room)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,=@%";
    if (*word && strspn(word, plain) == strlen(word)) return word;
    size_t n = 0;
    text[n++] = '\'';
    for (; *word && n + 6 < room; word++) {
        const bool quote = *word == '\'';
        memcpy(text + n, quote ? "'\\''" : word, quote ? 4 : 1);
        n += quote ? 4 : 1;
    }
    text[n++] = '\'';
    text[n] = 0;
    return text;
}

static void tell_how_to_go_on(const vkp_train_options *train)
{
    char data[4096], out[4096];
    vkp_report("stopped; continue with: vkpix train %s --out %s --resume",
               shell_word(train->data, data, sizeof data), shell_word(train->out, out, sizeof out));
}

static vkp_status train_on(const vkp_options *options, const vkp_config *config, vkp_train_options *train)
{
    vkp_device *device;
    display d = {.terminal = isatty(STDERR_FILENO)};
    train->progress = show_progress;
    train->message = show_message;
    train->user = &d;
    VKP_TRY(vkp_options_device(options, &device));
    catch_signals();
    const vkp_status status = vkp_train(device, config, train);
    vkp_options_close(device);
    if (d.terminal) fprintf(stderr, "\r\033[K");
    if (status == VKP_OK && stop_asked)
        tell_how_to_go_on(train);
    else if (status == VKP_OK)
        vkp_report("done: figures, previews and checkpoints are in %s", train->out);
    return status;
}

static vkp_status run(const vkp_options *options)
{
    vkp_train_options train;
    vkp_config config;
    VKP_TRY(read_options(options, &train));
    VKP_TRY(read_config(options, train.out, train.resume, &config));
    return train_on(options, &config, &train);
}

static const vkp_option options[] = {
    {"out", "RUN", "the folder that gets config.yml, log.csv, steps.csv, figures, previews and checkpoints"},
    {"preset", "NAME",
     "train01 (unless given), train02, train03, train04: the published experiments; natural: our own"},
    {"config", "FILE.yml", "settings over the preset's, as a run's config.yml has them"},
    {"set", "KEY=VALUE", "one setting over all others; may be given several times (keys: below)"},
    {"val", "DIR", "pictures to validate on, instead of holding some out"},
    {"folds", "K", "deal the pictures out to K folds, 10 unless given, and hold one out for validation"},
    {"fold", "I", "the fold held out, from 0"},
    {"resume", NULL, "continue RUN from its newest whole checkpoint, bit for bit as if it had not stopped"},
    {"init-g", "FILE", "first weights of the generator, safetensors with PyTorch's names"},
    {"init-d", "FILE", "first weights of the discriminator"},
    {"no-augment", NULL, "whole pictures as they are: no flips, blur, crops, jitter or degradation"},
    {"no-shuffle", NULL,
     "take the pictures in the order of their names; nothing is held out unless --val or --folds ask"},
    {"max-steps", "N", "stop when the run has N steps, as if it had ended there"},
    {"max-minutes", "M", "stop after M minutes, likewise"},
    VKP_OPTION_MAX_MEGAPIXELS,
    VKP_OPTION_DEVICE,
    VKP_OPTION_VARIANT,
    {0},
};
static const char *const needed[] = {"out", NULL};

const vkp_command vkp_command_train = {
    .name = "train",
    .synopsis = "DIR --out RUN [options]",
    .summary = "train a network on a folder of photographs",
    .details = "Every picture under DIR is used. Settings for --set and --config, by key:\n"
               "network, size, work_size, batch, epochs, loss, d_norm, d_pools, d_every, lr, lr_min,\n"
               "schedule, restart_every, warmup, beta1, weight_decay, ema, lambda_crcb, lambda_rgb,\n"
               "lambda_class, lambda_adv, adv_from, rare, saturation, boost, dropout, flip, blur, view_min,\n"
               "view_max, jitter, degrade, fit, seed, checkpoint_every, preview_every; a wrong\n"
               "value names what is allowed.",
    .options = options,
    .needed = needed,
    .min_arguments = 1,
    .max_arguments = 1,
    .tune_seconds = 2,
    .run = run,
};
