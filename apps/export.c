/* vkpix export: a model as one file that needs nothing beside it. */
#include "nn/built_in.h"
#include "nn/model_file.h"
#include "nn/weights.h"
#include "options.h"
#include "report.h"

static vkp_status run(const vkp_options *options)
{
    const char *out = vkp_options_value(options, "out");
    const bool half = vkp_options_given(options, "half");
    vkp_weights w;
    VKP_TRY(vkp_weights_find(vkp_options_argument(options, 0), &w));
    const vkp_config *config = w.configured ? &w.config : NULL;
    const vkp_status status = vkp_model_file_write(out, w.file, w.name, config, half);
    if (status == VKP_OK)
        vkp_report("%s: %s%s", out, w.name, config ? "" : ", of which no settings are known");
    vkp_weights_free(&w);
    return status;
}

static const vkp_option options_taken[] = {
    {"out", "FILE", "where the file goes: NAME.safetensors"},
    {"half", NULL, "write the weights in 16 bits (F16), rounded to the nearest; half the size"},
    {0},
};
static const char *const needed[] = {"out", NULL};

const vkp_command vkp_command_export = {
    .name = "export",
    .synopsis = "MODEL --out FILE [options]",
    .summary = "write a model as one file that needs nothing beside it",
    .details =
        "MODEL is as --model takes it elsewhere: a file, a run folder, or a built-in name\n"
        "(" VKP_BUILT_IN_NAMES ").\n"
        "The file is safetensors with the generator's weights by their PyTorch names; the settings of the\n"
        "run (which network, its size, ...) are in its metadata, so that colorize and eval use it as they\n"
        "use the run. A file in engine/models is built into the program by the next build.\n",
    .options = options_taken,
    .needed = needed,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
