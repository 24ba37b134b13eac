/* vkpix import: weights from PyTorch. */
#include "formats/import_file.h"
#include "options.h"
#include "report.h"

static vkp_status run(const vkp_options *options)
{
    const char *out = vkp_options_value(options, "out");
    vkp_imported imported;
    VKP_TRY(vkp_import_file(vkp_options_argument(options, 0), out, vkp_options_value(options, "preset"),
                            &imported));
    vkp_report("%s: %s, %zu tensors%s", out, vkp_network_kind_name(imported.kind), imported.tensors,
               imported.configured ? "" : ", of which no settings are known");
    return VKP_OK;
}

static const vkp_option options_taken[] = {
    {"out", "FILE", "where the weights go: NAME.safetensors"},
    {"preset", "NAME",
     "the preset whose settings (size, how a picture becomes a square, ...) go with a generator; "
     "else those that FILE has, and for natural those of its preset"},
    {0},
};
static const char *const needed[] = {"out", NULL};

const vkp_command vkp_command_import = {
    .name = "import",
    .synopsis = "FILE --out FILE [options]",
    .summary = "take weights from PyTorch",
    .details =
        "FILE is a state_dict of one of vkpix's networks as torch.save writes it (.pth, PyTorch 1.6 or "
        "later),\n"
        "or a safetensors file. Its tensors are read without executing anything: a file that holds anything\n"
        "but tensors by name is refused. docs/python.md has the networks.\n",
    .options = options_taken,
    .needed = needed,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
