/* Files called anything, links that lead anywhere, folders that change while they are being worked on: every
 * picture is coloured or told about in one line, and nothing is written but below --out. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "data/folder.h"
#include "device_fixture.h"
#include "image/picture.h"
#include "model_folder.h"
#include "program.h"
#include "scratch.h"
#include "small_picture.h"

static void run(int status, const char *word, const char *arguments)
{
    program_expect(program_run("", "colorize %s", arguments), status, word);
}

/* Every line of standard error is vkpix's own: no name broke one, or sent a terminal its codes. */
static void assert_lines(void)
{
    for (const char *at = program_errors(); *at; at += strcspn(at, "\n") + 1) {
        if (strncmp(at, "vkpix: ", 7) != 0) fail_msg("not one line: %.80s", at);
        for (size_t i = 0; at[i] != '\n'; i++) assert_false((unsigned char)at[i] < ' ' || at[i] == 0x7f);
    }
}

/* A name of `length` letters, then `end`. */
static void long_name(char *name, size_t length, const char *end)
{
    memset(name, 'l', length);
    strcpy(name + length, end);
}

static void any_name_will_do(void **state)
{
    (void)state;
    model_folder_new("names");
    char longest[256];
    long_name(longest, 251, ".png");
    const char *const names[] = {"two words.png", "new\nline.png",        "\x1b[31mred.png", "-dash.png",
                                 "--out.png",     "\xc3\xa4\xe7\xff.png", "'\"$(rm *)`.png", "%s%n.png",
                                 "a:b\\c*?.png",  longest};
    assert_ok(vkp_folder_make("in/-folder\n"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        snprintf(path, sizeof path, "in/%s", names[i]);
        small_picture_write(path, 9, 8, (int)i);
    }
    small_picture_write("in/-folder\n/x.png", 9, 8, 0);
    run(0, "", "in --out out " MODEL);
    assert_lines();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        snprintf(path, sizeof path, "out/%s", names[i]);
        vkp_picture p = small_picture_read(path);
        vkp_picture_free(&p);
    }
    assert_true(vkp_file_exists("out/-folder\n/x.png"));
    /* Named one by one, behind the mark that ends the options. */
    assert_int_equal(chdir("in"), 0);
    run(0, "", "--out ../single --model ../model.safetensors --size 32 -- -dash.png --out.png");
    assert_true(vkp_file_exists("../single/-dash.png") && vkp_file_exists("../single/--out.png"));
    run(2, "-dash.png", "-dash.png --out ../single2");
    assert_int_equal(chdir(".."), 0);
    /* Damaged files with such names are told in one line each. */
    assert_ok(vkp_folder_make("bad"));
    assert_ok(vkp_file_write("bad/a\nb\x1b.png", "no picture", 10));
    run(1, "1 of 1", "bad --out out2 " MODEL);
    assert_lines();
    assert_non_null(strstr(program_errors(), "cannot read bad/a?b?.png (not a JPEG"));
}

/* Names that get an extension, and messages about paths that fill more than a line. */
static void too_long_names_concern_themselves(void **state)
{
    (void)state;
    model_folder_new("long");
    char name[260], path[1024], arguments[1200];
    /* A path of 800 bytes, of which no part is missing in the message but the middle. */
    snprintf(path, sizeof path, "in/");
    for (int i = 0; i < 4; i++) {
        long_name(name, 200, "/");
        strcat(path, name);
    }
    assert_ok(vkp_folder_make(path));
    strcat(path, "empty.png");
    assert_ok(vkp_file_write(path, "", 0));
    small_picture_write("in/good.png", 9, 8, 0);
    /* 254 bytes as "x.pgm", 258 as "x.dat.png": that one is too long to be written. */
    long_name(name, 250, ".dat");
    snprintf(arguments, sizeof arguments, "in/%s", name);
    small_picture_write("in/a.png", 9, 8, 1);
    assert_int_equal(rename("in/a.png", arguments), 0);
    snprintf(arguments, sizeof arguments, "in/%s in --out out " MODEL, name);
    run(1, "2 of 3", arguments);
    assert_lines();
    assert_true(vkp_file_exists("out/good.png"));
    assert_non_null(strstr(program_errors(), "(the file is empty; replace or remove it)"));
    assert_non_null(strstr(program_errors(), "choose a shorter name)"));
}

static size_t entries_in(const char *folder)
{
    size_t count = 0;
    DIR *open = opendir(folder);
    assert_non_null(open);
    while (readdir(open)) count++;
    closedir(open);
    return count - 2;
}

