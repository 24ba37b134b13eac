/* A device that fails at every call that can fail: an error of one line, nothing lost, nothing left, nothing
 * half-written, and what is done afterwards right to the bit.
 *
 * Each call is made to fail at its first FIRST occurrences in opening a device, in a picture's way from the
 * file to the file on a device without pipelines, and, with the pipelines there, in that, in an evaluation
 * and in a run of training, where it is the first occurrence and one in the middle: each of those runs is
 * resumed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "blob.h"
#include "device_fixture.h"
#include "faults.h"
#include "nn/colorizer.h"
#include "nn/trainer.h"
#include "scratch.h"
#include "small_model.h"
#include "small_picture.h"

enum { FIRST = 2, SIDE = 32, STEPS = 2 };

#define COLORED "out/colored.png"

static blob colored; /* what COLORED holds when nothing fails */
static vkp_params generator;
static double psnr; /* of the evaluation when nothing fails */

/* One that is in the scratch folder and is not the device's alone. */
static vkp_status write_colored(vkp_colorizer *c, const vkp_picture *picture)
{
    vkp_picture result;
    VKP_TRY(vkp_colorizer_predict(c, picture));
    VKP_TRY(vkp_colorizer_join(c, picture, 1, &result));
    const vkp_status status = vkp_picture_write(COLORED, &result, 95);
    vkp_picture_free(&result);
    return status;
}

static vkp_status color(void)
{
    vkp_colorizer *c;
    vkp_picture picture;
    remove(COLORED);
    VKP_TRY(vkp_picture_read("photos/1.png", 0, &picture));
    const vkp_colorizer_options options = {.model = "model.safetensors", .size = SIDE};
    vkp_status status = vkp_colorizer_create(test_device, &options, &c);
    if (status == VKP_OK) status = write_colored(c, &picture);
    vkp_colorizer_destroy(c);
    vkp_picture_free(&picture);
    return status;
}

static vkp_status open_only(void)
{
    VKP_TRY(vkp_device_open(NULL, &test_device));
    vkp_device_close(test_device);
    vkp_device_info *list;
    size_t count;
    VKP_TRY(vkp_device_list(&list, &count));
    free(list);
    return VKP_OK;
}

static vkp_status open_and_color(void)
{
    VKP_TRY(vkp_device_open(NULL, &test_device));
    const vkp_status status = color();
    vkp_device_close(test_device);
    return status;
}

static vkp_status make_evaluation(uint32_t batch, const vkp_buffer *rgb, vkp_arena *arena, vkp_evaluation **e)
{
    vkp_config config;
    VKP_TRY(vkp_config_preset(&config, "train01"));
    return vkp_evaluation_create(test_device, &config, &generator, batch, SIDE, SIDE, rgb, arena, e);
}

static vkp_status evaluate_on(const vkp_buffer *rgb, vkp_arena *arena)
{
    vkp_evaluation *e;
    const vkp_rect valid[2] = {{0, 0, SIDE, SIDE}, {0, 0, SIDE, SIDE}};
    double got[2];
    VKP_TRY(make_evaluation(2, rgb, arena, &e));
    const vkp_status status = vkp_evaluation_run(e, valid, NULL, got, NULL, NULL);
    vkp_evaluation_destroy(e);
    if (status == VKP_OK && psnr == 0) psnr = got[0];
    if (status == VKP_OK) assert_true(got[0] == psnr);
    return status;
}

static vkp_status evaluate(void)
{
    const vkp_tensor layout = vkp_tensor_activation(0, (vkp_shape){2, 3, SIDE, SIDE});
    vkp_buffer rgb = {0};
    vkp_arena arena = {0};
    VKP_TRY(vkp_buffer_create(test_device, vkp_extent(&layout) * 4, VKP_MEMORY_HOST, "rgb", &rgb));
    for (uint64_t i = 0; i < vkp_extent(&layout); i++) ((float *)rgb.mapped)[i] = (float)(i % 97) / 97;
    const vkp_status status = evaluate_on(&rgb, &arena);
    vkp_arena_destroy(test_device, &arena);
    vkp_buffer_destroy(test_device, &rgb);
    return status;
}

