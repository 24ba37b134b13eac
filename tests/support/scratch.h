/* A folder of its own under TMPDIR or /tmp for each test program: group set-up and tear-down for cmocka. */
#ifndef VKP_TEST_SCRATCH_H
#define VKP_TEST_SCRATCH_H

/* Makes the folder and the current one of the process. */
int scratch_enter(void **state);
/* Removes a folder with all it holds; 0, or -1 where that fails. */
int scratch_remove(const char *folder);
/* Removes the test's folder. */
int scratch_leave(void **state);

#endif
