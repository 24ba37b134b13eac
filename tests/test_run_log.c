/* The records of a run: log.csv and steps.csv survive kills and resumes, and state.yml vouches for the files
 * of its checkpoint. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/file.h"
#include "nn/run_log.h"
#include "nn/run_state.h"
#include "scratch.h"

#define LOG_HEADER                                                                                        \
    "epoch,train_D_adv_loss,train_G_adv_loss,train_G_l1_loss,val_G_l1_loss,train_psnr,val_psnr,lr,seconds\n"
#define STEPS_HEADER "step,d_adv,g_adv,g_l1\n"

/* Without any flush to the disk, for the loops: vkp_file_write makes one, and file systems do when an old
 * file is cut to nothing. */
static void put_bytes(const char *path, const void *content, size_t bytes)
{
    remove(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *text) { put_bytes(path, text, strlen(text)); }

static void assert_content(const char *path, const char *expected)
{
    void *text;
    size_t bytes;
    assert_int_equal(vkp_file_read(path, 10000, &text, &bytes), VKP_OK);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_error_has(const char *part)
{
    if (!strstr(vkp_error(), part)) fail_msg("'%s' is not in '%s'", part, vkp_error());
}

static vkp_run_log *open_log(const char *run, int64_t last_epoch, int64_t last_step)
{
    vkp_run_log *log;
    assert_int_equal(vkp_run_log_open(run, last_epoch, last_step, &log), VKP_OK);
    return log;
}

static void rows_are_written_and_read(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("rows"), VKP_OK);
    vkp_run_log *log = open_log("rows", -1, -1);
    assert_content("rows/log.csv", LOG_HEADER);
    assert_content("rows/steps.csv", STEPS_HEADER);
    const double epoch[VKP_LOG_COLUMNS] = {1, 1.5, (double)0.1f, 3, NAN, 20.25, NAN, 1e-4, 7};
    const double step[VKP_STEPS_COLUMNS] = {1234567890123, (double)1.17549435e-38f, -2, INFINITY};
    assert_int_equal(vkp_run_log_add_epoch(log, epoch), VKP_OK);
    assert_int_equal(vkp_run_log_add_step(log, step), VKP_OK);
    assert_int_equal(vkp_run_log_add_step(log, step), VKP_OK);
    assert_int_equal(vkp_run_log_sync(log), VKP_OK);
    vkp_run_log_close(log);
    vkp_run_log_close(NULL);
    assert_content("rows/log.csv", LOG_HEADER "1,1.5,0.100000001,3,,20.25,,0.0001,7\n");
    assert_content("rows/steps.csv", STEPS_HEADER "1234567890123,1.17549435e-38,-2,inf\n"
                                                  "1234567890123,1.17549435e-38,-2,inf\n");
    vkp_run_table table;
    assert_int_equal(vkp_run_log_read_epochs("rows", &table), VKP_OK);
    assert_int_equal(table.rows, 1);
    assert_int_equal(table.columns, VKP_LOG_COLUMNS);
    assert_true(isnan(table.values[VKP_LOG_val_G_l1_loss]) && isnan(table.values[VKP_LOG_val_psnr]));
    assert_true((float)table.values[VKP_LOG_train_G_adv_loss] == 0.1f && table.values[VKP_LOG_seconds] == 7);
    vkp_run_table_free(&table);
    assert_int_equal(vkp_run_log_read_steps("rows", &table), VKP_OK);
    assert_int_equal(table.rows, 2);
    assert_true((float)table.values[VKP_STEPS_d_adv * 2 + 1] == 1.17549435e-38f);
    assert_true(table.values[VKP_STEPS_g_l1 * 2] == INFINITY);
    vkp_run_table_free(&table);
}

static void a_resume_drops_what_came_later(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("resume"), VKP_OK);
    put("resume/log.csv", LOG_HEADER "1,,,,,,,,\n2,,,,,,,,\n3,,,,,,,,\n4,1,");
    put("resume/steps.csv", STEPS_HEADER "8,1,2,3\n9,1,2,3\n10,1,2,3\n11,1,2,3\n");
    vkp_run_log_close(open_log("resume", 2, 10));
    assert_content("resume/log.csv", LOG_HEADER "1,,,,,,,,\n2,,,,,,,,\n");
    assert_content("resume/steps.csv", STEPS_HEADER "8,1,2,3\n9,1,2,3\n10,1,2,3\n");
    vkp_run_log *log = open_log("resume", 2, 10);
    const double step[VKP_STEPS_COLUMNS] = {11, 4, 5, 6};
    assert_int_equal(vkp_run_log_add_step(log, step), VKP_OK);
    vkp_run_log_close(log);
    assert_content("resume/steps.csv", STEPS_HEADER "8,1,2,3\n9,1,2,3\n10,1,2,3\n11,4,5,6\n");
    vkp_run_log_close(open_log("resume", -1, -1));
    assert_content("resume/log.csv", LOG_HEADER);
    assert_content("resume/steps.csv", STEPS_HEADER);
}

