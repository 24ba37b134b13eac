/* The program's usage, its devices, and what it says when there is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/version.h"
#include "device_fixture.h"
#include "image/picture.h"
#include "ops/self_test.h"
#include "program.h"
#include "scratch.h"

static void wrong_usage(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *word;
    } wrong[] = {
        {"", "no command"},
        {"colourise", "colourise"},
        {"--verson", "--verson"},
        {"devices --foo", "--foo"},
        {"devices --jso", "--jso"},
        {"devices -j", "-j"},
        {"devices --json=1", "--json=1"},
        {"devices extra", "extra"},
        {"devices -- --json", "--json"},
        {"colorize --out x", "too few arguments"},
        {"colorize a.jpg", "--out"},
        {"colorize a.jpg --out", "--out"},
        {"colorize a.jpg --out ''", "--out"},
        {"colorize '' --out b", "''"},
        {"colorize a.jpg --out b --saturation much", "'much'"},
        {"colorize a.jpg --out b --saturation nan", "'nan'"},
        {"colorize a.jpg --out b --saturation=-1", "'-1'"},
        {"colorize a.jpg --out b --quality 101", "from 1 to 100"},
        {"colorize a.jpg --out b --quality 99999999999999999999", "--quality"},
        {"eval", "too few arguments"},
        {"export run", "--out"},
        {"eval a b", "argument b"},
        {"tune now", "argument now"},
        {"tune --budget never", "'never'"},
        {"tune --preset train99", "train99"},
        {"tune --preset train01 --size 17", "17"},
        {"bench ops --variant conv2e=direct", "conv2d_input_grad"},
        {"bench ops --variant conv2d_forward=fast", "phases, thin, few, lanes"},
        {"bench ops --variant conv2d", "direct"},
        {"bench ops --variant conv2d=direct --variant conv2d=", "direct"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        program_expect(program_run("", "%s", wrong[i].arguments), 2, wrong[i].word);
        assert_string_equal(program_output(), "");
    }
}

static void help_and_version(void **state)
{
    (void)state;
    static const char *const commands[] = {"", "devices", "colorize", "eval", "export", "tune"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        program_expect(program_run("", "%s --help", commands[i]), 0, "");
        assert_int_equal(strncmp(program_output(), "Usage: vkpix ", 13), 0);
        assert_non_null(strstr(program_output(), "--help"));
        assert_string_equal(program_errors(), "");
        for (const char *line = program_output(); *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 110);
    }
    program_expect(program_run("", "colorize a.jpg --model -h"), 2, "--out"); /* it is --model's value */
    program_expect(program_run("", "colorize -h --out"), 0, "");
    program_expect(program_run("", "--version"), 0, "");
    char version[256];
    snprintf(version, sizeof version, "vkpix %s (%s)\n", vkp_version(), vkp_version_commit());
    assert_string_equal(program_output(), version);
}

static void devices(void **state)
{
    (void)state;
    program_expect(program_run("", "devices"), 0, "");
    assert_non_null(strstr(program_output(), "0: "));
    assert_non_null(strstr(program_output(), "self-test          passed"));
    program_expect(program_run("", "devices --json"), 0, "");
    cJSON *document = program_json(), *list = cJSON_GetObjectItem(document, "devices");
    assert_true(cJSON_GetArraySize(list) >= 1);
    static const char *const keys[] = {"number", "name",   "vendor", "vendor_id", "type",
                                       "driver", "vulkan", "limits", "self_test", "self_test_passed"};
    const cJSON *device;
    cJSON_ArrayForEach(device, list)
    {
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            assert_non_null(cJSON_GetObjectItemCaseSensitive(device, keys[i]));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(device, "self_test_passed")));
        assert_true(cJSON_GetNumberValue(
                        cJSON_GetObjectItem(cJSON_GetObjectItem(device, "limits"), "memory_budget")) > 0);
    }
    cJSON_Delete(document);
}

static void self_test(void **state)
{
    (void)state;
    void *none = NULL;
    assert_int_equal(open_test_device(&none), 0);
    assert_ok(vkp_self_test(test_device));
    /* What it allocates is freed when it fails halfway, too. */
    test_device->info.limits.max_allocation = 16;
    assert_int_not_equal(vkp_self_test(test_device), VKP_OK);
    assert_int_equal(close_test_device(&none), 0);
}

