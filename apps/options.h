/* What a command takes, and what it was given.
 *
 * Each command is one vkp_command in a file of its own, named in commands.def. Its table of options serves
 * the parser and --help alike. Options are --NAME, --NAME VALUE or --NAME=VALUE, in any order among the
 * arguments; after -- everything is an argument. */
#ifndef VKPIX_OPTIONS_H
#define VKPIX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"
#include "vk/device.h"

typedef struct vkp_option {
    const char *name;     /* without the dashes */
    const char *argument; /* what its value is called in --help; NULL: it takes none */
    const char *help;     /* one sentence */
} vkp_option;

/* What several commands take, for their tables. */
#define VKP_OPTION_DEVICE                                                                                \
    {"device", "N|NAME|cpu", "the Vulkan device: its number in 'vkpix devices', a part of its name, or cpu " \
                             "for a software device; else VKPIX_DEVICE, else the best there is"}
#define VKP_OPTION_VARIANT                                                                               \
    {"variant", "OP=NAME", "compute an operation in this way wherever it is possible, as 'conv2d=direct'; " \
                           "may be given several times, and the names are told for a wrong one"}
#define VKP_OPTION_JSON {"json", NULL, "print one JSON document on standard output, and nothing else"}

typedef struct vkp_options vkp_options;

typedef struct vkp_command {
    const char *name;
    const char *synopsis;      /* what follows the name in a line of usage: "DIR --out RUN [options]" */
    const char *summary;       /* one line for the list of commands */
    const char *details;       /* further lines for --help, or NULL */
    const vkp_option *options; /* the last one has no name */
    const char *const *needed; /* names of options that must be given, NULL after the last; or NULL */
    size_t min_arguments, max_arguments;
    /* Seconds in all that the first uses of shapes may take for finding the fastest variants, on devices that
     * are no software: there the order of the variants is the answer unless 'vkpix tune' found another. */
    double tune_seconds;
    /* Does the work. What it returns becomes the exit status, its text the message. */
    vkp_status (*run)(const vkp_options *options);
} vkp_command;

/* All commands, in the order of commands.def; NULL after the last. */
extern const vkp_command *const vkp_commands[];

/* Takes a command's words apart (argv without program and command). --help ends it early, whatever else is
 * there. vkp_options_free afterwards; *out is NULL on failure. VKP_USAGE names what is unknown, missing or
 * too much; VKP_MEMORY. The strings stay argv's. */
VKP_MUST_USE vkp_status vkp_options_parse(const vkp_command *command, int argc, char **argv,
                                          vkp_options **out);
void vkp_options_free(vkp_options *options);

bool vkp_options_given(const vkp_options *options, const char *name);
/* The value of an option, the last one's where it was given several times; NULL when it was not. */
const char *vkp_options_value(const vkp_options *options, const char *name);
/* The values in the order given: sets *value and returns true as long as `index`, from 0, has one. */
bool vkp_options_each(const vkp_options *options, const char *name, size_t index, const char **value);
size_t vkp_options_argument_count(const vkp_options *options);
const char *vkp_options_argument(const vkp_options *options, size_t index);

/* *value = the option's number, within low..high; untouched when it was not given. VKP_USAGE names option and
 * range. */
VKP_MUST_USE vkp_status vkp_options_integer(const vkp_options *options, const char *name, long low, long high,
                                            long *value);
VKP_MUST_USE vkp_status vkp_options_real(const vkp_options *options, const char *name, double low,
                                         double high, double *value);

/* Opens the device that --device, VKPIX_DEVICE or the order of preference chooses, with a tuner that keeps
 * its choices in the user's cache folder, and says on standard error which it is; forces what --variant and
 * VKPIX_VARIANT say, the last --variant before the others. vkp_options_close afterwards. USAGE: a variant
 * that does not exist; errors as vkp_device_open. */
VKP_MUST_USE vkp_status vkp_options_device(const vkp_options *options, vkp_device **device);
void vkp_options_close(vkp_device *device);

/* Prints a command's --help. */
void vkp_command_help(const vkp_command *command, FILE *to);

#endif
