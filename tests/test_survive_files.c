/* What a run finds on its disk: checkpoints of older formats, damaged ones, another process's lock; and what
 * it refuses to leave there, numbers that are not finite. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/file.h"
#include "base/random.h"
#include "blob.h"
#include "device_fixture.h"
#include "nn/checkpoint.h"
#include "nn/run_lock.h"
#include "nn/trainer.h"
#include "same_run.h"
#include "scratch.h"
#include "small_picture.h"

/* data/old_run is a run of vkpix 0.1.0, stopped after the first of two steps of its first epoch: state1.yml
 * as it was, state2.yml with what format 2 added. Of the tensors, which would be 33 MB, the files' headers
 * are kept, and checksums fitted to data that follows a rule: what is I64 is 4, and float k of the data is
 * old_value(k). It stays as it is for ever; a new format gets a state file of its own. state_later.yml stands
 * for one that is not known yet. */
#define OLD_RUN VKP_TEST_SOURCE_DIR "/data/old_run/"
static const char *const networks[] = {"generator", "discriminator", "optimizer"};
enum { NETWORKS = 3, FORMATS = 2 };

static float old_value(uint32_t k) { return 0.01f + (float)(k * 2654435761u >> 16) * 0x1p-22f; }

static void copy_file(const char *from, const char *to)
{
    blob b = blob_read(from);
    blob_write(&b, to);
    blob_free(&b);
}

/* Where the data ends, and how much of it is I64, which goes first. */
static void read_header(const blob *header, size_t *bytes, size_t *whole_numbers)
{
    cJSON *json = cJSON_ParseWithLength((const char *)header->bytes + 8, header->size - 8);
    assert_non_null(json);
    *bytes = *whole_numbers = 0;
    for (const cJSON *t = json->child; t; t = t->next) {
        const cJSON *offsets = cJSON_GetObjectItem(t, "data_offsets");
        if (!offsets) continue;
        const size_t end = (size_t)offsets->child->next->valuedouble;
        if (end > *bytes) *bytes = end;
        *whole_numbers += strcmp(cJSON_GetObjectItem(t, "dtype")->valuestring, "I64") == 0;
    }
    cJSON_Delete(json);
}

static void make_old_tensors(const char *header_path, const char *path)
{
    blob file = blob_read(header_path);
    size_t bytes, whole_numbers;
    read_header(&file, &bytes, &whole_numbers);
    const int64_t four = 4;
    for (size_t i = 0; i < whole_numbers; i++) blob_add(&file, &four, sizeof four);
    const size_t floats = bytes / 4 - 2 * whole_numbers;
    float *values = malloc(floats * sizeof *values);
    assert_non_null(values);
    for (size_t k = 0; k < floats; k++) values[k] = old_value((uint32_t)k);
    blob_add(&file, values, floats * sizeof *values);
    free(values);
    blob_write(&file, path);
    blob_free(&file);
}

static void make_old_run(const char *run, int format)
{
    static const char *const files[] = {"config.yml", "split.yml", "log.csv", "steps.csv"};
    char from[512], to[512];
    snprintf(to, sizeof to, "%s/checkpoints/step_00000001", run);
    assert_ok(vkp_folder_make(to));
    for (int i = 0; i < 4; i++) {
        snprintf(from, sizeof from, OLD_RUN "%s", files[i]);
        snprintf(to, sizeof to, "%s/%s", run, files[i]);
        copy_file(from, to);
    }
    for (int i = 0; i < NETWORKS; i++) {
        snprintf(from, sizeof from, OLD_RUN "%s.header", networks[i]);
        snprintf(to, sizeof to, "%s/checkpoints/step_00000001/%s.safetensors", run, networks[i]);
        make_old_tensors(from, to);
    }
    snprintf(from, sizeof from, OLD_RUN "state%d.yml", format);
    snprintf(to, sizeof to, "%s/checkpoints/step_00000001/state.yml", run);
    copy_file(from, to);
    snprintf(to, sizeof to, "%s/checkpoints/last", run);
    assert_int_equal(symlink("step_00000001", to), 0);
}

static vkp_config old_config(const char *run)
{
    char path[512];
    vkp_config config;
    snprintf(path, sizeof path, "%s/config.yml", run);
    assert_ok(vkp_config_preset(&config, NULL));
    assert_ok(vkp_config_load(&config, path));
    config.checkpoint_every = 1; /* keeps all */
    return config;
}

