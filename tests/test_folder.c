/* Which files are found below a folder, in which order; circles, odd names, errors; and the folds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/folder.h"
#include "scratch.h"

static void touch(const char *path) { assert_int_equal(vkp_file_write(path, "x", 1), VKP_OK); }
static void make(const char *path) { assert_int_equal(vkp_folder_make(path), VKP_OK); }

/* The names found are these, up to a NULL, and each path is folder + name. */
static void assert_found(const char *path, const char *const *expected)
{
    vkp_folder f;
    if (vkp_folder_list(path, &f) != VKP_OK) fail_msg("%s", vkp_error());
    for (size_t i = 0; i < f.count; i++) {
        assert_non_null(expected[i]);
        assert_string_equal(f.names[i], expected[i]);
        assert_memory_equal(f.paths[i], path, strlen(path));
        assert_string_equal(f.paths[i] + strlen(f.paths[i]) - strlen(expected[i]), expected[i]);
    }
    assert_null(expected[f.count]);
    vkp_folder_free(&f);
}

static void finds_every_kind_at_every_depth_in_order(void **state)
{
    (void)state;
    make("t/b/deep/deeper");
    make("t/a dir.png"); /* a folder, whatever its name */
    make("t/.hidden");
    touch("t/z.JPG");
    touch("t/b.jpeg");
    touch("t/b/x.Png");
    touch("t/b/deep/deeper/1.bmp");
    touch("t/a dir.png/two words.tga");
    touch("t/new\nline.pnm");
    touch("t/\xc3\xa4\xe7.ppm"); /* not even valid UTF-8 */
    touch("t/\xc3\xa4.pgm");
    touch("t/.hidden/h.png");
    touch("t/.hidden.png");
    touch("t/notes.txt");
    touch("t/png");
    touch("t/x.png.part");
    char name[260] = "t/";
    memset(name + 2, 'l', 251);
    memcpy(name + 253, ".pbm", 5);
    touch(name);
    assert_int_equal(mkfifo("t/pipe.png", 0600), 0);
    const char *expected[] = {"a dir.png/two words.tga", "b.jpeg", "b/deep/deeper/1.bmp", "b/x.Png", name + 2,
                              "new\nline.pnm", "z.JPG", "\xc3\xa4.pgm", "\xc3\xa4\xe7.ppm", NULL};
    assert_found("t", expected);
    assert_found("t/", expected);
    assert_found("./t//", expected);
}

static void circles_and_second_ways_end(void **state)
{
    (void)state;
    make("loop/real/inner");
    touch("loop/real/a.png");
    touch("loop/real/inner/b.png");
    assert_int_equal(symlink("..", "loop/real/up"), 0);
    assert_int_equal(symlink(".", "loop/self"), 0);
    assert_int_equal(symlink("real/inner", "loop/alias"), 0);
    assert_int_equal(symlink("round.png", "loop/round.png"), 0);
    assert_int_equal(symlink("gone", "loop/dangling.jpg"), 0);
    assert_int_equal(symlink("gone", "loop/dangling"), 0);
    assert_int_equal(symlink("real/a.png", "loop/link.png"), 0);
    assert_found(
        "loop", (const char *[]){"alias/b.png", "dangling.jpg", "link.png", "real/a.png", "round.png", NULL});
}

static void a_single_file_is_a_list(void **state)
{
    (void)state;
    make("one");
    touch("one/photo.dat");
    assert_found("one/photo.dat", (const char *[]){"photo.dat", NULL});
    touch("bare.png");
    assert_found("bare.png", (const char *[]){"bare.png", NULL});
}

static void refuses_what_holds_no_pictures(void **state)
{
    (void)state;
    make("empty");
    make("texts/sub");
    touch("texts/a.txt");
    static const char *const cases[][2] = {{"missing", "no such file"},
                                           {"", "no such file"},
                                           {"empty", "is empty"},
                                           {"texts", "no file there ends in"},
                                           {"texts/a.txt/x", "no such file"},
                                           {"/dev/null", "neither a file nor a folder"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vkp_folder f;
        assert_int_equal(vkp_folder_list(cases[i][0], &f), VKP_INPUT);
        assert_non_null(strstr(vkp_error(), cases[i][1]));
        assert_int_equal(f.count, 0);
        vkp_folder_free(&f);
    }
}

static void a_closed_folder_is_an_error(void **state)
{
    (void)state;
    if (geteuid() == 0) skip(); /* nothing is closed to root */
    make("closed/inner");
    touch("closed/a.png");
    assert_int_equal(chmod("closed/inner", 0), 0);
    vkp_folder f;
    assert_int_equal(vkp_folder_list("closed", &f), VKP_IO);
    assert_null(f.paths);
    assert_int_equal(chmod("closed/inner", 0700), 0);
}

static void folds_hold_each_picture_once(void **state)
{
    (void)state;
    static const size_t cases[][2] = {{10, 10}, {103, 10}, {7, 3}, {2, 2}, {1000, 7}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        size_t n = cases[k][0], folds = cases[k][1];
        unsigned *held = calloc(n, sizeof *held);
        assert_non_null(held);
        for (size_t fold = 0; fold < folds; fold++) {
            vkp_split s;
            assert_int_equal(vkp_folds(n, folds, fold, 1, &s), VKP_OK);
            assert_int_equal(s.val_count, n / folds + (fold < n % folds));
            assert_int_equal(s.train_count + s.val_count, n);
            size_t t = 0, v = 0; /* ascending and disjoint: together they count up */
            for (size_t i = 0; i < n; i++) {
                if (v < s.val_count && s.val[v] == i) held[i]++, v++;
                else assert_int_equal(s.train[t++], i);
            }
            vkp_split_free(&s);
        }
        for (size_t i = 0; i < n; i++) assert_int_equal(held[i], 1);
        free(held);
    }
}

static void folds_follow_the_seed(void **state)
{
    (void)state;
    vkp_split a, b, c;
    assert_int_equal(vkp_folds(200, 10, 0, 1, &a), VKP_OK);
    assert_int_equal(vkp_folds(200, 10, 0, 1, &b), VKP_OK);
    assert_int_equal(vkp_folds(200, 10, 0, 2, &c), VKP_OK);
    assert_memory_equal(a.val, b.val, a.val_count * sizeof *a.val);
    assert_memory_not_equal(a.val, c.val, a.val_count * sizeof *a.val);
    assert_true(a.val[a.val_count - 1] > 30); /* shuffled: not the first twenty */
    vkp_split_free(&a);
    vkp_split_free(&b);
    vkp_split_free(&c);
}

static void folds_that_cannot_be_are_refused(void **state)
{
    (void)state;
    vkp_split s;
    assert_int_equal(vkp_folds(9, 10, 0, 1, &s), VKP_INPUT);
    assert_int_equal(vkp_folds(0, 2, 0, 1, &s), VKP_INPUT);
    assert_int_equal(vkp_folds(9, 1, 0, 1, &s), VKP_USAGE);
    assert_int_equal(vkp_folds(9, 0, 0, 1, &s), VKP_USAGE);
    assert_int_equal(vkp_folds(9, 3, 3, 1, &s), VKP_USAGE);
    assert_null(s.train);
    vkp_split_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_kind_at_every_depth_in_order),
        cmocka_unit_test(circles_and_second_ways_end),
        cmocka_unit_test(a_single_file_is_a_list),
        cmocka_unit_test(refuses_what_holds_no_pictures),
        cmocka_unit_test(a_closed_folder_is_an_error),
        cmocka_unit_test(folds_hold_each_picture_once),
        cmocka_unit_test(folds_follow_the_seed),
        cmocka_unit_test(folds_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
