/* vkpix COMMAND ...: finds the command, runs it, and turns its status into message and exit status. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "options.h"
#include "report.h"

#define VKP_COMMAND(name) extern const vkp_command vkp_command_##name;
#include "commands.def"
#undef VKP_COMMAND

const vkp_command *const vkp_commands[] = {
#define VKP_COMMAND(name) &vkp_command_##name,
#include "commands.def"
#undef VKP_COMMAND
    NULL,
};

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void print_help(void)
{
    puts("Usage: vkpix COMMAND ...\n\n"
         "Colours black-and-white photographs and trains the networks that do it, on Vulkan.\n\n"
         "Commands ('vkpix COMMAND --help' says more of each):");
    for (const vkp_command *const *c = vkp_commands; *c; c++)
        printf("  %-10s %s\n", (*c)->name, (*c)->summary);
    puts("\nOptions:\n"
         "  --help     print this\n"
         "  --version  print version and commit\n\n"
         "Exit status: 0 done, 1 the work failed, 2 wrong usage.");
}

static const vkp_command *find_command(const char *name)
{
    for (const vkp_command *const *c = vkp_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

static vkp_status run_command(const vkp_command *command, int argc, char **argv)
{
    vkp_options *options;
    VKP_TRY(vkp_options_parse(command, argc, argv, &options));
    vkp_status status = VKP_OK;
    if (vkp_options_given(options, "help")) vkp_command_help(command, stdout);
    else status = command->run(options);
    vkp_options_free(options);
    return status;
}

static vkp_status run(int argc, char **argv)
{
    if (argc < 2) return vkp_fail(VKP_USAGE, "no command (one is needed; vkpix --help lists them)");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
    } else if (strcmp(argv[1], "--version") == 0) {
        printf("vkpix %s (%s)\n", vkp_version(), vkp_version_commit());
    } else {
        const vkp_command *command = find_command(argv[1]);
        if (!command)
            return vkp_fail(VKP_USAGE, "unknown command %s (vkpix has no such; vkpix --help lists them)",
                            argv[1]);
        VKP_TRY(run_command(command, argc - 2, argv + 2));
    }
    return vkp_finish_output();
}

int main(int argc, char **argv)
{
    /* A limit of file size is then an error like a full disk, which is told. */
    signal(SIGXFSZ, SIG_IGN);
    const vkp_status status = run(argc, argv);
    if (status == VKP_OK) return EXIT_DONE;
    vkp_report_error(vkp_error());
    return status == VKP_USAGE ? EXIT_USAGE : EXIT_FAILED;
}
