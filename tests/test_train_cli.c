/* vkpix train as a user runs it: bad input named in one line, and a run that is told nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "blob.h"
#include "nn/run_log.h"
#include "program.h"
#include "same_run.h"
#include "scratch.h"
#include "small_picture.h"

#define SMALL "--preset train01 --set size=32 --set d_pools=2,2,2,2 --set batch=2 --set epochs=2"

static void write_text(const char *path, const char *text)
{
    blob b = {0};
    blob_add_text(&b, text);
    blob_write(&b, path);
    blob_free(&b);
}

static void expect(int status, const char *word, const char *arguments)
{
    program_expect(program_run("", "train %s", arguments), status, word);
}

static void wrong_settings(void **state)
{
    (void)state;
    expect(2, "out", "photos");
    expect(2, "trian01", "photos --out r --preset trian01");
    expect(2, "sise", "photos --out r --set sise=64");
    expect(2, "size", "photos --out r --set size=100");
    expect(2, "16", "photos --out r --set size=100");
    expect(2, "d_pools", "photos --out r --set size=32 --set d_pools=4,4,4,4");
    expect(2, "batch", "photos --out r --set batch=0");
    expect(2, "batch", "photos --out r --set batch=many");
    expect(2, "flip", "photos --out r --set flip=1.5");
    expect(2, "fold", "photos --out r --folds 5 --fold 5");
    expect(2, "val", "photos --out r --folds 5 --val photos");
    expect(2, "max-steps", "photos --out r --max-steps 0");
    write_text("bad.yml", "batch: [1, 2\n");
    expect(2, "bad.yml", "photos --out r --config bad.yml");
    write_text("unknown.yml", "batch: 2\nbatches: 3\n");
    expect(2, "batches", "photos --out r --config unknown.yml");
    assert_false(vkp_folder_exists("r"));
}

static void wrong_files(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("empty"), VKP_OK);
    assert_int_equal(vkp_folder_make("texts"), VKP_OK);
    write_text("texts/a.jpg", "not a picture\n");
    write_text("texts/b.txt", "nor this\n");
    write_text("file", "in the way\n");
    write_text("short.safetensors", "12345");
    expect(1, "nowhere", "nowhere --out r1 " SMALL);
    expect(1, "empty", "empty --out r2 " SMALL);
    expect(1, "pictures", "texts --out r3 " SMALL);
    assert_false(vkp_file_exists("r3/config.yml"));
    expect(1, "file", "photos --out file/r " SMALL);
    expect(1, "missing", "photos --out r4 --init-g missing.safetensors " SMALL);
    expect(1, "short", "photos --out r5 --init-d short.safetensors " SMALL);
    expect(1, "resume", "photos --out r6 --resume " SMALL);
    expect(1, "device", "photos --out r7 --device 99 " SMALL);
    program_expect(
        program_run("VK_DRIVER_FILES=/none VK_ICD_FILENAMES=/none", "train photos --out r8 " SMALL), 1,
        "Vulkan");
    assert_false(vkp_file_exists("r8/config.yml"));
}

/* A resumed run needs nothing that it was told before, and refuses to become another. */
static void the_split_is_remembered(void **state)
{
    (void)state;
    expect(0, NULL, "photos --out whole_val --val photos --no-shuffle " SMALL);
    expect(0, NULL, "photos --out resumed --val photos --no-shuffle --max-steps 2 " SMALL);
    expect(2, "--folds", "photos --out resumed --resume --folds 5");
    assert_true(vkp_file_exists("resumed/variants.txt"));
    expect(0, NULL, "photos --out resumed --resume");
    assert_null(strstr(program_errors(), "variants.txt"));
    expect_same_run("whole_val", "resumed");
    vkp_run_table log;
    assert_int_equal(vkp_run_log_read_epochs("resumed", &log), VKP_OK);
    assert_int_equal(log.rows, 2);
    vkp_run_table_free(&log);
    expect(0, NULL, "photos --out folds --folds 3 --fold 1 --max-steps 2 " SMALL);
    expect(2, "--val", "photos --out folds --resume --val photos");
    expect(2, "--no-shuffle", "photos --out folds --resume --no-shuffle");
    write_text("folds/variants.txt", "vkpix variants 1\n");
    expect(0, NULL, "photos --out folds --resume --max-steps 3");
    assert_non_null(strstr(program_errors(), "variants.txt is missing or not this device's"));
    write_text("folds/split.yml", "folds: 3\nfold: many\n");
    expect(1, "split.yml", "photos --out folds --resume");
}

static int set_up(void **state)
{
    if (scratch_enter(state) || vkp_folder_make("photos") != VKP_OK) return -1;
    for (int i = 0; i < 12; i++) {
        char path[64];
        snprintf(path, sizeof path, "photos/%02d.png", i);
        small_picture_write(path, 33 + i, 48 - i, i);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_settings),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(the_split_is_remembered),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_leave);
}
