/* vkpix eval: colours pictures of which the true colours are known, and says how near the result comes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/folder.h"
#include "eval_page.h"
#include "image/degrade.h"
#include "model_options.h"
#include "picture_source.h"
#include "report.h"

typedef struct evaluation {
    vkp_colorizer *colorizer;
    double saturation;
    bool degraded;
    long seed; /* of the degradations */
    uint64_t max_pixels;
    bool paged;
    vkp_eval_page page;
    vkp_eval_row *rows;
    size_t count, failed, colorless;
} evaluation;

/* *made = the picture in the predicted colours times `saturation`; its scores. */
static vkp_status score(const evaluation *e, const vkp_picture *original, double saturation,
                        vkp_picture *made, vkp_scores *scores)
{
    VKP_TRY(vkp_colorizer_join(e->colorizer, original, (float)saturation, made));
    return vkp_scores_compute(made, original, scores);
}

/* *seen = the picture with an old photograph's faults, by the seed and the picture's number. */
static vkp_status degrade(const evaluation *e, const vkp_picture *original, size_t index, vkp_picture *seen)
{
    VKP_TRY(vkp_picture_make(original->width, original->height, seen));
    memcpy(seen->rgba, original->rgba, (size_t)original->width * (size_t)original->height * 4);
    return vkp_degrade_picture(seen, (uint64_t)e->seed, index);
}

/* Whatever the network sees, its colours go with the original's luma. */
static vkp_status evaluate(evaluation *e, const vkp_picture *original, const char *name, size_t index)
{
    vkp_eval_row *r = &e->rows[e->count];
    vkp_picture result = {0}, gray = {0}, seen = {0};
    *r = (vkp_eval_row){.name = name, .width = original->width, .height = original->height};
    vkp_status status = e->degraded ? degrade(e, original, index, &seen) : VKP_OK;
    if (status == VKP_OK) status = vkp_colorizer_predict(e->colorizer, e->degraded ? &seen : original);
    if (status == VKP_OK) status = score(e, original, e->saturation, &result, &r->model);
    if (status == VKP_OK) status = score(e, original, 0, &gray, &r->none);
    if (status == VKP_OK && r->model.values[VKP_SCORE_original_colorfulness] <= 0) {
        vkp_report("%s is left out (it has no colours to compare with)", name);
        e->colorless++;
    } else if (status == VKP_OK) {
        if (e->paged) status = vkp_eval_page_add(&e->page, e->degraded ? &seen : &gray, &result, original);
        e->count++;
    }
    vkp_picture_free(&result);
    vkp_picture_free(&gray);
    vkp_picture_free(&seen);
    return status;
}

static vkp_status evaluate_next(evaluation *e, vkp_loader *loader, const vkp_folder *folder)
{
    vkp_loader_item item;
    VKP_TRY(vkp_loader_next(loader, &item));
    if (item.status != VKP_OK) {
        vkp_report_error(item.error);
        e->failed++;
        return VKP_OK;
    }
    const vkp_status status = evaluate(e, &item.picture, folder->names[item.index], item.index);
    vkp_picture_free(&item.picture);
    return status;
}

static vkp_status evaluate_all(evaluation *e, const vkp_folder *folder)
{
    vkp_loader *loader;
    VKP_TRY(vkp_read_ahead((const char *const *)folder->paths, folder->count, e->max_pixels, &loader));
    vkp_progress progress = {.total = folder->count, .unit = "pictures"};
    vkp_status status = VKP_OK;
    for (size_t i = 0; i < folder->count && status == VKP_OK; i++) {
        vkp_progress_show(&progress, i, folder->names[i]);
        status = evaluate_next(e, loader, folder);
    }
    if (status == VKP_OK) vkp_progress_show(&progress, folder->count, "");
    vkp_loader_free(loader);
    return status;
}

static vkp_scores mean_model(const evaluation *e)
{
    return vkp_scores_mean(&e->rows->model, e->count, sizeof *e->rows);
}
static vkp_scores mean_none(const evaluation *e)
{
    return vkp_scores_mean(&e->rows->none, e->count, sizeof *e->rows);
}

static int column_width(size_t score)
{
    const int heading = (int)strlen(vkp_score_get(score)->heading);
    return 2 + (heading < 6 ? 6 : heading);
}

