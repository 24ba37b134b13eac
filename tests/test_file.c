/* Files: whole content in and out, nothing half-written, and errors that name path, reason and remedy. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "scratch.h"

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir)) count++;
    closedir(dir);
    return count - 2;
}

static void assert_content(const char *path, const char *expected)
{
    void *data;
    size_t bytes;
    assert_int_equal(vkp_file_read(path, 1000, &data, &bytes), VKP_OK);
    assert_int_equal(bytes, strlen(expected));
    assert_string_equal(data, expected);
    free(data);
}

static void writes_and_replaces(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("w"), VKP_OK);
    assert_int_equal(vkp_file_write("w/a", "first", 5), VKP_OK);
    assert_content("w/a", "first");
    assert_int_equal(vkp_file_write("w/a", NULL, 0), VKP_OK);
    assert_content("w/a", "");
    assert_int_equal(vkp_file_write("bare", "x", 1), VKP_OK);
    assert_content("bare", "x");
    assert_int_equal(count_entries("w"), 1);
}

static void a_new_file_obeys_the_umask(void **state)
{
    (void)state;
    mode_t before = umask(027);
    assert_int_equal(vkp_file_write("masked", "x", 1), VKP_OK);
    umask(before);
    struct stat info;
    assert_int_equal(stat("masked", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void the_longest_name_fits(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    assert_int_equal(vkp_file_write(name, "x", 1), VKP_OK);
    assert_content(name, "x");
}

static void parts_appear_at_commit(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("p"), VKP_OK);
    vkp_file_writer *writer;
    assert_int_equal(vkp_file_writer_open("p/a", &writer), VKP_OK);
    assert_int_equal(vkp_file_writer_write(writer, "one", 3), VKP_OK);
    assert_int_equal(vkp_file_writer_write(writer, "two", 3), VKP_OK);
    assert_false(vkp_file_exists("p/a"));
    assert_int_equal(vkp_file_writer_commit(writer), VKP_OK);
    assert_content("p/a", "onetwo");
    assert_int_equal(vkp_file_writer_open("p/a", &writer), VKP_OK);
    assert_int_equal(vkp_file_writer_write(writer, "other", 5), VKP_OK);
    vkp_file_writer_abandon(writer);
    vkp_file_writer_abandon(NULL);
    assert_content("p/a", "onetwo");
    assert_int_equal(count_entries("p"), 1);
}

/* A limit of file size stands for the full disk: write() fails midway in the same manner. */
static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("f"), VKP_OK);
    assert_int_equal(vkp_file_write("f/a", "old", 3), VKP_OK);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 100, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static const char data[500];
    vkp_status status = vkp_file_write("f/a", data, sizeof data);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, VKP_IO);
    assert_string_equal(vkp_error(),
                        "cannot write f/a (File too large; raise the limit of file size, ulimit -f)");
    assert_content("f/a", "old");
    assert_int_equal(count_entries("f"), 1);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    void *data = &data;
    size_t bytes = 7;
    assert_int_equal(vkp_file_read("absent", 10, &data, &bytes), VKP_IO);
    assert_string_equal(vkp_error(), "cannot read absent (No such file or directory; check the path)");
    assert_null(data);
    assert_int_equal(bytes, 0);
    assert_int_equal(vkp_file_read("", 10, &data, &bytes), VKP_IO);
    assert_int_equal(vkp_file_read(".", 10, &data, &bytes), VKP_INPUT);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(vkp_file_read("pipe", 10, &data, &bytes), VKP_INPUT);
    assert_int_equal(vkp_file_read("/dev/zero", 10, &data, &bytes), VKP_INPUT);
    assert_int_equal(vkp_file_write("ten", "0123456789", 10), VKP_OK);
    assert_int_equal(vkp_file_read("ten", 9, &data, &bytes), VKP_INPUT);
    assert_string_equal(vkp_error(),
                        "cannot read ten (10 bytes, and at most 9 are read; use a smaller file)");
    assert_int_equal(vkp_file_read("ten", 10, &data, &bytes), VKP_OK);
    free(data);
    assert_int_equal(vkp_file_write("/dev/null", "x", 1), VKP_INPUT);
    assert_int_equal(vkp_file_write(".", "x", 1), VKP_INPUT);
    assert_int_equal(vkp_file_write("", "x", 1), VKP_INPUT);
    assert_int_equal(vkp_file_write("absent/", "x", 1), VKP_INPUT);
    assert_int_equal(vkp_file_write("absent/a", "x", 1), VKP_IO);
    assert_int_equal(vkp_file_write("ten/a", "x", 1), VKP_IO);
}

static void makes_folders(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("m/n//o/"), VKP_OK);
    assert_true(vkp_folder_exists("m/n/o"));
    assert_int_equal(vkp_folder_make("m/n/o"), VKP_OK);
    assert_int_equal(vkp_folder_make("/"), VKP_OK);
    assert_int_equal(vkp_folder_make("/tmp"), VKP_OK);
    assert_int_equal(vkp_folder_make(""), VKP_INPUT);
    assert_int_equal(vkp_file_write("m/file", "x", 1), VKP_OK);
    assert_int_equal(vkp_folder_make("m/file"), VKP_INPUT);
    assert_int_equal(vkp_folder_make("m/file/under"), VKP_INPUT);
    assert_string_equal(vkp_error(),
                        "cannot make folder m/file/under (a file is in the way; choose another name)");
    assert_true(vkp_file_exists("m/file"));
    assert_false(vkp_file_exists("m/n"));
    assert_false(vkp_folder_exists("m/file"));
    assert_int_equal(vkp_folder_make("/proc/vkpix"), VKP_IO);
}

static void takes_paths_apart(void **state)
{
    (void)state;
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}, {"a/b", "c/d", "a/b/c/d"}};
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        char *joined;
        assert_int_equal(vkp_path_join(joins[i][0], joins[i][1], &joined), VKP_OK);
        assert_string_equal(joined, joins[i][2]);
        free(joined);
    }
    assert_string_equal(vkp_path_base("a/b.png"), "b.png");
    assert_string_equal(vkp_path_base("a/"), "");
    assert_string_equal(vkp_path_base(""), "");
    assert_string_equal(vkp_path_extension("a.d/b.tar.gz"), "gz");
    assert_string_equal(vkp_path_extension("a.d/b"), "");
    assert_string_equal(vkp_path_extension("a/.profile"), "");
    assert_string_equal(vkp_path_extension("b."), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_replaces),
        cmocka_unit_test(a_new_file_obeys_the_umask),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(parts_appear_at_commit),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(makes_folders),
        cmocka_unit_test(takes_paths_apart),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
