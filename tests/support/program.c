#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/file.h"

static char *streams[2];
static const char *const files[2] = {"program-output", "program-errors"};

int program_run(const char *environment, const char *arguments, ...)
{
    char rest[4096], command[8192];
    va_list args;
    va_start(args, arguments);
    vsnprintf(rest, sizeof rest, arguments, args);
    va_end(args);
    snprintf(command, sizeof command, "%s '%s' %s >%s 2>%s", environment, getenv("VKPIX_TEST_PROGRAM"), rest,
             files[0], files[1]);
    const int status = system(command);
    for (int i = 0; i < 2; i++) {
        void *data;
        size_t bytes;
        free(streams[i]);
        assert_int_equal(vkp_file_read(files[i], 1 << 24, &data, &bytes), VKP_OK);
        streams[i] = data;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 2)
        fail_msg("%s: status %d\n%s", rest, status, streams[1]);
    if (strstr(streams[1], "vkpix: validation:")) fail_msg("%s", streams[1]);
    return WEXITSTATUS(status);
}

const char *program_output(void) { return streams[0]; }
const char *program_errors(void) { return streams[1]; }

void program_expect(int got, int wanted, const char *word)
{
    const char *errors = program_errors(), *line = errors, *end = errors + strlen(errors);
    for (const char *p = errors; p + 1 < end; p++)
        if (*p == '\n') line = p + 1;
    if (got != wanted) fail_msg("exit status %d, not %d:\n%s", got, wanted, errors);
    if (!wanted) return;
    const char *open = strchr(line, '('), *semicolon = open ? strchr(open, ';') : NULL;
    const bool in_form = strncmp(line, "vkpix: error: ", 14) == 0 && semicolon && end - semicolon > 3 &&
                         strcmp(end - 2, ")\n") == 0;
    if (!in_form || !strstr(line, word)) fail_msg("not an error line with '%s': %s", word, line);
}

cJSON *program_json(void)
{
    cJSON *document = cJSON_ParseWithOpts(program_output(), NULL, true);
    if (!document) fail_msg("not a JSON document: %s", program_output());
    return document;
}
