/* What vkpix serve says of training runs, from files as a training writes them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "nn/config.h"
#include "nn/run_log.h"
#include "scratch.h"
#include "serve/curve.h"
#include "serve/runs.h"

#define assert_ok(expr) \
    do { \
        if ((expr) != VKP_OK) fail_msg("%s: %s", #expr, vkp_error()); \
    } while (0)

/* A run of that many epochs of 3 steps, in `folder`. */
static void make_run(const char *folder, int epochs)
{
    char path[128];
    vkp_config config;
    vkp_run_log *log;
    snprintf(path, sizeof path, "%s/previews", folder);
    assert_ok(vkp_folder_make(path));
    assert_ok(vkp_config_preset(&config, "train04"));
    config.epochs = 10;
    snprintf(path, sizeof path, "%s/config.yml", folder);
    assert_ok(vkp_config_save(&config, path));
    assert_ok(vkp_run_log_open(folder, -1, -1, &log));
    for (int e = 1; e <= epochs; e++) {
        for (int s = 3 * e - 2; s <= 3 * e; s++)
            assert_ok(vkp_run_log_add_step(log, (double[]){s, NAN, NAN, 100 - s}));
        assert_ok(
            vkp_run_log_add_epoch(log, (double[]){e, NAN, NAN, 50 - e, 40 - e, 20 + e, 10 + e, 1e-3, 60}));
        snprintf(path, sizeof path, "%s/previews/epoch_%03d.png", folder, e);
        assert_ok(vkp_file_write(path, "png", 3));
    }
    vkp_run_log_close(log);
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);
    if (!item) fail_msg("%s is missing", name);
    return cJSON_IsNull(item) ? NAN : cJSON_GetNumberValue(item);
}

static void a_folder_of_runs(void **state)
{
    (void)state;
    vkp_runs *runs;
    cJSON *list;
    make_run("runs/a", 4);
    make_run("runs/b", 0);
    assert_ok(vkp_folder_make("runs/no-run"));
    assert_ok(vkp_folder_make("runs/.hidden"));
    assert_ok(vkp_runs_open("runs/", &runs));
    assert_ok(vkp_runs_list(runs, &list));
    assert_int_equal(cJSON_GetArraySize(list), 2);
    const cJSON *run;
    cJSON_ArrayForEach(run, list)
    {
        const bool a = strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(run, "name")), "a") == 0;
        assert_true(number(run, "epoch") == (a ? 4 : 0));
        assert_true(number(run, "epochs") == 10);
        assert_true(number(run, "steps") == (a ? 12 : 0));
        assert_true(a ? number(run, "val_psnr") == 14 : isnan(number(run, "val_psnr")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(run, "running"))); /* its files are new */
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(run, "has_weights")));
    }
    cJSON_Delete(list);
    /* Runs come and go, and a broken one is told. */
    make_run("runs/c", 1);
    assert_ok(vkp_file_write("runs/b/config.yml", "size: [", 7));
    assert_int_equal(unlink("runs/a/log.csv"), 0);
    assert_ok(vkp_runs_list(runs, &list));
    assert_int_equal(cJSON_GetArraySize(list), 2);
    cJSON_ArrayForEach(run, list)
        assert_int_equal(cJSON_HasObjectItem(run, "error"),
                         strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(run, "name")), "b") == 0);
    cJSON_Delete(list);
    vkp_runs_close(runs);
    assert_int_equal(vkp_runs_open("nowhere", &runs), VKP_INPUT);
}