/* The first tensor of each network, and Adam's state of it. */
static void expect_old_values(const char *run)
{
    const vkp_config config = old_config(run);
    vkp_model model;
    vkp_run_state state;
    char *path;
    float values[8];
    assert_ok(vkp_checkpoint_newest(run, NULL, NULL, &path, &state));
    assert_true(state.step == 1 && state.epoch_steps == 1 && state.d_batches == 1 && state.d_adam_steps == 0);
    assert_ok(vkp_model_create(test_device, &config, 1, &model));
    assert_ok(vkp_checkpoint_load(path, &state, &model));
    free(path);
    const vkp_params *both[] = {&model.generator, &model.discriminator};
    for (int i = 0; i < 2; i++) {
        assert_ok(vkp_buffer_read(test_device, &both[i]->values, 0, values, sizeof values));
        for (uint32_t k = 0; k < 8; k++) assert_true(values[k] == old_value(k));
    }
    const uint64_t count = vkp_shape_count(model.generator.list[0].shape);
    assert_ok(vkp_buffer_read(test_device, &model.generator.moments, 0, values, sizeof values));
    for (uint32_t k = 0; k < 4; k++) {
        assert_true(values[2 * k] == old_value(k));
        assert_true(values[2 * k + 1] == old_value((uint32_t)count + k));
    }
    assert_int_equal(model.generator.batches_tracked, 4);
    vkp_model_free(&model);
}

static vkp_status go_on(const char *run, const vkp_config *config)
{
    const vkp_train_options options = {
        .data = "photos", .out = run, .resume = true, .augment = true, .shuffle = true, .threads = 1};
    return vkp_train(test_device, config, &options);
}

static void old_checkpoints_are_continued(void **state)
{
    (void)state;
    for (int format = 1; format <= FORMATS; format++) {
        char run[32], path[64];
        vkp_run_state last;
        snprintf(run, sizeof run, "format%d", format);
        make_old_run(run, format);
        expect_old_values(run);
        const vkp_config config = old_config(run);
        assert_ok(go_on(run, &config));
        snprintf(path, sizeof path, "%s/checkpoints/last", run);
        assert_ok(vkp_run_state_read(path, &last));
        assert_true(last.step == 4 && last.epoch == 2 && last.d_adam_steps == 2);
    }
    expect_same_run("format1", "format2");
}

static char warning[1000];

static void keep_warning(void *user, const char *text)
{
    (void)user;
    snprintf(warning, sizeof warning, "%s", text);
}

/* The newest checkpoint, epoch_002, has this file damaged: that is told, and epoch_001 is found. */
static void expect_older_found(const char *file)
{
    vkp_run_state found;
    char *path;
    *warning = 0;
    assert_ok(vkp_checkpoint_newest("format2", keep_warning, NULL, &path, &found));
    assert_string_equal(path, "format2/checkpoints/epoch_001");
    assert_int_equal(found.epoch, 1);
    if (!strstr(warning, file)) fail_msg("%s is not named: %s", file, warning);
    free(path);
}

static void expect_damage_seen(const char *file)
{
    vkp_run_state read;
    assert_int_equal(vkp_run_state_read("format2/checkpoints/last", &read), VKP_FORMAT);
    if (!strstr(vkp_error(), file)) fail_msg("%s is not named: %s", file, vkp_error());
}

static const char *const files[] = {"generator.safetensors", "discriminator.safetensors",
                                    "optimizer.safetensors", "state.yml"};
enum { FILES = 4, FLIPS = 200 };

static void every_cut_is_seen(void **state)
{
    (void)state;
    for (int i = 0; i < FILES; i++) {
        char path[128];
        snprintf(path, sizeof path, "format2/checkpoints/epoch_002/%s", files[i]);
        blob whole = blob_read(path);
        for (size_t length = (whole.size - 1) / 4096 * 4096;; length -= 4096) {
            assert_int_equal(truncate(path, (off_t)length), 0);
            expect_damage_seen(files[i]);
            if (!length) break;
        }
        expect_older_found(files[i]);
        blob_write(&whole, path);
        blob_free(&whole);
    }
}

static void every_changed_byte_is_seen(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < FLIPS; n++) {
        const char *file = files[n % FILES];
        char path[128];
        uint8_t byte;
        snprintf(path, sizeof path, "format2/checkpoints/epoch_002/%s", file);
        const int fd = open(path, O_RDWR);
        struct stat info;
        assert_true(fd >= 0 && fstat(fd, &info) == 0);
        const off_t at = (off_t)vkp_random_below(1, VKP_RANDOM_TEST, 2 * n, (uint32_t)info.st_size);
        const uint8_t change = (uint8_t)(1 + vkp_random_below(1, VKP_RANDOM_TEST, 2 * n + 1, 255));
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= change;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        expect_damage_seen(file);
        if (n < 2 * FILES) expect_older_found(file);
        byte ^= change;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    vkp_run_state read;
    assert_ok(vkp_run_state_read("format2/checkpoints/last", &read));
}

/* Older ones are there and whole, but going on from them would be another run. */
static void a_later_checkpoint_is_refused(void **state)
{
    (void)state;
    static const char path[] = "format2/checkpoints/epoch_002/state.yml";
    blob before = blob_read(path);
    copy_file(VKP_TEST_SOURCE_DIR "/data/old_run/state_later.yml", path);
    const vkp_config config = old_config("format2");
    assert_int_equal(go_on("format2", &config), VKP_INPUT);
    if (!strstr(vkp_error(), "its format is 3, this vkpix knows 1 to 2")) fail_msg("%s", vkp_error());
    blob_write(&before, path);
    blob_free(&before);
    assert_ok(go_on("format2", &config));
}