/* Cut anywhere, as a power failure might, the file gives its whole rows and can be continued. */
static void every_torn_end_is_tolerated(void **state)
{
    (void)state;
    static const char text[] = STEPS_HEADER "1,0.5,2,3\n2,1,,3\n";
    static const char *const kept[] = {STEPS_HEADER, STEPS_HEADER "1,0.5,2,3\n", text};
    assert_int_equal(vkp_folder_make("torn"), VKP_OK);
    for (size_t length = 0; length < sizeof text; length++) {
        const size_t rows = length == strlen(text) ? 2 : length >= strlen(kept[1]) ? 1 : 0;
        put_bytes("torn/steps.csv", text, length);
        vkp_run_table table;
        assert_int_equal(vkp_run_log_read_steps("torn", &table), VKP_OK);
        assert_int_equal(table.rows, rows);
        vkp_run_table_free(&table);
        vkp_run_log_close(open_log("torn", 99, 99));
        assert_content("torn/steps.csv", kept[rows]);
    }
}

static void foreign_content_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a,b\n1,2\n", "first line"},
        {"step,d_adv,g_adv,g_l1,more\n", "first line"},
        {STEPS_HEADER "1,2,3\n", "line 2 is not a row of 4 numbers"},
        {STEPS_HEADER "1,2,3,4\n1,2,3,4,5\n", "line 3 is not a row"},
        {STEPS_HEADER "1,2,3,x\n", "line 2"},
        {STEPS_HEADER "1,2,3,4 \n", "line 2"},
        {STEPS_HEADER ",2,3,4\n", "line 2"},
        {STEPS_HEADER "\n", "line 2"},
        {STEPS_HEADER "1,2,3,\n4,5,6,7,8\n", "line 3"},
    };
    vkp_run_log *log;
    vkp_run_table table;
    assert_int_equal(vkp_folder_make("foreign"), VKP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("foreign/steps.csv", cases[i][0]);
        assert_int_equal(vkp_run_log_read_steps("foreign", &table), VKP_FORMAT);
        assert_error_has(cases[i][1]);
        assert_null(table.values);
        assert_int_equal(vkp_run_log_open("foreign", 99, 99, &log), VKP_FORMAT);
        assert_null(log);
        assert_content("foreign/steps.csv", cases[i][0]);
    }
    static const char zeros[] = STEPS_HEADER "1,2\0,3,4\n";
    put_bytes("foreign/steps.csv", zeros, sizeof zeros - 1);
    assert_int_equal(vkp_run_log_read_steps("foreign", &table), VKP_FORMAT);
    assert_int_equal(vkp_run_log_read_steps("absent", &table), VKP_IO);
    assert_int_equal(vkp_run_log_open("absent", -1, -1, &log), VKP_IO);
}

/* A limit of file size stands for the full disk, as in test_file.c. */
static void a_row_that_does_not_fit_is_taken_back(void **state)
{
    (void)state;
    assert_int_equal(vkp_folder_make("full"), VKP_OK);
    vkp_run_log *log = open_log("full", -1, -1);
    const double step[VKP_STEPS_COLUMNS] = {1, 2, 3, 4};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = strlen(STEPS_HEADER) + 11, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    vkp_status first = vkp_run_log_add_step(log, step), second = vkp_run_log_add_step(log, step);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(first, VKP_OK);
    assert_int_equal(second, VKP_IO);
    assert_error_has("cannot write full/steps.csv (");
    vkp_run_log_close(log);
    assert_content("full/steps.csv", STEPS_HEADER "1,2,3,4\n");
}