static void print_row(const vkp_scores *scores, const char *name)
{
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++)
        printf("%*.*f", column_width(s), vkp_score_get(s)->digits, scores->values[s]);
    char line[1024];
    vkp_one_line(name, line, sizeof line);
    printf("  %s\n", line);
}

static void print_table(const evaluation *e)
{
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++) printf("%*s", column_width(s), vkp_score_get(s)->heading);
    puts("  picture");
    for (size_t i = 0; i < e->count; i++) print_row(&e->rows[i].model, e->rows[i].name);
    const vkp_scores model = mean_model(e), none = mean_none(e);
    puts("");
    print_row(&model, "mean");
    print_row(&none, "mean, no colour at all");
}

static void add_scores(cJSON *object, const vkp_scores *scores)
{
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++)
        cJSON_AddNumberToObject(object, vkp_score_get(s)->name, scores->values[s]);
}

static vkp_status print_document(const vkp_options *options, const evaluation *e,
                                 const vkp_device *device)
{
    cJSON *document = cJSON_CreateObject();
    cJSON_AddStringToObject(document, "device", device->info.name);
    cJSON_AddStringToObject(document, "model", vkp_colorizer_model(e->colorizer));
    cJSON_AddNumberToObject(document, "size", vkp_colorizer_size(e->colorizer));
    cJSON_AddStringToObject(document, "fit", vkp_fit_name(vkp_colorizer_fit(e->colorizer)));
    cJSON_AddNumberToObject(document, "saturation", e->saturation);
    cJSON_AddBoolToObject(document, "flip_average", vkp_options_given(options, "flip-average"));
    if (e->degraded) cJSON_AddNumberToObject(document, "degrade_seed", (double)e->seed);
    cJSON_AddNumberToObject(document, "count", (double)e->count);
    cJSON_AddNumberToObject(document, "unreadable", (double)e->failed);
    cJSON_AddNumberToObject(document, "without_color", (double)e->colorless);
    cJSON_AddNumberToObject(document, "psnr_limit", VKP_SCORE_PSNR_LIMIT);
    const vkp_scores model = mean_model(e), none = mean_none(e);
    add_scores(cJSON_AddObjectToObject(document, "mean"), &model);
    add_scores(cJSON_AddObjectToObject(document, "mean_no_color"), &none);
    cJSON *pictures = cJSON_AddArrayToObject(document, "pictures");
    for (size_t i = 0; i < e->count; i++) {
        cJSON *picture = cJSON_CreateObject();
        cJSON_AddStringToObject(picture, "name", e->rows[i].name);
        cJSON_AddNumberToObject(picture, "width", e->rows[i].width);
        cJSON_AddNumberToObject(picture, "height", e->rows[i].height);
        add_scores(picture, &e->rows[i].model);
        add_scores(cJSON_AddObjectToObject(picture, "no_color"), &e->rows[i].none);
        cJSON_AddItemToArray(pictures, picture);
    }
    return vkp_print_json(document);
}

static vkp_status print_result(const vkp_options *options, const evaluation *e, const vkp_device *device)
{
    if (!e->count)
        return vkp_fail(VKP_INPUT,
                        "nothing to compare (no picture could be read that has colours; give a folder of "
                        "colour pictures)");
    if (vkp_options_given(options, "json")) VKP_TRY(print_document(options, e, device));
    else print_table(e);
    if (!e->failed) return VKP_OK;
    return vkp_fail(VKP_INPUT, "%zu pictures could not be read (see the lines above; replace or remove them)",
                    e->failed);
}

static vkp_status finish_page(const vkp_options *options, const evaluation *e, const vkp_device *device)
{
    char title[512], settings[1024], degraded[64] = "";
    if (e->degraded) snprintf(degraded, sizeof degraded, ", input degraded with seed %ld", e->seed);
    snprintf(title, sizeof title, "vkpix eval %s", vkp_options_argument(options, 0));
    snprintf(settings, sizeof settings, "model %s, size %u, fit %s, saturation %g%s%s, on %s",
             vkp_colorizer_model(e->colorizer), vkp_colorizer_size(e->colorizer),
             vkp_fit_name(vkp_colorizer_fit(e->colorizer)), e->saturation,
             vkp_options_given(options, "flip-average") ? ", flip average" : "", degraded, device->info.name);
    return vkp_eval_page_finish(&e->page, e->rows, title, settings);
}

