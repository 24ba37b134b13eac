#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ops/variant.h"
#include "report.h"
#include "tune/choices.h"
#include "tune/tuner.h"

typedef struct given {
    const vkp_option *option;
    const char *value; /* NULL for an option that takes none */
} given;

struct vkp_options {
    const vkp_command *command;
    given *given;
    const char **arguments;
    size_t given_count, argument_count;
};

/* Every command has it; the parser ends there. */
static const vkp_option help_option = {"help", NULL, "print this"};

static vkp_status wrong(const vkp_command *command, const char *what, const char *word, const char *why)
{
    return vkp_fail(VKP_USAGE, "%s %s (%s; see vkpix %s --help)", what, word, why, command->name);
}

/* The option that starts a word of `length` letters after the dashes, or NULL. */
static const vkp_option *find(const vkp_command *command, const char *name, size_t length)
{
    if (strlen(help_option.name) == length && strncmp(name, help_option.name, length) == 0)
        return &help_option;
    for (const vkp_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && strncmp(name, o->name, length) == 0) return o;
    return NULL;
}

/* Takes argv[*at], an option, and the word after it where that is its value; leaves *at on the last one. */
static vkp_status take_option(vkp_options *o, int argc, char **argv, int *at)
{
    const char *word = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at], *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const vkp_option *option = strncmp(word, "--", 2) == 0 ? find(o->command, word + 2, length - 2) : NULL;
    if (!option) return wrong(o->command, "unknown option", word, "this command does not have it");
    const char *value = equals ? equals + 1 : NULL;
    if (value && !option->argument) return wrong(o->command, "cannot use", word, "the option takes no value");
    if (option->argument && !value && *at + 1 < argc) value = argv[++*at];
    if (option->argument && (!value || !*value))
        return wrong(o->command, "nothing follows", word, "it needs a value");
    o->given[o->given_count++] = (given){option, value};
    return VKP_OK;
}

static vkp_status check_complete(const vkp_options *o)
{
    const vkp_command *c = o->command;
    char usage[256], missing[64];
    snprintf(usage, sizeof usage, "usage: vkpix %s %s", c->name, c->synopsis);
    if (o->argument_count > c->max_arguments)
        return wrong(c, "cannot use argument", o->arguments[c->max_arguments], usage);
    if (o->argument_count < c->min_arguments) return wrong(c, "too few arguments for", c->name, usage);
    for (const char *const *name = c->needed; name && *name; name++) {
        snprintf(missing, sizeof missing, "--%s", *name);
        if (!vkp_options_given(o, *name)) return wrong(c, "missing option", missing, usage);
    }
    for (size_t i = 0; i < o->argument_count; i++)
        if (!*o->arguments[i]) return wrong(c, "cannot use argument", "''", "it is empty");
    return VKP_OK;
}

static vkp_status take_words(vkp_options *o, int argc, char **argv)
{
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1]) {
            VKP_TRY(take_option(o, argc, argv, &i));
            if (o->given[o->given_count - 1].option == &help_option) return VKP_OK;
        } else {
            o->arguments[o->argument_count++] = argv[i];
        }
    }
    return check_complete(o);
}

vkp_status vkp_options_parse(const vkp_command *command, int argc, char **argv, vkp_options **out)
{
    *out = NULL;
    const size_t room = (size_t)argc + 1;
    vkp_options *o = calloc(1, sizeof *o);
    if (o) *o = (vkp_options){.command = command, .given = calloc(room, sizeof(given)),
                              .arguments = calloc(room, sizeof(char *))};
    vkp_status status =
        o && o->given && o->arguments
            ? take_words(o, argc, argv)
            : vkp_fail(VKP_MEMORY, "no memory for options (host memory ran out; close other programs)");
    if (status == VKP_OK) *out = o;
    else vkp_options_free(o);
    return status;
}

void vkp_options_free(vkp_options *o)
{
    if (!o) return;
    free(o->given);
    free(o->arguments);
    free(o);
}

bool vkp_options_each(const vkp_options *o, const char *name, size_t index, const char **value)
{
    for (size_t i = 0; i < o->given_count; i++) {
        if (strcmp(o->given[i].option->name, name) != 0 || index--) continue;
        *value = o->given[i].value;
        return true;
    }
    return false;
}

bool vkp_options_given(const vkp_options *o, const char *name)
{
    const char *value;
    return vkp_options_each(o, name, 0, &value);
}

const char *vkp_options_value(const vkp_options *o, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; vkp_options_each(o, name, i, &value); i++) continue;
    return value;
}

