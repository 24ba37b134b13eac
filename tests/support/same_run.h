/* Whether two runs ended as one and the same. */
#ifndef VKP_TEST_SAME_RUN_H
#define VKP_TEST_SAME_RUN_H

/* Fails the test unless both runs have the same weights, optimizer state and steps.csv, bit for bit, and the
 * same log.csv and state.yml but for the seconds, which are measured; the same best if there is one; and
 * nothing unfinished. */
void expect_same_run(const char *one, const char *other);

#endif