static void no_link_leads_out(void **state)
{
    (void)state;
    model_folder_new("links");
    assert_ok(vkp_folder_make("in/a/deep"));
    assert_ok(vkp_folder_make("in/b"));
    assert_ok(vkp_folder_make("out/real"));
    assert_ok(vkp_folder_make("elsewhere"));
    small_picture_write("in/a/deep/x.png", 9, 8, 0);
    small_picture_write("in/b/y.png", 9, 8, 1);
    small_picture_write("in/c.png", 9, 8, 2);
    small_picture_write("in/d.png", 9, 8, 2);
    assert_ok(vkp_file_write("elsewhere/kept.png", "kept", 4));
    assert_int_equal(symlink("../elsewhere", "out/a"), 0);          /* a folder out of it */
    assert_int_equal(symlink("real", "out/b"), 0);                  /* one within */
    assert_int_equal(symlink("../elsewhere/kept.png", "out/c.png"), 0); /* a file out of it */
    assert_int_equal(symlink("d.png", "out/d.png"), 0);             /* itself */
    run(1, "1 of 4", "in --out out " MODEL);
    assert_non_null(strstr(program_errors(), "the link out/a leads out of out; remove it"));
    assert_int_equal(entries_in("elsewhere"), 1);
    void *kept;
    size_t size;
    assert_ok(vkp_file_read("elsewhere/kept.png", 100, &kept, &size));
    assert_string_equal(kept, "kept");
    free(kept);
    assert_true(vkp_file_exists("out/real/y.png"));
    /* Links at the results' own places are replaced, not followed. */
    struct stat info;
    assert_int_equal(lstat("out/c.png", &info), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_int_equal(lstat("out/d.png", &info), 0);
    assert_true(S_ISREG(info.st_mode));
    /* --out may itself be a link: that is what was asked for. A dangling one below it leads nowhere. */
    assert_int_equal(symlink("real", "out/linked"), 0);
    run(0, "", "in/b --out out/linked " MODEL);
    assert_int_equal(unlink("out/a"), 0);
    assert_int_equal(symlink("../gone", "out/a"), 0);
    run(1, "1 of 4", "in --out out " MODEL);
    assert_non_null(strstr(program_errors(), "the link out/a leads out of out; remove it"));
    assert_false(vkp_folder_exists("gone"));
}

static void circles_end(void **state)
{
    (void)state;
    model_folder_new("circles");
    assert_ok(vkp_folder_make("in/sub"));
    small_picture_write("in/sub/x.png", 9, 8, 0);
    assert_int_equal(symlink("..", "in/sub/up"), 0);
    assert_int_equal(symlink("loop.png", "in/loop.png"), 0);
    assert_int_equal(symlink("/nowhere/at/all.png", "in/gone.png"), 0);
    run(1, "2 of 3", "in --out out " MODEL);
    assert_lines();
    assert_non_null(strstr(program_errors(), "remove the circle of links"));
    assert_true(vkp_file_exists("out/sub/x.png"));
    assert_int_equal(entries_in("out"), 1);
}

/* Replaces, truncates, removes and brings back pictures until it is killed. */
static void disturb(void)
{
    small_picture_write("whole.png", 20, 15, 3);
    for (unsigned k = 0;; k++) {
        char path[64];
        snprintf(path, sizeof path, "in/sub/%02u.png", k * 7 % 24);
        if (k % 4 == 0) unlink(path);
        if (k % 4 == 1) link("whole.png", path);
        if (k % 4 == 2) rename("in/sub", "in/moved");
        if (k % 4 == 3) rename("in/moved", "in/sub");
        const struct timespec t = {.tv_nsec = 200000};
        nanosleep(&t, NULL);
    }
}

static void a_folder_may_change_meanwhile(void **state)
{
    (void)state;
    model_folder_new("changes");
    assert_ok(vkp_folder_make("in/sub"));
    for (int i = 0; i < 24; i++) {
        char path[64];
        snprintf(path, sizeof path, "in/sub/%02d.png", i);
        small_picture_write(path, 20 + i, 30, i);
    }
    small_picture_write("in/steady.png", 20, 30, 9);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        disturb();
        _exit(0);
    }
    const int status = program_run("", "colorize in --out out " MODEL);
    if (status == 0 || status == 1) assert_lines();
    const int trained = program_run("", "train in --out run --no-shuffle --max-steps 2 "
                                        "--set size=32 --set batch=8 --set d_pools=2,2,2,2");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    program_expect(trained, 0, "");
    assert_lines();
    assert_true(status == 0 || status == 1);
    assert_true(vkp_file_exists("out/steady.png"));
    assert_true(vkp_file_exists("run/checkpoints/last/generator.safetensors"));
    vkp_folder results;
    assert_ok(vkp_folder_list("out", &results));
    for (size_t i = 0; i < results.count; i++) {
        vkp_picture p = small_picture_read(results.paths[i]);
        assert_true(p.height == 30 || p.height == 15);
        vkp_picture_free(&p);
    }
    vkp_folder_free(&results);
}

static void the_limit_is_an_option(void **state)
{
    (void)state;
    model_folder_new("limit");
    assert_ok(vkp_folder_make("in"));
    small_picture_write("in/small.png", 40, 20, 0);
    small_picture_write("in/large.png", 60, 40, 0);
    run(1, "1 of 2", "in --out out --max-megapixels 0.001 " MODEL);
    assert_non_null(strstr(program_errors(), "60x40 pixels are more than the limit of 0.001 million"));
    assert_true(vkp_file_exists("out/small.png") && !vkp_file_exists("out/large.png"));
    run(2, "max-megapixels", "in --out out --max-megapixels 0 " MODEL);
    run(2, "max-megapixels", "in --out out --max-megapixels 1e9 " MODEL);
    assert_int_equal(rename("in/small.png", "in/sm\nall.png"), 0);
    program_expect(program_run("", "eval in --max-megapixels 0.001 " MODEL), 1, "1 pictures could not");
    assert_non_null(strstr(program_output(), "  sm?all.png\n"));
    program_expect(program_run("", "train in --out run --max-megapixels 0.0005"), 2, "0.0005");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, model_folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(any_name_will_do),
        TEST(too_long_names_concern_themselves),
        TEST(no_link_leads_out),
        TEST(circles_end),
        TEST(a_folder_may_change_meanwhile),
        TEST(the_limit_is_an_option),
    };
    return cmocka_run_group_tests(tests, model_folders_enter, scratch_leave);
}