size_t vkp_options_argument_count(const vkp_options *o) { return o->argument_count; }
const char *vkp_options_argument(const vkp_options *o, size_t index) { return o->arguments[index]; }

static vkp_status not_a_number(const vkp_options *o, const char *name, const char *text, const char *range)
{
    return vkp_fail(VKP_USAGE, "--%s cannot be '%s' (%s is needed; see vkpix %s --help)", name, text, range,
                    o->command->name);
}

vkp_status vkp_options_integer(const vkp_options *o, const char *name, long low, long high, long *value)
{
    const char *text = vkp_options_value(o, name);
    if (!text) return VKP_OK;
    char *end, range[96];
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (end != text && !*end && !errno && number >= low && number <= high) {
        *value = number;
        return VKP_OK;
    }
    snprintf(range, sizeof range, "a whole number from %ld to %ld", low, high);
    return not_a_number(o, name, text, range);
}

vkp_status vkp_options_real(const vkp_options *o, const char *name, double low, double high, double *value)
{
    const char *text = vkp_options_value(o, name);
    if (!text) return VKP_OK;
    char *end, range[96];
    const double number = strtod(text, &end);
    if (end != text && !*end && isfinite(number) && number >= low && number <= high) {
        *value = number;
        return VKP_OK;
    }
    snprintf(range, sizeof range, "a number from %g to %g", low, high);
    return not_a_number(o, name, text, range);
}

/* Puts --variant before what VKPIX_VARIANT holds, where the library looks for it. */
static vkp_status force_variants(const vkp_options *o)
{
    const char *one, *before = getenv("VKPIX_VARIANT");
    char list[2048];
    if (before) VKP_TRY(vkp_variant_check(before));
    for (size_t i = 0; vkp_options_each(o, "variant", i, &one); i++) {
        VKP_TRY(vkp_variant_check(one));
        before = getenv("VKPIX_VARIANT");
        if (snprintf(list, sizeof list, "%s,%s", one, before ? before : "") >= (int)sizeof list)
            return vkp_fail(VKP_USAGE, "too many --variant (%zu letters at most; name an operation once)",
                            sizeof list);
        if (setenv("VKPIX_VARIANT", list, 1) != 0) return vkp_fail_errno("set", "VKPIX_VARIANT", errno);
    }
    return VKP_OK;
}

static void show_contest(void *user, const vkp_contest_row *row)
{
    (void)user;
    char text[1024];
    vkp_contest_text(row, text, sizeof text);
    vkp_report("tuning %s", text);
}

vkp_status vkp_options_device(const vkp_options *o, vkp_device **device)
{
    vkp_tuner *tuner;
    VKP_TRY(force_variants(o));
    VKP_TRY(vkp_device_open(vkp_options_value(o, "device"), device));
    const vkp_device_info *info = &(*device)->info;
    vkp_report("device: %s (%s, %s)", info->name, vkp_device_type_name(info->type), info->driver);
    char *path = vkp_choices_path(*device);
    const vkp_tuner_options tuning = {.path = path, .progress = show_contest,
                                      .first_use_seconds = vkp_for_cpu(info) ? 0 : o->command->tune_seconds};
    const vkp_status status = vkp_tuner_create(*device, &tuning, &tuner);
    free(path);
    if (status == VKP_OK) return VKP_OK;
    vkp_device_close(*device);
    *device = NULL;
    return status;
}

void vkp_options_close(vkp_device *device)
{
    if (device) vkp_tuner_destroy(vkp_tuner_of(device));
    vkp_device_close(device);
}

/* Prints words from column `indent` on, in lines of less than 100 columns. */
static void print_wrapped(const char *text, int indent, FILE *to)
{
    enum { WIDTH = 98 };
    int column = indent;
    while (*text) {
        const int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(to, column > indent ? " %.*s" : "%.*s", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

static void print_option(const vkp_option *option, FILE *to)
{
    enum { INDENT = 26 };
    const int width = fprintf(to, option->argument ? "  --%s %s" : "  --%s", option->name, option->argument);
    if (width < INDENT - 1) fprintf(to, "%*s", INDENT - width, "");
    else fprintf(to, "\n%*s", INDENT, "");
    print_wrapped(option->help, INDENT, to);
}

void vkp_command_help(const vkp_command *command, FILE *to)
{
    fprintf(to, "Usage: vkpix %s %s\n\n", command->name, command->synopsis);
    print_wrapped(command->summary, 0, to);
    if (command->details) fprintf(to, "\n%s", command->details);
    fputs("\nOptions:\n", to);
    for (const vkp_option *o = command->options; o->name; o++) print_option(o, to);
    print_option(&help_option, to);
}
