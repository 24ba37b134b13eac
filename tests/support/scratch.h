/* A folder of its own under TMPDIR or /tmp for each test program: group set-up and tear-down for cmocka. */
#ifndef VKP_TEST_SCRATCH_H
#define VKP_TEST_SCRATCH_H

/* Makes the folder and the current one of the process. */
int scratch_enter(void **state);
/* Removes it with all it holds. */
int scratch_leave(void **state);

#endif
