/* vkpix train as a process: killed for good at random moments, asked to stop by signals, started twice on one
 * folder, and short of disk. VKPIX_TEST_KILLS gives another number of kills than the few that CI has time
 * for; test_survive goes through the rest of the moments within one process. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/random.h"
#include "blob.h"
#include "nn/run_log.h"
#include "nn/run_state.h"
#include "program.h"
#include "same_run.h"
#include "scratch.h"
#include "small_picture.h"

#define SETTINGS \
    "--preset train02 --set size=16 --set d_pools=4,2,1,1 --set batch=2 --set epochs=4 " \
    "--set checkpoint_every=2 --set preview_every=1 --val held_out"

static void pause_for(double seconds)
{
    const struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(fmod(seconds, 1) * 1e9)};
    nanosleep(&t, NULL);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool has_begun(const char *run)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config.yml", run);
    return vkp_file_exists(path);
}

/* Starts a session in the background, its messages in `errors`. */
static pid_t start(const char *run)
{
    char command[1024];
    snprintf(command, sizeof command, "exec '%s' train photos --out \"%s\" %s 2>errors",
             getenv("VKPIX_TEST_PROGRAM"), run, has_begun(run) ? "--resume" : SETTINGS);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* Steps in its log. */
static size_t rows_of(const char *run)
{
    vkp_run_table table;
    if (!has_begun(run) || vkp_run_log_read_steps(run, &table) != VKP_OK) return 0;
    const size_t rows = table.rows;
    vkp_run_table_free(&table);
    return rows;
}

/* Waits until it has ended, or has done so many steps, or for so many seconds; true when it has ended. */
static bool ends_before(pid_t child, const char *run, size_t steps, double seconds, int *status)
{
    const double begin = now();
    for (;;) {
        if (waitpid(child, status, WNOHANG) == child) return true;
        if (rows_of(run) >= steps || now() - begin > seconds) return false;
        pause_for(0.005);
    }
}

/* Those of the last checkpoint. */
static size_t steps_of(const char *run)
{
    char path[128];
    snprintf(path, sizeof path, "%s/checkpoints/last", run);
    vkp_run_state state;
    assert_int_equal(vkp_run_state_read(path, &state), VKP_OK);
    return state.step;
}

/* The run that nothing happens to. */
static void is_what_it_is(void **state)
{
    (void)state;
    program_expect(program_run("", "train photos --out whole " SETTINGS), 0, NULL);
}

#define RUN "stopped here"

/* A second process on the folder is refused while the first one lives. Asked to stop, that finishes its step,
 * keeps it in a checkpoint and tells how to go on. */
static void stops_when_asked(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    size_t before = 0;
    for (int i = 0; i < 2; i++) {
        int status;
        const pid_t child = start(RUN);
        if (ends_before(child, RUN, before + 1, 600, &status)) fail_msg("it ended by itself");
        if (i == 0) {
            kill(child, SIGSTOP);
            char pid[64];
            snprintf(pid, sizeof pid, "process %ld trains there already", (long)child);
            program_expect(program_run("", "train photos --out '" RUN "' --resume"), 1, pid);
            kill(child, SIGCONT);
        }
        kill(child, signals[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        const size_t steps = steps_of(RUN);
        blob errors = blob_read("errors");
        blob_add(&errors, "", 1);
        static const char how[] = "continue with: vkpix train photos --out '" RUN "' --resume";
        const bool told = strstr((char *)errors.bytes, how) != NULL;
        if (!told || steps <= before) fail_msg("%zu steps:\n%s", steps, (char *)errors.bytes);
        blob_free(&errors);
        before = steps;
    }
    program_expect(program_run("", "train photos --out '" RUN "' --resume"), 0, NULL);
    expect_same_run("whole", RUN);
}

/* Up to three steps into a session, and then some part of a second. */
static void killed_at_any_time(void **state)
{
    (void)state;
    const char *asked = getenv("VKPIX_TEST_KILLS");
    const int kills = asked ? atoi(asked) : 4;
    int killed = 0, runs = 0, status;
    char run[32] = "killed0";
    for (uint32_t i = 0; killed < kills; i++) {
        const pid_t child = start(run);
        const size_t more = vkp_random_below(4, VKP_RANDOM_TEST, i, 4);
        const double then = 0.4 * (double)vkp_random_float(5, VKP_RANDOM_TEST, i);
        if (!ends_before(child, run, rows_of(run) + more, 600, &status)) {
            pause_for(then);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            killed++;
        }
        if (WIFSIGNALED(status)) continue;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            blob errors = blob_read("errors");
            fail_msg("kill %d, status %d: %.*s", killed, status, (int)errors.size, (char *)errors.bytes);
        }
        expect_same_run("whole", run);
        snprintf(run, sizeof run, "killed%d", ++runs);
    }
    program_expect(has_begun(run) ? program_run("", "train photos --out %s --resume", run)
                                  : program_run("", "train photos --out %s " SETTINGS, run),
                   0, NULL);
    expect_same_run("whole", run);
    print_message("%d kills in %d runs\n", killed, runs + 1);
}

/* A limit of file size: an error, not the signal that it comes with. */
static void a_small_disk_is_told(void **state)
{
    (void)state;
    program_expect(program_run("ulimit -f 2000;", "train photos --out small " SETTINGS), 1, "ulimit -f");
    assert_non_null(strstr(program_errors(), "cannot write small/checkpoints/epoch_000.tmp/"));
    assert_false(vkp_folder_exists("small/checkpoints/epoch_000"));
    assert_false(vkp_folder_exists("small/checkpoints/epoch_000.tmp"));
}

static int set_up(void **state)
{
    if (scratch_enter(state)) return -1;
    if (vkp_folder_make("photos") != VKP_OK || vkp_folder_make("held_out") != VKP_OK) return -1;
    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof path, "photos/%d.png", i);
        small_picture_write(path, 20 + 3 * i, 30 - 2 * i, i);
    }
    small_picture_write("held_out/a.png", 24, 20, 9);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_it_is),
        cmocka_unit_test(stops_when_asked),
        cmocka_unit_test(killed_at_any_time),
        cmocka_unit_test(a_small_disk_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_leave);
}