/* Half-rate D, so that gradients are cleared and a step differs from the next. */
static uint32_t train_batch = 1;
static vkp_status train_to(const char *run)
{
    char config_yml[64];
    vkp_config c;
    VKP_TRY(vkp_config_preset(&c, "train02"));
    c.size = SIDE;
    c.batch = train_batch;
    c.epochs = 1;
    c.d_pools[0] = c.d_pools[1] = c.d_pools[2] = c.d_pools[3] = 2;
    snprintf(config_yml, sizeof config_yml, "%s/config.yml", run);
    const vkp_train_options options = {.data = "photos",
                                       .out = run,
                                       .augment = true,
                                       .shuffle = true,
                                       .threads = 1,
                                       .resume = vkp_file_exists(config_yml)};
    return vkp_train(test_device, &c, &options);
}

static vkp_status train(void) { return train_to("run"); }

static void assert_same_file(const char *a, const char *b)
{
    blob x = blob_read(a), y = blob_read(b);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.bytes, y.bytes, x.size);
    blob_free(&x);
    blob_free(&y);
}

/* A run that failed goes on, if it got as far as to be one, else begins; it ends as the one without fault. */
static void check_run(void)
{
    assert_ok(train());
    assert_same_file("run/steps.csv", "whole/steps.csv");
    static const char *const files[] = {"generator", "discriminator", "optimizer"};
    for (int i = 0; i < 3; i++) {
        char a[96], b[96];
        snprintf(a, sizeof a, "run/checkpoints/last/%s.safetensors", files[i]);
        snprintf(b, sizeof b, "whole/checkpoints/last/%s.safetensors", files[i]);
        assert_same_file(a, b);
    }
    assert_int_equal(scratch_remove("run"), 0);
}

static size_t count_files(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir)) count++;
    closedir(dir);
    return count - 2;
}

static void nothing_to_check(void) {}

/* Afterwards the same in good health gives what it should. */
static void check_color(void)
{
    assert_int_equal(count_files("out"), 0);
    assert_ok(color());
    blob again = blob_read(COLORED);
    assert_int_equal(again.size, colored.size);
    assert_memory_equal(again.bytes, colored.bytes, colored.size);
    blob_free(&again);
    assert_int_equal(remove(COLORED), 0);
}
static void check_nothing_written(void) { assert_int_equal(count_files("out"), 0); }
static void check_evaluation(void) { assert_ok(evaluate()); }

/* What is done while a call fails, and what is looked at then. */
typedef struct scenario {
    const char *name;
    vkp_status (*run)(void);
    void (*check)(void);
} scenario;

static const scenario opening = {"opening", open_only, nothing_to_check},
                      starting = {"starting to colour", open_and_color, check_nothing_written},
                      coloring = {"colouring", color, check_color},
                      evaluating = {"evaluating", evaluate, check_evaluation},
                      training = {"training", train, check_run};

static vkp_status status_of(size_t call, VkResult result)
{
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || call == faults_find("vkAllocateMemory"))
        return VKP_DEVICE_MEMORY;
    if (result == VK_ERROR_OUT_OF_HOST_MEMORY) return VKP_MEMORY;
    if (result == VK_ERROR_DEVICE_LOST || result == VK_TIMEOUT) return VKP_DEVICE_LOST;
    return result == VK_ERROR_INVALID_SHADER_NV ? VKP_SHADER : VKP_DEVICE;
}

/* Failing to keep the cache, or to wait before all is destroyed, leaves nothing to do and nobody to tell. */
static bool may_be_passed_over(size_t call)
{
    return call == faults_find("vkGetPipelineCacheData") || call == faults_find("vkDeviceWaitIdle");
}

/* "WHAT (WHY; WHAT TO DO)" about the call. */
static void check_error(const char *at, const char *says)
{
    const char *text = vkp_error(), *open = strstr(text, " (");
    if (!open || !strstr(open, "; ") || strchr(text, '\n') || text[strlen(text) - 1] != ')' ||
        !strstr(text, says))
        fail_msg("%s: the error says '%s'", at, text);
}