static void a_run_that_goes_on(void **state)
{
    (void)state;
    vkp_runs *runs;
    vkp_run_log *log;
    cJSON *run;
    make_run("one", 2);
    assert_ok(vkp_runs_open("one", &runs)); /* the folder is the run itself */
    assert_ok(vkp_runs_describe(runs, "one", &run));
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(run, "settings"), "epochs")), "10");
    const cJSON *psnr = cJSON_GetObjectItem(cJSON_GetObjectItem(run, "log"), "val_psnr");
    assert_true(cJSON_GetArraySize(psnr) == 2 && cJSON_GetArrayItem(psnr, 1)->valuedouble == 12);
    assert_true(cJSON_IsNull(
        cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(run, "log"), "train_D_adv_loss"), 0)));
    const cJSON *previews = cJSON_GetObjectItem(run, "previews");
    assert_true(cJSON_GetArraySize(previews) == 2 && cJSON_GetArrayItem(previews, 1)->valuedouble == 2);
    assert_true(isnan(number(run, "steps_per_second"))); /* seen once */
    const double left = number(run, "seconds_left");
    if (left < 8 * 60 - 5 || left > 8 * 60) fail_msg("%g s left, not 8 epochs of 60 s", left);
    cJSON_Delete(run);
    /* Ten steps and a second later. */
    const double began = vkp_clock();
    assert_ok(vkp_run_log_open("one", 2, 6, &log));
    for (int s = 7; s <= 16; s++) assert_ok(vkp_run_log_add_step(log, (double[]){s, 1, 2, 100 - s}));
    vkp_run_log_close(log);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 10000000}, NULL);
    assert_ok(vkp_runs_describe(runs, "one", &run));
    const double most = 10.0 / 1, least = 10 / (vkp_clock() - began + 0.5),
                 rate = number(run, "steps_per_second");
    if (!(rate <= most && rate >= least)) fail_msg("%g steps/s, not %g to %g", rate, least, most);
    assert_true(number(run, "steps") == 16);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(run, "curve"), "g_l1")), 16);
    cJSON_Delete(run);
    vkp_runs_close(runs);
}

static void names_from_outside(void **state)
{
    (void)state;
    vkp_runs *runs;
    cJSON *run;
    char *path;
    make_run("outside", 1);
    make_run("inside/a", 1);
    assert_ok(vkp_runs_open("inside", &runs));
    static const char *const names[] = {"../outside", "a/../../outside", ".", "..", "", "/etc", "a/", "A",
                                        "a\n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(vkp_runs_describe(runs, names[i], &run), VKP_USAGE);
        assert_null(run);
        assert_int_equal(vkp_runs_preview(runs, names[i], 1, &path), VKP_USAGE);
        assert_null(path);
    }
    assert_ok(vkp_runs_preview(runs, "a", 1, &path));
    assert_true(vkp_file_exists(path));
    free(path);
    vkp_runs_close(runs);
}

/* Many more rows than points: the means hold all of them. */
static void a_long_curve(void **state)
{
    (void)state;
    enum { ROWS = 5000 };
    static vkp_curve curve;
    FILE *file = fopen("steps.csv", "w");
    fputs("step,d_adv,g_adv,g_l1\n", file);
    for (int i = 1; i <= ROWS; i++) {
        fprintf(file, "%d,,%d,%d\n", i, 2 * i, i % 2);
        if (i % 700) continue;
        fflush(file);
        assert_ok(vkp_curve_update(&curve, "steps.csv"));
        assert_int_equal(curve.rows, i);
    }
    fputs("5001,1,1", file); /* not whole yet */
    fclose(file);
    assert_ok(vkp_curve_update(&curve, "steps.csv"));
    assert_true(curve.rows == ROWS);
    const uint32_t points = vkp_curve_count(&curve);
    assert_true(points > VKP_CURVE_POINTS / 2 && points <= VKP_CURVE_POINTS);
    uint64_t rows = 0;
    double sum = 0;
    for (uint32_t i = 0; i < points; i++) {
        rows += curve.counts[i][2];
        sum += curve.sums[i][2];
        assert_true(isnan(vkp_curve_mean(&curve, i, 1)));
        assert_true(fabs(vkp_curve_mean(&curve, i, 2) - 2 * vkp_curve_mean(&curve, i, 0)) < 1e-6);
        if (i) assert_true(vkp_curve_mean(&curve, i, 0) > vkp_curve_mean(&curve, i - 1, 0));
    }
    assert_true(rows == ROWS && sum == (double)ROWS * (ROWS + 1));
    /* Cut back by a run that was resumed, and replaced: nothing of the old remains. */
    static const char text[] = "step,d_adv,g_adv,g_l1\n1,1,1,1\nrubbish\n,,,\n2,1,1,3\n";
    assert_ok(vkp_file_write("steps.csv", text, sizeof text - 1));
    assert_ok(vkp_curve_update(&curve, "steps.csv"));
    assert_true(curve.rows == 2 && vkp_curve_count(&curve) == 2 && vkp_curve_mean(&curve, 1, 3) == 3);
    assert_int_equal(vkp_curve_update(&curve, "nothing.csv"), VKP_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_of_runs),
        cmocka_unit_test(a_run_that_goes_on),
        cmocka_unit_test(names_from_outside),
        cmocka_unit_test(a_long_curve),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