static const char small_tune[] = "tune --preset train01 --size 32 --batch 2";
static const char tune_cache[] = "XDG_CACHE_HOME=\"$PWD/cache\" VKPIX_CACHE=on";

/* How many contests a budget of seconds is enough for. */
static int contests_measured(int budget)
{
    program_expect(program_run(tune_cache, "%s --budget %d --json", small_tune, budget), 0, "");
    cJSON *document = program_json(), *row, *variant;
    int measured = 0;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(document, "rows"))
    {
        const char *source = cJSON_GetStringValue(cJSON_GetObjectItem(row, "source"));
        const char *winner = cJSON_GetStringValue(cJSON_GetObjectItem(row, "winner"));
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(row, "op")), "conv2d");
        assert_true(source && winner && cJSON_GetObjectItem(row, "direction"));
        assert_non_null(cJSON_GetObjectItem(row, "shapes"));
        if (strcmp(source, "measured") != 0) continue;
        measured++;
        bool timed = false;
        cJSON_ArrayForEach(variant, cJSON_GetObjectItem(row, "variants"))
        {
            const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(variant, "name"));
            timed = timed || (strcmp(name, winner) == 0 &&
                              cJSON_GetNumberValue(cJSON_GetObjectItem(variant, "median_ms")) > 0);
        }
        assert_true(timed);
    }
    cJSON_Delete(document);
    return measured;
}

/* A little time is enough for some shapes and not for all, on a busy machine a little more; what won is kept,
 * and taken without a trial. */
static void tune(void **state)
{
    (void)state;
    const char *cache = tune_cache, *small = small_tune;
    cJSON *document, *row;
    int measured = 0, stored = 0;
    for (int budget = 8; !measured && budget <= 64; budget *= 2) measured = contests_measured(budget);
    assert_true(measured > 0);
    assert_non_null(strstr(program_errors(), "cache/vkpix/variants-"));

    program_expect(program_run(cache, "%s --budget 0.001 --json", small), 0, "");
    document = program_json();
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(document, "rows"))
        stored += strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(row, "source")), "stored") == 0;
    cJSON_Delete(document);
    assert_int_equal(stored, measured);

    program_expect(program_run(cache, "%s --budget 0.001", small), 0, "");
    assert_non_null(strstr(program_output(), "(stored)"));
    program_expect(program_run("VKPIX_CACHE=off", "%s --budget 0.001", small), 0, "");
    assert_null(strstr(program_output(), "(stored)"));
    assert_non_null(strstr(program_errors(), "nothing is kept"));
}

static void output_that_cannot_be_written(void **state)
{
    (void)state;
    struct stat full;
    if (stat("/dev/full", &full) != 0) skip();
    char program[4096];
    snprintf(program, sizeof program, "'%s' --help >/dev/full 2>/dev/null", getenv("VKPIX_TEST_PROGRAM"));
    const int status = system(program);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

#define NO_DRIVER "VK_DRIVER_FILES=/nonexistent.json VK_ICD_FILENAMES=/nonexistent.json"

static void no_device(void **state)
{
    (void)state;
    program_expect(program_run(NO_DRIVER, "devices"), 1, "no Vulkan");
    program_expect(program_run(NO_DRIVER, "devices --json"), 1, "no Vulkan");
    assert_string_equal(program_output(), "");
    vkp_picture picture;
    assert_ok(vkp_picture_make(5, 4, &picture));
    assert_ok(vkp_picture_write("in.png", &picture, 0));
    vkp_picture_free(&picture);
    program_expect(program_run(NO_DRIVER, "colorize in.png --out out.png --model any"), 1, "no Vulkan");
    program_expect(program_run("", "colorize in.png --out out.png --model any --device 99"), 1, "'99'");
    program_expect(program_run("", "eval in.png --model any --device -1"), 1, "'-1'");
    program_expect(program_run("VKPIX_DEVICE='no such'", "eval in.png --model any"), 1, "'no such'");
    assert_false(vkp_file_exists("out.png"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(devices),
        cmocka_unit_test(self_test),
        cmocka_unit_test(tune),
        cmocka_unit_test(output_that_cannot_be_written),
        cmocka_unit_test(no_device),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