/* Another process trains there: refused, named. Killed, it is not in the way any more, whatever it left. */
static void one_process_at_a_time(void **state)
{
    (void)state;
    int ready[2], lock;
    char byte, pid[32];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        byte = vkp_run_lock_take("format1", &lock) == VKP_OK ? 'y' : 'n';
        if (write(ready[1], &byte, 1) == 1) pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    const vkp_config config = old_config("format1");
    assert_int_equal(go_on("format1", &config), VKP_INPUT);
    snprintf(pid, sizeof pid, "process %ld trains", (long)child);
    if (!strstr(vkp_error(), pid)) fail_msg("%s: %s", pid, vkp_error());
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(vkp_file_exists("format1/lock"));
    assert_ok(go_on("format1", &config));
    close(ready[0]);
    close(ready[1]);
}

/* --set lr=1000: the run ends, names step and tensor, and the last good checkpoint stays. */
static void a_run_that_blows_up_stops(void **state)
{
    (void)state;
    vkp_config config = old_config("format1");
    config.loss = VKP_CONFIG_LOSS_BCE;
    config.d_norm = VKP_CONFIG_NORM_BATCH;
    config.d_every = 1;
    config.epochs = 20;
    for (int i = 0; i < VKP_CONFIG_POOLS; i++) config.d_pools[i] = 1;
    assert_ok(vkp_config_set(&config, "lr=1000"));
    const vkp_train_options options = {
        .data = "photos", .out = "blown", .augment = true, .shuffle = true, .threads = 1};
    assert_int_equal(vkp_train(test_device, &config, &options), VKP_NOT_FINITE);
    print_message("%s\n", vkp_error());
    assert_int_equal(strncmp(vkp_error(), "step ", 5), 0);
    assert_true(strstr(vkp_error(), " of generator.") || strstr(vkp_error(), " of discriminator."));
    assert_non_null(strstr(vkp_error(), " is not finite ("));
    vkp_run_state found;
    vkp_model model;
    char *path, bad[VKP_PARAMS_FOUND];
    assert_ok(vkp_checkpoint_newest("blown", NULL, NULL, &path, &found));
    assert_ok(vkp_model_create(test_device, &config, 1, &model));
    assert_ok(vkp_checkpoint_load(path, &found, &model));
    assert_ok(vkp_params_find_not_finite(&model.generator, "G", bad));
    assert_string_equal(bad, "");
    assert_ok(vkp_params_find_not_finite(&model.discriminator, "D", bad));
    assert_string_equal(bad, "");
    vkp_model_free(&model);
    free(path);
}

/* What no step had to look at: D's gradients that wait for its next step. */
static void what_is_not_finite_is_not_kept(void **state)
{
    (void)state;
    const vkp_config config = old_config("format1");
    vkp_model model;
    vkp_run_state found;
    char *path, *again;
    assert_ok(vkp_model_create(test_device, &config, 1, &model));
    assert_ok(vkp_checkpoint_newest("format1", NULL, NULL, &path, &found));
    assert_ok(vkp_checkpoint_load(path, &found, &model));
    const float nan = NAN;
    const vkp_param *p = &model.discriminator.list[2];
    const vkp_buffer *grads = &model.discriminator.grads;
    assert_ok(vkp_buffer_write(test_device, grads, p->offset * sizeof nan, &nan, sizeof nan));
    found.epoch++;
    found.step++;
    assert_int_equal(vkp_checkpoint_write_last("format1", 1, &model, &found), VKP_NOT_FINITE);
    char want[128];
    snprintf(want, sizeof want, "the gradient of discriminator.%s is not finite", p->name);
    if (!strstr(vkp_error(), want)) fail_msg("%s", vkp_error());
    assert_ok(vkp_checkpoint_newest("format1", NULL, NULL, &again, &found));
    assert_string_equal(again, path);
    free(path);
    free(again);
    vkp_model_free(&model);
}

static int set_up(void **state)
{
    if (scratch_enter(state) || open_test_device(state) || vkp_folder_make("photos") != VKP_OK) return -1;
    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof path, "photos/%d.png", i);
        small_picture_write(path, 20 + 3 * i, 30 - 2 * i, i);
    }
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
        cmocka_unit_test(old_checkpoints_are_continued), cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(every_changed_byte_is_seen),    cmocka_unit_test(a_later_checkpoint_is_refused),
        cmocka_unit_test(one_process_at_a_time),         cmocka_unit_test(what_is_not_finite_is_not_kept),
        cmocka_unit_test(a_run_that_blows_up_stops),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
