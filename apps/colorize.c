/* vkpix colorize: colours pictures at their own size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/tone.h"
#include "jobs.h"
#include "model_options.h"
#include "picture_source.h"
#include "report.h"
#include "sheet.h"

typedef struct colorizing {
    vkp_colorizer *colorizer; /* NULL for sheets, which have their own */
    vkp_sheet sheet;
    double saturation, tone;
    long quality;
    uint64_t max_pixels;
    const char *folder; /* vkp_jobs's */
    bool pair, small, sheets;
    size_t failed;
} colorizing;

/* left and right, of one size, beside each other. */
static vkp_status make_pair(const vkp_picture *left, const vkp_picture *right, vkp_picture *pair)
{
    VKP_TRY(vkp_picture_make(2 * left->width, left->height, pair));
    pair->alpha = left->alpha;
    const size_t row = (size_t)left->width * 4;
    for (size_t y = 0; y < (size_t)left->height; y++) {
        memcpy(pair->rgba + 2 * y * row, left->rgba + y * row, row);
        memcpy(pair->rgba + (2 * y + 1) * row, right->rgba + y * row, row);
    }
    return VKP_OK;
}

static vkp_status write_picture(const colorizing *c, const char *path, const vkp_picture *picture)
{
    VKP_TRY(vkp_job_make_parent(c->folder, path));
    return vkp_picture_write(path, picture, (int)c->quality);
}

static vkp_status write_pair(const colorizing *c, const char *path, const vkp_picture *colored,
                             const vkp_picture *seen, vkp_picture *original)
{
    vkp_picture pair;
    VKP_TRY(make_pair(colored, seen, &pair));
    vkp_kept_move(&original->kept, &pair.kept);
    const vkp_status status = write_picture(c, path, &pair);
    vkp_picture_free(&pair);
    return status;
}

static void add_tone(const colorizing *c, const vkp_picture *original, vkp_picture *colored)
{
    if (c->tone == 0) return;
    vkp_tone tone;
    vkp_tone_measure(original, &tone);
    vkp_tone_add(&tone, (float)c->tone, colored);
}

static vkp_status colour_full(const void *user, vkp_colorizer *colorizer, const vkp_picture *original,
                              vkp_picture *colored)
{
    const colorizing *c = user;
    VKP_TRY(vkp_colorizer_predict(colorizer, original));
    const float saturation = (float)vkp_saturation(c->saturation, colorizer);
    VKP_TRY(vkp_colorizer_join(colorizer, original, saturation, colored));
    add_tone(c, original, colored);
    return VKP_OK;
}

static vkp_status colorize_full(const colorizing *c, vkp_picture *original, const char *output)
{
    vkp_picture colored;
    VKP_TRY(colour_full(c, c->colorizer, original, &colored));
    if (!c->pair) vkp_picture_pass_on(original, &colored);
    const vkp_status status = c->pair ? write_pair(c, output, &colored, original, original)
                                      : write_picture(c, output, &colored);
    vkp_picture_free(&colored);
    return status;
}

/* The network's own picture. */
static vkp_status colorize_small(const colorizing *c, vkp_picture *original, const char *output)
{
    vkp_picture colored, seen;
    VKP_TRY(vkp_colorizer_predict(c->colorizer, original));
    VKP_TRY(vkp_colorizer_join_small(c->colorizer, original,
                                     (float)vkp_saturation(c->saturation, c->colorizer), &colored, &seen));
    add_tone(c, original, &colored);
    if (!c->pair) vkp_kept_move(&original->kept, &colored.kept);
    const vkp_status status = c->pair ? write_pair(c, output, &colored, &seen, original)
                                      : write_picture(c, output, &colored);
    vkp_picture_free(&colored);
    vkp_picture_free(&seen);
    return status;
}

static vkp_status make_sheet(const colorizing *c, vkp_picture *original, const char *output)
{
    vkp_picture sheet;
    VKP_TRY(vkp_sheet_make(&c->sheet, colour_full, c, original, &sheet));
    vkp_kept_move(&original->kept, &sheet.kept);
    const vkp_status status = write_picture(c, output, &sheet);
    vkp_picture_free(&sheet);
    return status;
}

