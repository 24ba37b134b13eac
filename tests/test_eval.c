/* vkpix eval from end to end: its figures are those of the pictures that colorize writes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
        assert_float_equal(number(object, vkp_score_get(s)->name), wanted->values[s], 1e-9);
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
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++) assert_non_null(strstr(out, vkp_score_get(s)->heading));
    for (int i = 0; i < PICTURES; i++) assert_non_null(strstr(out, names[i]));
    assert_non_null(strstr(out, "  mean\n"));
    assert_non_null(strstr(out, "  mean, no colour at all\n"));
}

static const char *read_text(const char *path)
{
    static char *text;
    size_t bytes;
    void *data;
    free(text);
    assert_ok(vkp_file_read(path, 1 << 20, &data, &bytes));
    text = data;
    return text;
}

/* Which card of the page is whose, by the order that the picture names come in. */
static void check_card(const char *html, int index, const char *name, int width, int height)
{
    static const char *const kinds[] = {"gray", "result", "truth"};
    char text[96], path[96];
    snprintf(text, sizeof text, "<h2>%s <small>%d × %d</small>", name, width, height);
    const char *at = strstr(html, text);
    assert_non_null(at);
    for (int k = 0; k < 3; k++) {
        snprintf(text, sizeof text, "src=\"%04d-%s.jpg\"", index + 1, kinds[k]);
        at = strstr(at, text);
        assert_non_null(at);
        snprintf(path, sizeof path, "page/%04d-%s.jpg", index + 1, kinds[k]);
        vkp_picture p = small_picture_read(path);
        assert_true(p.width == width && p.height == height);
        vkp_picture_free(&p);
    }
}

static void page(void **state)
{
    (void)state;
    assert_ok(vkp_folder_make("shown"));
    small_picture_write("shown/a & <b>.png", 40, 31, 0);
    small_picture_write("shown/z.png", 30, 31, 1);
    small_picture_write("shown/c.png", 20, 31, 2);
    assert_ok(vkp_file_write("shown/gray.pgm", "P2 2 2 255 10 90 200 30\n", 24));
    program_expect(program_run("", "eval shown --json --saturation 0.5 --page page " MODEL), 0, "");
    cJSON *document = program_json();
    const cJSON *list = cJSON_GetObjectItem(document, "pictures");
    assert_true(number(document, "saturation") == 0.5 && number(document, "count") == 3);
    const char *html = read_text("page/index.html");
    check_card(html, 0, "a &amp; &lt;b&gt;.png", 40, 31);
    check_card(html, 1, "c.png", 20, 31);
    check_card(html, 2, "z.png", 30, 31);
    assert_null(strstr(html, "<b>"));
    /* The rank by l1 of a picture: how many have a larger one, which is worse. */
    const char *at = html;
    for (int i = 0; i < 3; i++) {
        int worse = 0;
        const double own = number(cJSON_GetArrayItem(list, i), "l1");
        for (int k = 0; k < 3; k++) worse += number(cJSON_GetArrayItem(list, k), "l1") > own;
        at = strstr(strstr(at, "<article"), "--l1:");
        assert_int_equal(strtol(at + 5, NULL, 10), worse);
    }
    cJSON_Delete(document);
    /* Pictures are there, but no page of theirs, once another run has begun. */
    program_expect(program_run("", "eval gray --page page " MODEL), 1, "colour");
    assert_false(vkp_file_exists("page/index.html"));
    assert_ok(vkp_file_write("file", "x", 1));
    program_expect(program_run("", "eval shown --page file/below " MODEL), 1, "file");
    program_expect(program_run("", "eval shown --saturation 11 " MODEL), 2, "from 0 to 10");
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
        cmocka_unit_test(page),
        cmocka_unit_test(what_cannot_be_compared),
    };
    return cmocka_run_group_tests(tests, enter, scratch_leave);
}