static const vkp_run_state sample = {
    .version = "0.1.0-5-gabc",
    .epoch = 12,
    .epoch_steps = 3,
    .step = 1234567890123,
    .seed = UINT32_MAX,
    .d_batches = 1,
    .g_adam_steps = 9000000000,
    .d_adam_steps = 4500000000,
    .best_epoch = 7,
    .best_val_psnr = 22.1 / 3,
    .seconds = 1e7 / 3,
    .epoch_sums = {0.1, -0.2, 1e-300, 4},
};

static void make_checkpoint(const char *path, const vkp_run_state *run)
{
    static const char *const names[] = {"generator", "discriminator", "optimizer"};
    assert_int_equal(vkp_folder_make(path), VKP_OK);
    for (size_t i = 0; i < 3; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s/%s.safetensors", path, names[i]);
        put(file, names[i]);
    }
    assert_int_equal(vkp_run_state_write(path, run), VKP_OK);
}

static void a_state_comes_back(void **state)
{
    (void)state;
    vkp_run_state read;
    make_checkpoint("state", &sample);
    assert_int_equal(vkp_run_state_read("state", &read), VKP_OK);
    assert_string_equal(read.version, sample.version);
    assert_true(read.epoch == sample.epoch && read.epoch_steps == sample.epoch_steps);
    assert_true(read.step == sample.step);
    assert_true(read.seed == sample.seed && read.d_batches == 1 && read.best_epoch == 7);
    assert_true(read.g_adam_steps == sample.g_adam_steps && read.d_adam_steps == sample.d_adam_steps);
    assert_true(read.best_val_psnr == sample.best_val_psnr && read.seconds == sample.seconds);
    assert_memory_equal(read.epoch_sums, sample.epoch_sums, sizeof sample.epoch_sums);
    vkp_run_state none = sample;
    none.best_epoch = 0;
    none.best_val_psnr = NAN;
    make_checkpoint("state", &none);
    assert_int_equal(vkp_run_state_read("state", &read), VKP_OK);
    assert_true(isnan(read.best_val_psnr) && read.best_epoch == 0);
}

static void a_changed_file_is_noticed(void **state)
{
    (void)state;
    vkp_run_state read;
    make_checkpoint("changed", &sample);
    put("changed/optimizer.safetensors", "optimizeR");
    assert_int_equal(vkp_run_state_read("changed", &read), VKP_FORMAT);
    assert_string_equal(vkp_error(), "cannot use changed/optimizer.safetensors (it is damaged: not the file "
                                     "that state.yml was written with; use another checkpoint)");
    put("changed/optimizer.safetensors", "optimize");
    assert_int_equal(vkp_run_state_read("changed", &read), VKP_FORMAT);
    assert_string_equal(vkp_error(), "cannot use changed/optimizer.safetensors (it has 8 bytes, not the 9 it "
                                     "was written with; use another checkpoint)");
    put("changed/optimizer.safetensors", "optimizer");
    assert_int_equal(unlink("changed/generator.safetensors"), 0);
    assert_int_equal(vkp_run_state_read("changed", &read), VKP_IO);
    assert_int_equal(vkp_run_state_write("changed", &sample), VKP_IO);
    assert_int_equal(unlink("changed/state.yml"), 0);
    assert_int_equal(vkp_run_state_read("changed", &read), VKP_IO);
}

/* state.yml of format 1, which has no checksum of its own, with its first `from` replaced by `to`. */
static void edit_state(const char *from, const char *to)
{
    void *text;
    size_t bytes;
    char edited[2000];
    make_checkpoint("edited", &sample);
    assert_int_equal(vkp_file_read("edited/state.yml", 2000, &text, &bytes), VKP_OK);
    *strstr(text, "generator_bytes") = 0;
    memcpy(text, "format: 1", 9);
    char *at = strstr(text, from);
    if (!at) fail_msg("'%s' is not in %s", from, (char *)text);
    const int before = (int)(at - (char *)text);
    snprintf(edited, sizeof edited, "%.*s%s%s", before, (char *)text, to, at + strlen(from));
    put("edited/state.yml", edited);
    free(text);
}

