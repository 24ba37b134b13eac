/* vkpix eval from end to end: its figures are those of the pictures that colorize writes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "blob.h"
#include "device_fixture.h"
#include "image/scores.h"
#include "program.h"
#include "scratch.h"
#include "small_model.h"
#include "small_picture.h"

#define MODEL "--model model.safetensors --size 32"

static const char *const names[] = {"a.png", "sub/b.png", "sub/c.bmp"};
enum { PICTURES = sizeof names / sizeof *names };

static int enter(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    small_model_write("model.safetensors");
    assert_ok(vkp_folder_make("in/sub"));
    assert_ok(vkp_folder_make("gray"));
    for (int i = 0; i < PICTURES; i++) {
        char path[64];
        snprintf(path, sizeof path, "in/%s", names[i]);
        small_picture_write(path, 40 + 11 * i, 31 - 5 * i, i);
    }
    assert_ok(vkp_file_write("gray/g.pgm", "P2 2 2 255 10 90 200 30\n", 24));
    return close_test_device(state);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item)) fail_msg("no number %s", key);
    return item->valuedouble;
}

static void check_scores(const cJSON *object, const vkp_scores *wanted)
{
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++)
        assert_float_equal(number(object, vkp_score_name(s)), wanted->values[s], 1e-9);
}

/* The scores of a result against its original. */
static vkp_scores compare(const char *folder, const char *name)
{
    char path[64];
    vkp_scores scores;
    snprintf(path, sizeof path, "in/%s", name);
    vkp_picture original = small_picture_read(path);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    vkp_picture result = small_picture_read(path);
    assert_ok(vkp_scores_compute(&result, &original, &scores));
    vkp_picture_free(&original);
    vkp_picture_free(&result);
    return scores;
}

static void figures_are_colorizes(void **state)
{
    (void)state;
    program_expect(program_run("", "colorize in --out colored " MODEL), 0, "");
    program_expect(program_run("", "colorize in --out plain --saturation 0 " MODEL), 0, "");
    program_expect(program_run("", "eval in --json " MODEL), 0, "");
    cJSON *document = program_json();
    const cJSON *list = cJSON_GetObjectItem(document, "pictures");
    vkp_scores colored[PICTURES], plain[PICTURES];
    assert_int_equal(cJSON_GetArraySize(list), PICTURES);
    assert_true(number(document, "count") == PICTURES && number(document, "size") == 32);
    for (int i = 0; i < PICTURES; i++) {
        const cJSON *row = cJSON_GetArrayItem(list, i);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(row, "name")), names[i]);
        assert_true(number(row, "width") == 40 + 11 * i && number(row, "height") == 31 - 5 * i);
        colored[i] = compare("colored", names[i]);
        plain[i] = compare("plain", names[i]);
        check_scores(row, &colored[i]);
        check_scores(cJSON_GetObjectItem(row, "no_color"), &plain[i]);
    }
    const vkp_scores mean = vkp_scores_mean(colored, PICTURES, sizeof *colored);
    const vkp_scores none = vkp_scores_mean(plain, PICTURES, sizeof *plain);
    check_scores(cJSON_GetObjectItem(document, "mean"), &mean);
    check_scores(cJSON_GetObjectItem(document, "mean_no_color"), &none);
    assert_true(none.values[VKP_SCORE_colorfulness] < 1e-9 && mean.values[VKP_SCORE_colorfulness] > 1);
    cJSON_Delete(document);
}

static void table(void **state)
{
    (void)state;
    program_expect(program_run("", "eval in --flip-average --fit black " MODEL), 0, "");
    const char *out = program_output();
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++) assert_non_null(strstr(out, vkp_score_name(s)));
    for (int i = 0; i < PICTURES; i++) assert_non_null(strstr(out, names[i]));
    assert_non_null(strstr(out, "  mean\n"));
    assert_non_null(strstr(out, "  mean, no colour at all\n"));
}

static void what_cannot_be_compared(void **state)
{
    (void)state;
    program_expect(program_run("", "eval gray " MODEL), 1, "colour");
    assert_string_equal(program_output(), "");
    assert_ok(vkp_folder_make("mixed"));
    assert_ok(vkp_folder_make("empty"));
    small_picture_write("mixed/ok.png", 20, 10, 1);
    small_picture_write("mixed/latin\xe9.png", 10, 20, 2);
    assert_ok(vkp_file_write("mixed/gray.pgm", "P2 2 2 255 10 90 200 30\n", 24));
    assert_ok(vkp_file_write("mixed/text.jpg", "text", 4));
    program_expect(program_run("", "eval mixed --json " MODEL), 1, "1 pictures could not be read");
    cJSON *document = program_json();
    assert_true(number(document, "count") == 2 && number(document, "unreadable") == 1 &&
                number(document, "without_color") == 1);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(document, "pictures"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(first, "name")), "latin?.png");
    cJSON_Delete(document);
    program_expect(program_run("", "eval empty " MODEL), 1, "empty");
    program_expect(program_run("", "eval missing " MODEL), 1, "missing");
    program_expect(program_run("", "eval in"), 2, "--model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_colorizes),
        cmocka_unit_test(table),
        cmocka_unit_test(what_cannot_be_compared),
    };
    return cmocka_run_group_tests(tests, enter, scratch_leave);
}
