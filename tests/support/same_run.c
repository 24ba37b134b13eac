#include "same_run.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "blob.h"
#include "nn/run_log.h"
#include "nn/run_state.h"

static void expect_same_file(const char *one, const char *other, const char *name)
{
    char a[256], b[256];
    snprintf(a, sizeof a, "%s/%s", one, name);
    snprintf(b, sizeof b, "%s/%s", other, name);
    blob x = blob_read(a), y = blob_read(b);
    if (x.size != y.size || memcmp(x.bytes, y.bytes, x.size) != 0) fail_msg("%s is not %s", b, a);
    blob_free(&x);
    blob_free(&y);
}

static void expect_same_log(const char *one, const char *other)
{
    vkp_run_table x, y;
    assert_int_equal(vkp_run_log_read_epochs(one, &x), VKP_OK);
    assert_int_equal(vkp_run_log_read_epochs(other, &y), VKP_OK);
    assert_int_equal(x.rows, y.rows);
    _Static_assert(VKP_LOG_seconds + 1 == VKP_LOG_COLUMNS, "the columns are one after the other");
    assert_memory_equal(x.values, y.values, x.rows * VKP_LOG_seconds * sizeof *x.values);
    vkp_run_table_free(&x);
    vkp_run_table_free(&y);
}

static void expect_same_state(const char *one, const char *other, const char *link)
{
    char path[256];
    vkp_run_state x, y;
    snprintf(path, sizeof path, "%s/checkpoints/%s", one, link);
    assert_int_equal(vkp_run_state_read(path, &x), VKP_OK);
    snprintf(path, sizeof path, "%s/checkpoints/%s", other, link);
    assert_int_equal(vkp_run_state_read(path, &y), VKP_OK);
    assert_true(x.epoch == y.epoch && x.epoch_steps == y.epoch_steps && x.step == y.step && x.seed == y.seed);
    assert_true(x.d_batches == y.d_batches && x.g_adam_steps == y.g_adam_steps);
    assert_true(x.d_adam_steps == y.d_adam_steps && x.best_epoch == y.best_epoch);
    assert_memory_equal(&x.best_val_psnr, &y.best_val_psnr, sizeof x.best_val_psnr);
    assert_memory_equal(x.epoch_sums, y.epoch_sums, sizeof x.epoch_sums);
}

/* Temporary files and half-made checkpoints that a kill left. */
static void expect_tidy(const char *run, const char *folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", run, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if (strstr(e->d_name, ".tmp") || strstr(e->d_name, ".old"))
            fail_msg("%s/%s is left", path, e->d_name);
    closedir(dir);
}

void expect_same_run(const char *one, const char *other)
{
    static const char *const networks[] = {"generator", "discriminator", "optimizer"};
    static const char *const links[] = {"last", "best"};
    static const char *const folders[] = {".", "checkpoints", "previews", "figures"};
    expect_same_file(one, other, "steps.csv");
    expect_same_file(one, other, "config.yml");
    expect_same_log(one, other);
    for (int link = 0; link < 2; link++) {
        char path[256];
        snprintf(path, sizeof path, "%s/checkpoints/%s", one, links[link]);
        if (!vkp_folder_exists(path)) continue; /* nothing validated, no best */
        expect_same_state(one, other, links[link]);
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "checkpoints/%s/%s.safetensors", links[link], networks[i]);
            expect_same_file(one, other, name);
        }
    }
    for (int i = 0; i < 4; i++) expect_tidy(other, folders[i]);
}