static void a_damaged_state_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\nstep: 1234567890123", "", "Missing required mapping field: step"},
        {"\nstep:", "\nsteps:", "Unexpected key: steps"},
        {"step: 1234567890123", "step: -1", "step"},
        {"step: 1234567890123", "step: many", "step"},
        {"seed: 4294967295", "seed: 4294967296", "seed"},
        {"format: 1", "format: 2", "does not fit its checksum"},
        {"format: 1", "format: 0", "does not fit its checksum"},
        {"format: 1", "formal: 1", "does not fit its checksum"},
        {"best_val_psnr: 7", "best_val_psnr: x", "best_val_psnr"},
        {"\nseconds: 3", "\nseconds: -3", "seconds"},
        {"\nseconds: 3", "\nseconds: nan #", "seconds"},
        {"sum_psnr: 4", "sum_psnr: inf", "sum_psnr"},
    };
    vkp_run_state read;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edit_state(cases[i][0], cases[i][1]);
        assert_int_equal(vkp_run_state_read("edited", &read), VKP_FORMAT);
        assert_error_has(cases[i][2]);
        assert_error_has("edited/state.yml");
    }
    put("edited/state.yml", "");
    assert_int_equal(vkp_run_state_read("edited", &read), VKP_FORMAT);
}

static void every_cut_of_a_state_is_refused(void **state)
{
    (void)state;
    vkp_run_state read;
    void *text;
    size_t bytes;
    make_checkpoint("cut", &sample);
    assert_int_equal(vkp_file_read("cut/state.yml", 2000, &text, &bytes), VKP_OK);
    for (size_t length = 0; length < bytes; length++) {
        put_bytes("cut/state.yml", text, length);
        assert_int_equal(vkp_run_state_read("cut", &read), VKP_FORMAT);
    }
    free(text);
}

static void every_changed_bit_of_a_state_is_refused(void **state)
{
    (void)state;
    vkp_run_state read;
    void *text;
    size_t bytes;
    make_checkpoint("flipped", &sample);
    assert_int_equal(vkp_file_read("flipped/state.yml", 2000, &text, &bytes), VKP_OK);
    for (size_t i = 0; i < 8 * bytes; i++) {
        char *at = (char *)text + i / 8;
        *at = (char)(*at ^ 1 << i % 8);
        put_bytes("flipped/state.yml", text, bytes);
        assert_int_equal(vkp_run_state_read("flipped", &read), VKP_FORMAT);
        *at = (char)(*at ^ 1 << i % 8);
    }
    free(text);
}

/* Whole, as its checksum says, but with what only a later vkpix understands: refused as such. */
static void a_later_format_is_refused(void **state)
{
    (void)state;
    static const char text[] = "format: 3\nnews: [1, 2]\n";
    char later[200];
    vkp_run_state read;
    make_checkpoint("later", &sample);
    snprintf(later, sizeof later, "%sstate_xxh3_64: %016llx\n", text,
             (unsigned long long)XXH3_64bits(text, strlen(text)));
    put("later/state.yml", later);
    assert_int_equal(vkp_run_state_read("later", &read), VKP_INPUT);
    assert_error_has("cannot use later/state.yml (its format is 3, this vkpix knows 1 to 2; use the vkpix");
    later[strlen(text) - 3] = '3';
    put("later/state.yml", later);
    assert_int_equal(vkp_run_state_read("later", &read), VKP_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_written_and_read),
        cmocka_unit_test(a_resume_drops_what_came_later),
        cmocka_unit_test(every_torn_end_is_tolerated),
        cmocka_unit_test(foreign_content_is_refused),
        cmocka_unit_test(a_row_that_does_not_fit_is_taken_back),
        cmocka_unit_test(a_state_comes_back),
        cmocka_unit_test(a_changed_file_is_noticed),
        cmocka_unit_test(a_damaged_state_is_refused),
        cmocka_unit_test(every_cut_of_a_state_is_refused),
        cmocka_unit_test(every_changed_bit_of_a_state_is_refused),
        cmocka_unit_test(a_later_format_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
