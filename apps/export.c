/* vkpix export: a model as one file that needs nothing beside it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "formats/onnx_network.h"
#include "nn/built_in.h"
#include "nn/mean.h"
#include "nn/model_file.h"
#include "nn/weights.h"
#include "options.h"
#include "report.h"

/* What --format says, else what the name of --out ends in. */
static vkp_status find_format(const vkp_options *options, bool *onnx)
{
    const char *format = vkp_options_value(options, "format");
    if (!format) {
        *onnx = strcasecmp(vkp_path_extension(vkp_options_value(options, "out")), "onnx") == 0;
        return VKP_OK;
    }
    *onnx = strcmp(format, "onnx") == 0;
    if (*onnx || strcmp(format, "safetensors") == 0) return VKP_OK;
    return vkp_fail(VKP_USAGE, "no format '%s' (there are two; give --format onnx or safetensors)", format);
}

static vkp_status write_file(const vkp_options *options, const vkp_weights *w, bool onnx)
{
    size_t count;
    const char *out = vkp_options_value(options, "out");
    const vkp_onnx_options how = {.fold = vkp_options_given(options, "fold"),
                                  .half = vkp_options_given(options, "half")};
    if (onnx) return vkp_onnx_network_write(out, w, &how);
    const vkp_safetensor *list = vkp_safetensors_list(w->file, &count);
    return vkp_model_file_write(out, list, count, w->name, w->configured ? &w->config : NULL, how.half);
}

/* With the settings of the first. */
static vkp_status write_mean(const vkp_options *options, const vkp_weights *models, size_t count)
{
    vkp_mean mean;
    VKP_TRY(vkp_mean_make(models, count, &mean));
    const vkp_status status =
        vkp_model_file_write(vkp_options_value(options, "out"), mean.list, mean.count, models[0].name,
                             models[0].configured ? &models[0].config : NULL, vkp_options_given(options, "half"));
    vkp_mean_free(&mean);
    return status;
}

static vkp_status export_models(const vkp_options *options, vkp_weights *models, size_t count, bool onnx)
{
    for (size_t i = 0; i < count; i++) VKP_TRY(vkp_weights_find(vkp_options_argument(options, i), &models[i]));
    VKP_TRY(count > 1 ? write_mean(options, models, count) : write_file(options, models, onnx));
    vkp_report("%s: %s%s%s", vkp_options_value(options, "out"), models[0].name,
               count > 1 ? " and others, their mean" : "", models[0].configured ? "" : ", of which no settings are known");
    return VKP_OK;
}

static vkp_status run(const vkp_options *options)
{
    bool onnx;
    const size_t count = vkp_options_argument_count(options);
    VKP_TRY(find_format(options, &onnx));
    if (!onnx && vkp_options_given(options, "fold"))
        return vkp_fail(VKP_USAGE, "--fold is for ONNX (safetensors hold what PyTorch's network has, norms "
                        "included; give --format onnx, or leave --fold out)");
    if (onnx && count > 1)
        return vkp_fail(VKP_USAGE, "cannot write ONNX of %zu models (only safetensors are made of a mean; export "
                        "that first, then its file)", count);
    vkp_weights *models = calloc(count, sizeof *models);
    if (!models) return vkp_fail(VKP_MEMORY, "no memory for models (host memory ran out; close other programs)");
    const vkp_status status = export_models(options, models, count, onnx);
    for (size_t i = 0; i < count; i++) vkp_weights_free(&models[i]);
    free(models);
    return status;
}

static const vkp_option options_taken[] = {
    {"out", "FILE", "where the file goes: NAME.safetensors or NAME.onnx"},
    {"format", "onnx|safetensors", "what is written; else what FILE's name ends in, else safetensors"},
    {"half", NULL, "write the weights in 16 bits (F16), rounded to the nearest; half the size"},
    {"fold", NULL, "onnx: make the normalizations part of the convolutions before them"},
    {0},
};
static const char *const needed[] = {"out", NULL};

const vkp_command vkp_command_export = {
    .name = "export",
    .synopsis = "MODEL... --out FILE [options]",
    .summary = "write a model as one file that needs nothing beside it, or for other programs",
    .details =
        "MODEL is as --model takes it elsewhere: a file, a run folder, or a built-in name\n"
        "(" VKP_BUILT_IN_NAMES "). Of several models, all of one network, the mean of their weights is\n"
        "written, with the settings of the first: checkpoints of one training often do better so.\n"
        "A safetensors file has the generator's weights by their PyTorch names; the settings of the\n"
        "run (which network, its size, ...) are in its metadata, so that colorize and eval use it as they\n"
        "use the run. A file in engine/models is built into the program by the next build.\n"
        "An ONNX file (opset 13) has the network itself too, for onnxruntime and others: input \"gray\"\n"
        "(batch,1,height,width), output \"chroma\" (batch,2,height,width), Cr before Cb, all in -1..1;\n"
        "height and width are multiples of 16, for natural of 32. With --half its weights are stored in 16\n"
        "bits and computed with in 32. docs/python.md says more.\n",
    .options = options_taken,
    .needed = needed,
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .run = run,
};