static vkp_status colorize(const colorizing *c, vkp_picture *original, const char *output)
{
    if (c->sheets) return make_sheet(c, original, output);
    return c->small ? colorize_small(c, original, output) : colorize_full(c, original, output);
}

/* Whether the fault is this picture's alone, so that the others can go on. */
static bool concerns_one_picture(vkp_status status)
{
    return status == VKP_SHAPE || status == VKP_INPUT || status == VKP_MEMORY;
}

static vkp_status colorize_next(colorizing *c, vkp_loader *loader, const vkp_jobs *jobs)
{
    vkp_loader_item item;
    VKP_TRY(vkp_loader_next(loader, &item));
    vkp_status status = item.status;
    if (status != VKP_OK) {
        vkp_report_error(item.error);
        c->failed++;
        return VKP_OK;
    }
    const vkp_job *job = &jobs->list[item.index];
    if (item.picture.kept.left_out)
        vkp_report("%s: its colour profile %s and is not kept", job->input, item.picture.kept.left_out);
    if (item.picture.animated)
        vkp_report("%s: an animation, of which only its still picture is coloured", job->input);
    status = colorize(c, &item.picture, job->output);
    vkp_picture_free(&item.picture);
    if (!concerns_one_picture(status)) return status;
    vkp_report("error: cannot colour %s: %s", job->input, vkp_error());
    c->failed++;
    return VKP_OK;
}

static vkp_status colorize_jobs(colorizing *c, vkp_loader *loader, const vkp_jobs *jobs)
{
    vkp_progress progress = {.total = jobs->count, .unit = "pictures"};
    for (size_t i = 0; i < jobs->count; i++) {
        vkp_progress_show(&progress, i, jobs->list[i].input);
        VKP_TRY(colorize_next(c, loader, jobs));
    }
    vkp_progress_show(&progress, jobs->count, "");
    return VKP_OK;
}

/* Finds out whether a picture can be written before any is coloured; what is wrong with one alone is told
 * when its turn comes. */
static vkp_status check_writable(const vkp_jobs *jobs)
{
    vkp_status status = VKP_INPUT;
    for (size_t i = 0; i < jobs->count && concerns_one_picture(status); i++) {
        vkp_file_writer *trial;
        const char *output = jobs->list[i].output;
        status = vkp_job_make_parent(jobs->folder, output);
        if (status == VKP_OK) status = vkp_file_writer_open(output, &trial);
        if (status == VKP_OK) vkp_file_writer_abandon(trial);
    }
    return status;
}

static vkp_status run_sheets(const vkp_options *options, colorizing *c, vkp_loader *loader,
                             const vkp_jobs *jobs)
{
    VKP_TRY(vkp_sheet_open(options, &c->sheet));
    const vkp_status status = colorize_jobs(c, loader, jobs);
    vkp_sheet_close(&c->sheet);
    return status;
}

static vkp_status run_colorizer(const vkp_options *options, colorizing *c, vkp_loader *loader,
                                const vkp_jobs *jobs)
{
    vkp_device *device;
    VKP_TRY(vkp_options_colorizer(options, &device, &c->colorizer));
    const vkp_status status = colorize_jobs(c, loader, jobs);
    vkp_colorizer_destroy(c->colorizer);
    vkp_options_close(device);
    return status;
}

static vkp_status run_jobs(const vkp_options *options, colorizing *c, const vkp_jobs *jobs)
{
    c->folder = jobs->folder;
    VKP_TRY(check_writable(jobs));
    const char **paths = calloc(jobs->count, sizeof *paths);
    if (!paths)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the list of pictures (host memory ran out; close programs)");
    for (size_t i = 0; i < jobs->count; i++) paths[i] = jobs->list[i].input;
    vkp_loader *loader;
    vkp_status status = vkp_read_ahead(paths, jobs->count, c->max_pixels, &loader);
    if (status == VKP_OK) {
        /* The first pictures are decoded while the device is opened. */
        status = c->sheets ? run_sheets(options, c, loader, jobs) : run_colorizer(options, c, loader, jobs);
        vkp_loader_free(loader);
    }
    free(paths);
    return status;
}

