/* Runs the vkpix program that was built, as a user would, and looks at what it says. */
#ifndef VKP_TEST_PROGRAM_H
#define VKP_TEST_PROGRAM_H

#include <cjson/cJSON.h>

#include "base/status.h"

/* Runs "ENVIRONMENT vkpix ARGUMENTS" in a shell, ENVIRONMENT being assignments or "", in the current folder.
 * Returns the exit status; a program that did not exit by itself fails the test. What it wrote can be read
 * until the next run. */
int program_run(const char *environment, const char *arguments, ...) VKP_PRINTF(2, 3);
const char *program_output(void);
const char *program_errors(void);

/* Fails the test unless the latest run ended in this exit status and, when that is not 0, with a last line
 * "vkpix: error: WHAT (WHY; WHAT TO DO)" in which `word` occurs. */
void program_expect(int got, int wanted, const char *word);

/* The latest run's output as one JSON document; fails the test when it is not. cJSON_Delete afterwards. */
cJSON *program_json(void);

#endif