/* Runs the scenario with one fault; false when it did not get that far. */
static bool attempt(const scenario *s, size_t call, unsigned nth, VkResult result)
{
    char at[160];
    const faults_call *c = faults_call_at(call);
    snprintf(at, sizeof at, "%s, %s no. %u giving %d", s->name, c->name, nth, (int)result);
    const faults_tally before = faults_now();
    const unsigned mistakes = faults_mistakes();
    faults_arm(call, nth, result, result == VK_TIMEOUT);
    const vkp_status status = s->run(), wanted = status_of(call, result);
    const bool struck = faults_struck();
    const faults_tally after = faults_now();
    faults_disarm();
    if (after.objects != before.objects || after.bytes != before.bytes)
        fail_msg("%s: %lld objects and %lld bytes are left", at, (long long)(after.objects - before.objects),
                 (long long)(after.bytes - before.bytes));
    if (faults_mistakes() != mistakes) fail_msg("%s: a mistake, see above", at);
    if (!struck && status != VKP_OK) fail_msg("%s: not met, yet %s", at, vkp_error());
    if (struck && status != wanted && !(status == VKP_OK && may_be_passed_over(call)))
        fail_msg("%s: %s where %s is meant: %s", at, vkp_status_name(status), vkp_status_name(wanted),
                 vkp_error());
    if (status != VKP_OK) check_error(at, c->says);
    if (status != VKP_OK) s->check();
    return struck;
}

/* Under the validation layer, which takes its time, only the first occurrence of each. */
static void fail_first(const scenario *s, size_t call)
{
    const unsigned first = getenv("VKPIX_VALIDATE") ? 1 : FIRST;
    const faults_call *c = faults_call_at(call);
    for (int r = 0; r < FAULTS_RESULTS && c->results[r] != VK_SUCCESS; r++)
        for (unsigned nth = 1; nth <= first; nth++)
            if (!attempt(s, call, nth, c->results[r])) break;
}

static void opening_fails(void **state)
{
    (void)state;
    for (size_t call = 0; faults_call_at(call); call++) fail_first(&opening, call);
}

/* Of a device without pipelines: what makes them. */
static void starting_fails(void **state)
{
    (void)state;
    static const char *const names[] = {"vkCreateDescriptorSetLayout", "vkCreatePipelineLayout",
                                        "vkCreateShaderModule", "vkCreateComputePipelines"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) fail_first(&starting, faults_find(names[i]));
}

static int open_device(void **state)
{
    const int opened = open_test_device(state);
    if (opened) return opened;
    small_model_make(&generator);
    if (!vkp_file_exists("model.safetensors")) assert_ok(vkp_params_save(&generator, "model.safetensors"));
    return 0;
}

static int close_device(void **state)
{
    vkp_params_free(&generator);
    blob_free(&colored);
    const int closed = close_test_device(state);
    const faults_tally left = faults_now();
    if (left.objects || left.bytes) fprintf(stderr, "%llu objects left\n", (unsigned long long)left.objects);
    return closed || left.objects || left.bytes || faults_mistakes();
}

/* The run without a fault, and one that loses its device in its second step and goes on with another. */
static void another_device_goes_on(void **state)
{
    assert_ok(train_to("whole"));
    const size_t wait = faults_find("vkWaitForFences");
    faults_disarm();
    assert_ok(train());
    const unsigned waits = faults_made(wait);
    assert_int_equal(scratch_remove("run"), 0);
    faults_arm(wait, waits - 1, VK_ERROR_DEVICE_LOST, false);
    assert_int_equal(train(), VKP_DEVICE_LOST);
    check_error("training", "waiting for the device");
    assert_true(vkp_file_exists("run/config.yml"));
    assert_int_equal(close_device(state), 0);
    faults_disarm();
    assert_int_equal(open_device(state), 0);
    check_run();
}

static void coloring_fails(void **state)
{
    (void)state;
    assert_ok(color());
    colored = blob_read(COLORED);
    assert_int_equal(remove(COLORED), 0);
    for (size_t call = 0; faults_call_at(call); call++) fail_first(&coloring, call);
}

static void evaluating_fails(void **state)
{
    (void)state;
    assert_ok(evaluate());
    for (size_t call = 0; faults_call_at(call); call++) fail_first(&evaluating, call);
}

/* The first occurrence with one result, one in the middle with the next. */
static void training_fails(void **state)
{
    (void)state;
    unsigned counts[64];
    size_t call;
    faults_disarm();
    assert_ok(train());
    for (call = 0; faults_call_at(call); call++) counts[call] = faults_made(call);
    check_run();
    for (call = 0; faults_call_at(call); call++) {
        const faults_call *c = faults_call_at(call);
        if (!counts[call]) continue;
        attempt(&training, call, 1, c->results[0]);
        if (c->results[1] != VK_SUCCESS) attempt(&training, call, counts[call] * 2 / 3 + 1, c->results[1]);
    }
}