static vkp_status list_jobs(const vkp_options *options, vkp_jobs *jobs)
{
    const size_t count = vkp_options_argument_count(options);
    const char **inputs = calloc(count + 1, sizeof *inputs);
    if (!inputs)
        return vkp_fail(VKP_MEMORY, "no memory for the list of inputs (host memory ran out; close programs)");
    for (size_t i = 0; i < count; i++) inputs[i] = vkp_options_argument(options, i);
    const vkp_status status = vkp_jobs_make(inputs, count, vkp_options_value(options, "out"),
                                            vkp_options_given(options, "skip-existing"), jobs);
    free(inputs);
    return status;
}

static vkp_status read_options(const vkp_options *options, colorizing *c)
{
    *c = (colorizing){.quality = 95, .pair = vkp_options_given(options, "pair"),
                      .small = vkp_options_given(options, "at-model-size"),
                      .sheets = vkp_options_given(options, "sheet")};
    VKP_TRY(vkp_options_saturation(options, &c->saturation));
    VKP_TRY(vkp_options_real(options, "keep-tone", 0, 1, &c->tone));
    VKP_TRY(vkp_options_integer(options, "quality", 1, 100, &c->quality));
    VKP_TRY(vkp_options_max_pixels(options, &c->max_pixels));
    static const char *const others[] = {"size", "pair", "at-model-size"};
    for (size_t i = 0; c->sheets && i < sizeof others / sizeof *others; i++)
        if (vkp_options_given(options, others[i]))
            return vkp_fail(VKP_USAGE,
                            "--sheet and --%s exclude each other (a sheet shows whole pictures at sizes "
                            "of its own; leave one of them out)",
                            others[i]);
    return VKP_OK;
}

static vkp_status run(const vkp_options *options)
{
    colorizing c;
    vkp_jobs jobs;
    VKP_TRY(read_options(options, &c));
    VKP_TRY(list_jobs(options, &jobs));
    vkp_status status = jobs.count ? run_jobs(options, &c, &jobs) : VKP_OK;
    const size_t failed = c.failed + jobs.unusable;
    if (jobs.existing) vkp_report("%zu pictures were there already", jobs.existing);
    if (status == VKP_OK && failed)
        status = vkp_fail(VKP_INPUT,
                          "%zu of %zu pictures could not be coloured (see the lines above; replace or remove "
                          "them)",
                          failed, jobs.count + jobs.unusable);
    vkp_jobs_free(&jobs);
    return status;
}

static const vkp_option options_taken[] = {
    {"out", "PATH", "where the result goes: a file for one picture, else a folder"},
    VKP_MODEL_OPTIONS,
    {"at-model-size", NULL, "write the network's own picture, cropped to the aspect ratio"},
    {"pair", NULL, "write result (left) and original (right) side by side"},
    {"keep-tone", "X", "how much of a print's own colour (sepia, yellowed paper) is mixed back, 0 to 1; 0 by "
                       "default"},
    {"sheet", NULL, "write the results of several working sizes side by side, to choose --size from"},
    {"quality", "Q", "quality of JPEG files, 1 to 100; 95 by default"},
    {"skip-existing", NULL, "leave alone what has been coloured already"},
    VKP_OPTION_MAX_MEGAPIXELS,
    VKP_OPTION_DEVICE,
    VKP_OPTION_VARIANT,
    {0},
};
static const char *const needed[] = {"out", NULL};

const vkp_command vkp_command_colorize = {
    .name = "colorize",
    .synopsis = "INPUT... --out PATH [options]",
    .summary = "colour photographs at their own size",
    .details =
        "INPUT is a picture or a folder that is searched through. A folder's layout is mirrored below PATH.\n"
        "Results keep the extension; .pgm and .pbm become .ppm, unknown ones get .png in addition.\n"
        "Results keep transparency, Exif and ICC profile (PNG and JPEG; a profile for gray pictures is left\n"
        "out), and 16 bits a sample (PNG and PPM, but for --pair, --at-model-size and --sheet).\n"
        "A picture that cannot be read is reported and skipped, and the exit status is 1.\n",
    .options = options_taken,
    .needed = needed,
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .tune_seconds = 0.5,
    .run = run,
};
