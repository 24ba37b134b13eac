/* A run that is killed, or whose disk fails, again and again, is in the end the run that nothing happened to.
 *
 * The file operations of this program are its own functions of libc's names, which pass on to libc's. For the
 * files of a run they can die at the nth operation: half of a write is done, and from then on nothing reaches
 * the disk any more, as if the process had been killed there; or fail with ENOSPC, EDQUOT or EROFS. Processes
 * that are really killed are test_survive_cli's. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "device_fixture.h"
#include "nn/checkpoint.h"
#include "nn/run_log.h"
#include "nn/trainer.h"
#include "same_run.h"
#include "scratch.h"
#include "small_picture.h"

#ifdef __SANITIZE_ADDRESS__
enum { KILLS = 12, FAILURES = 6 }; /* the moments are gone through without it, which is four times as fast */
#else
enum { KILLS = 60, FAILURES = 12 };
#endif
enum { EPOCHS = 5, MOST_FILES = 256 };

/* What is to happen to the files whose paths begin with `run`, all relative. */
static struct {
    const char *run; /* NULL: nothing */
    int error;       /* what an operation fails with; 0: the process dies */
    int left;        /* operations that still go well */
    bool struck;
    bool only_growing;               /* a full disk: what needs no room still works */
    int written;                     /* the latest descriptor written to: its writes count once */
    atomic_bool watched[MOST_FILES]; /* decoders open files too */
} disk;

static bool is_watched(const char *path)
{
    return disk.run && path && strncmp(path, disk.run, strlen(disk.run)) == 0;
}

static bool is_watched_file(int fd) { return disk.run && fd >= 0 && fd < MOST_FILES && disk.watched[fd]; }

/* Counts an operation; true when it is not to be done, with errno set. */
static bool strikes(bool grows)
{
    if (!disk.struck && disk.left-- > 0) return false;
    disk.struck = true;
    if (disk.only_growing && !grows) return false;
    errno = disk.error ? disk.error : EIO;
    return true;
}

/* libc's function of that name. */
static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}
#define REAL(type, name, ...) \
    type (*pass)(__VA_ARGS__); \
    *(void **)&pass = real(#name)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    REAL(int, open, const char *, int, ...);
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = (mode_t)va_arg(args, unsigned);
        va_end(args);
    }
    const bool watch = is_watched(path) && (flags & O_ACCMODE) != O_RDONLY;
    if (watch && strikes(true)) return -1;
    const int fd = pass(path, flags, mode);
    if (fd >= 0 && fd < MOST_FILES) disk.watched[fd] = watch;
    if (watch) disk.written = -1;
    return fd;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(ssize_t, write, int, const void *, size_t);
    if (!is_watched_file(fd) || (disk.written == fd && !disk.struck)) return pass(fd, bytes, count);
    const bool before = disk.struck;
    disk.written = fd;
    if (!strikes(true)) return pass(fd, bytes, count);
    /* What a full disk and a kill leave of the first write that they meet. */
    const int error = errno;
    const ssize_t half = before ? -1 : pass(fd, bytes, count / 2);
    errno = error;
    return disk.error && half > 0 ? half : -1;
}

int fsync(int fd)
{
    REAL(int, fsync, int);
    if (!is_watched_file(fd)) return pass(fd);
    return strikes(true) ? -1 : 0; /* no power is cut here, and it takes long */
}

int ftruncate(int fd, off_t length)
{
    REAL(int, ftruncate, int, off_t);
    return is_watched_file(fd) && strikes(false) ? -1 : pass(fd, length);
}

int rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *);
    return is_watched(to) && strikes(false) ? -1 : pass(from, to);
}

int unlink(const char *path)
{
    REAL(int, unlink, const char *);
    return is_watched(path) && strikes(false) ? -1 : pass(path);
}

int rmdir(const char *path)
{
    REAL(int, rmdir, const char *);
    return is_watched(path) && strikes(false) ? -1 : pass(path);
}

int symlink(const char *target, const char *path)
{
    REAL(int, symlink, const char *, const char *);
    return is_watched(path) && strikes(true) ? -1 : pass(target, path);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int, mkdir, const char *, mode_t);
    return is_watched(path) && strikes(true) ? -1 : pass(path, mode);
}

/* After `left` more operations on the files of `run`: death, or this error from there on. */
static void arm(const char *run, int error, int left)
{
    disk.run = run;
    disk.error = error;
    disk.left = left;
    disk.struck = false;
    disk.only_growing = error == ENOSPC || error == EDQUOT;
    disk.written = -1;
}

static bool disarm(void)
{
    disk.run = NULL;
    return disk.struck;
}

/* Half-rate D and blur: the most there is to keep over a stop. */
static vkp_config small_config(void)
{
    vkp_config c;
    assert_ok(vkp_config_preset(&c, "train02"));
    static const uint32_t pools[VKP_CONFIG_POOLS] = {4, 2, 1, 1};
    memcpy(c.d_pools, pools, sizeof pools);
    c.size = 16;
    c.batch = 2;
    c.epochs = EPOCHS;
    c.seed = 5;
    c.lr = 1e-3; /* so that each epoch is the best so far, and kept as such */
    c.blur = 0.5;
    c.checkpoint_every = 2;
    c.preview_every = 1;
    return c;
}

static volatile sig_atomic_t stop;
static uint64_t stop_at;