static vkp_status run_with(const vkp_options *options, const vkp_folder *folder, evaluation *e)
{
    vkp_device *device;
    const char *page = vkp_options_value(options, "page");
    VKP_TRY(vkp_options_saturation(options, &e->saturation));
    VKP_TRY(vkp_options_integer(options, "degrade", 0, UINT32_MAX, &e->seed));
    VKP_TRY(vkp_options_max_pixels(options, &e->max_pixels));
    e->degraded = vkp_options_given(options, "degrade");
    VKP_TRY(vkp_options_colorizer(options, &device, &e->colorizer));
    e->saturation = vkp_saturation(e->saturation, e->colorizer);
    vkp_status status = VKP_OK;
    e->paged = page != NULL;
    if (page) status = vkp_eval_page_begin(page, &e->page);
    if (status == VKP_OK) status = evaluate_all(e, folder);
    if (status == VKP_OK && page && e->count) status = finish_page(options, e, device);
    if (status == VKP_OK) status = print_result(options, e, device);
    vkp_colorizer_destroy(e->colorizer);
    vkp_options_close(device);
    return status;
}

static vkp_status run_on(const vkp_options *options, const vkp_folder *folder)
{
    evaluation e = {.rows = calloc(folder->count, sizeof *e.rows)};
    if (!e.rows)
        return vkp_fail(VKP_MEMORY, "no memory for the table (host memory ran out; close other programs)");
    const vkp_status status = run_with(options, folder, &e);
    free(e.rows);
    return status;
}

static vkp_status run(const vkp_options *options)
{
    vkp_folder folder;
    VKP_TRY(vkp_folder_list(vkp_options_argument(options, 0), &folder));
    const vkp_status status = run_on(options, &folder);
    vkp_folder_free(&folder);
    return status;
}

static const vkp_option options_taken[] = {
    VKP_MODEL_OPTIONS,
    {"degrade", "SEED",
     "the network sees each picture with an old photograph's faults, drawn by SEED, a whole number; its "
     "colours are compared as those of the undamaged picture"},
    {"page", "FOLDER",
     "write a page to look at, FOLDER/index.html: gray, result and truth of each picture with its figures, "
     "worst or best first by any of them"},
    VKP_OPTION_MAX_MEGAPIXELS,
    VKP_OPTION_JSON,
    VKP_OPTION_DEVICE,
    VKP_OPTION_VARIANT,
    {0},
};

const vkp_command vkp_command_eval = {
    .name = "eval",
    .synopsis = "DIR [options]",
    .summary = "make colour pictures gray, colour them, and compare with the originals",
    .details =
        "Every picture is compared at its own size, as colorize would write it. The last row, and no_color\n"
        "in the JSON document, give the same figures for no colour at all (chroma zero). The columns, and\n"
        "what JSON calls them where that differs:\n"
        "  psnr, psnr_crcb     over R, G, B and over Cr, Cb, in dB, at most 100\n"
        "  ssim                structural similarity\n"
        "  l1, l1_crcb         mean absolute difference of R, G, B in 0..1, and of Cr, Cb in -1..1\n"
        "  emd_crcb            distance of the chroma histograms, in levels of 0..255: earth mover's along\n"
        "                      Cr and along Cb, their mean; unlike an intersection of histograms it tells a\n"
        "                      colour that is nearly right from one far off, and needs no choice of bins\n"
        "  cf, cf_orig         colorfulness of the result, original_colorfulness of the picture itself:\n"
        "                      Hasler and Suesstrunk's, as published\n"
        "  dcf, |dcf|          delta_cf, abs_delta_cf: cf less cf_orig, and its absolute value; the mean of\n"
        "                      the first is the difference of the means\n"
        "  cf_a, cf_a_orig, dcf_a, |dcf_a|\n"
        "                      colorfulness_abs, original_colorfulness_abs, delta_cf_abs,\n"
        "                      abs_delta_cf_abs: the same in the other usual form, which takes the absolute\n"
        "                      values of R - G and of (R + G) / 2 - B\n",
    .options = options_taken,
    .min_arguments = 1,
    .max_arguments = 1,
    .tune_seconds = 2,
    .run = run,
};