/* A timeout alone is no failure: the device may have much to do. */
static void one_timeout_is_waited_out(void **state)
{
    (void)state;
    faults_arm(faults_find("vkWaitForFences"), 1, VK_TIMEOUT, false);
    assert_ok(evaluate());
    assert_true(faults_struck());
    faults_disarm();
}

/* The plan knows of the memory that the device says it has, and then there is less. */
static void memory_for_a_smaller_batch(void **state)
{
    (void)state;
    faults_memory(0);
    assert_ok(train());
    assert_int_equal(scratch_remove("run"), 0);
    faults_memory(faults_memory_peak() + (1u << 20));
    const uint64_t before = faults_now().bytes;
    train_batch = 4;
    assert_int_equal(train(), VKP_DEVICE_MEMORY);
    train_batch = 1;
    assert_int_equal(faults_now().bytes, before);
    check_error("training", "try --set batch=1)");
    check_run();
    faults_memory(1);
    assert_int_equal(train(), VKP_DEVICE_MEMORY);
    check_error("training", "no device memory for parameters");
    assert_int_equal(scratch_remove("run"), 0);
    faults_memory(0);
}

static void memory_for_a_smaller_validation(void **state)
{
    (void)state;
    const vkp_tensor layout = vkp_tensor_activation(0, (vkp_shape){8, 3, SIDE, SIDE});
    vkp_buffer rgb = {0};
    vkp_arena arena = {0};
    vkp_evaluation *e;
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&layout) * 4, VKP_MEMORY_HOST, "rgb", &rgb));
    faults_memory(0);
    assert_ok(make_evaluation(2, &rgb, &arena, &e));
    vkp_evaluation_destroy(e);
    vkp_arena_destroy(test_device, &arena);
    faults_memory(faults_memory_peak() + (64u << 10));
    assert_int_equal(make_evaluation(8, &rgb, &arena, &e), VKP_DEVICE_MEMORY);
    check_error("validation", "try --set batch=2)");
    faults_memory(0);
    vkp_arena_destroy(test_device, &arena);
    vkp_buffer_destroy(test_device, &rgb);
}

/* Submissions of a moment and of any length: another number of them, and the same bits. */
static void budgets_change_nothing(void **state)
{
    (void)state;
    static const char *const budgets[] = {"0.01", "1", "inf"};
    unsigned submitted[2][3];
    const size_t submit = faults_find("vkQueueSubmit");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(setenv("VKPIX_BUDGET_MS", budgets[i], 1), 0);
        faults_disarm();
        assert_ok(train());
        submitted[0][i] = faults_made(submit);
        check_run();
        remove(COLORED);
        faults_disarm();
        check_color();
        submitted[1][i] = faults_made(submit);
    }
    unsetenv("VKPIX_BUDGET_MS");
    for (int k = 0; k < 2; k++)
        if (submitted[k][0] <= submitted[k][1] || submitted[k][1] < submitted[k][2])
            fail_msg("%u, %u and %u submissions", submitted[k][0], submitted[k][1], submitted[k][2]);
}

static int set_up(void **state)
{
    if (scratch_enter(state)) return -1;
    assert_ok(vkp_folder_make("photos"));
    assert_ok(vkp_folder_make("out"));
    for (int i = 1; i <= STEPS; i++) {
        char path[32];
        snprintf(path, sizeof path, "photos/%d.png", i);
        small_picture_write(path, SIDE + 7 * i, SIDE, i);
    }
    if (open_test_device(state)) return -1;
    small_model_write("model.safetensors");
    return close_test_device(state);
}

int main(void)
{
    const struct CMUnitTest without[] = {
        cmocka_unit_test(opening_fails),
        cmocka_unit_test(starting_fails),
    };
    const struct CMUnitTest with[] = {
        cmocka_unit_test(another_device_goes_on),
        cmocka_unit_test(coloring_fails),
        cmocka_unit_test(evaluating_fails),
        cmocka_unit_test(training_fails),
        cmocka_unit_test(one_timeout_is_waited_out),
        cmocka_unit_test(memory_for_a_smaller_batch),
        cmocka_unit_test(memory_for_a_smaller_validation),
        cmocka_unit_test(budgets_change_nothing),
    };
    const int failed = cmocka_run_group_tests(without, set_up, NULL);
    return failed + cmocka_run_group_tests(with, open_device, close_device) + (scratch_leave(NULL) ? 1 : 0);
}