static void stop_there(void *user, const vkp_train_progress *progress)
{
    (void)user;
    stop = progress->steps_done == stop_at;
}

/* One session: new, or resumed where there is a run already. */
static vkp_status train(const char *run, uint64_t stop_after)
{
    char config_path[128];
    snprintf(config_path, sizeof config_path, "%s/config.yml", run);
    const vkp_config config = small_config();
    const vkp_train_options options = {.data = "photos",
                                       .val = "held_out",
                                       .out = run,
                                       .augment = true,
                                       .shuffle = true,
                                       .threads = 1,
                                       .resume = vkp_file_exists(config_path),
                                       .progress = stop_there,
                                       .stop = &stop};
    stop = 0;
    stop_at = stop_after;
    return vkp_train(test_device, &config, &options);
}

/* Whatever has a final name is whole: checkpoints by their checksums, pictures because they can be read. */
static void expect_whole(const char *run)
{
    static const char *const folders[] = {"checkpoints", "previews", "figures"};
    for (int i = 0; i < 3; i++) {
        char path[4096], file[8192];
        snprintf(path, sizeof path, "%s/%s", run, folders[i]);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            const char *end = strrchr(e->d_name, '.');
            if (e->d_name[0] == '.' || (end && (!strcmp(end, ".tmp") || !strcmp(end, ".old")))) continue;
            snprintf(file, sizeof file, "%s/%s", path, e->d_name);
            if (i == 0) {
                vkp_run_state state;
                assert_ok(vkp_run_state_read(file, &state));
            } else {
                vkp_picture picture = small_picture_read(file);
                vkp_picture_free(&picture);
            }
        }
        if (dir) closedir(dir);
    }
}

static void expect_one_line(int error)
{
    const char *open_bracket = strchr(vkp_error(), '('),
               *todo = open_bracket ? strchr(open_bracket, ';') : NULL;
    const bool in_form = strncmp(vkp_error(), "cannot ", 7) == 0 && todo && strchr(todo, ')');
    if (!in_form || !strstr(vkp_error(), strerror(error))) fail_msg("%d: %s", error, vkp_error());
}

/* All over a run that nothing else happens to: how many operations it takes, and what it leaves. */
static int operations;

static void is_what_it_is(void **state)
{
    (void)state;
    arm("whole", 0, 1 << 30);
    assert_ok(train("whole", 0));
    operations = (1 << 30) - disk.left;
    assert_false(disarm());
    print_message("%d operations\n", operations);
    assert_true(operations > 300);
    vkp_run_state best;
    assert_ok(vkp_run_state_read("whole/checkpoints/best", &best));
    assert_int_equal(best.epoch, EPOCHS);
    expect_whole("whole");
}

/* Each session goes on from what the one before left, and dies somewhere in the next epoch or so; some are
 * asked to stop within an epoch, which leaves a checkpoint there. Once a run comes to its end, the next is
 * begun. */
static void killed_anywhere(void **state)
{
    (void)state;
    int runs = 0, died = 0;
    char run[32] = "killed0";
    for (uint64_t i = 0; died < KILLS; i++) {
        const double where = (double)vkp_random_float(1, VKP_RANDOM_TEST, i);
        const uint64_t stop_after = i % 3 == 0 ? 1 + vkp_random_below(2, VKP_RANDOM_TEST, i, 2 * EPOCHS) : 0;
        arm(run, 0, (int)(where * operations * 1.5 / EPOCHS));
        const vkp_status status = train(run, stop_after);
        const bool struck = disarm();
        died += struck;
        if (!struck) assert_ok(status);
        expect_whole(run);
        if (!struck && !stop_after) { /* it came to its end */
            expect_same_run("whole", run);
            snprintf(run, sizeof run, "killed%d", ++runs);
        }
    }
    assert_ok(train(run, 0));
    expect_same_run("whole", run);
    print_message("%d deaths in %d runs\n", died, runs + 1);
}

/* The same with a disk that is full, a quota used up, a folder that is read-only from some moment on. */
static void disk_fails_anywhere(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EDQUOT, EROFS};
    int runs = 0;
    char run[32] = "failed0";
    for (uint64_t i = 0; i < FAILURES; i++) {
        const int error = errors[i % 3];
        arm(run, error, (int)((double)vkp_random_float(3, VKP_RANDOM_TEST, i) * operations * 1.5 / EPOCHS));
        const vkp_status status = train(run, 0);
        const bool struck = disarm();
        if (!struck)
            assert_ok(status);
        else if (status != VKP_OK)
            expect_one_line(error);
        expect_whole(run);
        if (status != VKP_OK) continue;
        assert_ok(train(run, 0));
        expect_same_run("whole", run);
        snprintf(run, sizeof run, "failed%d", ++runs);
    }
    assert_ok(train(run, 0));
    expect_same_run("whole", run);
}

static int set_up(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    if (vkp_folder_make("photos") != VKP_OK || vkp_folder_make("held_out") != VKP_OK) return -1;
    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof path, "photos/%d.png", i);
        small_picture_write(path, 20 + 3 * i, 30 - 2 * i, i);
    }
    small_picture_write("held_out/a.png", 24, 20, 9);
    return 0;
}

static int tear_down(void **state)
{
    const int device = close_test_device(state);
    return scratch_leave(state) || device ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_it_is),
        cmocka_unit_test(killed_anywhere),
        cmocka_unit_test(disk_fails_anywhere),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
