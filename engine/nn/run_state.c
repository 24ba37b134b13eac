/* state.yml through libcyaml. Integers are libcyaml's; real numbers pass as text, because libcyaml writes
 * them with six digits, and a resumed run must continue bit for bit. */
#include "nn/run_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/yaml.h"
#include "nn/safetensors.h"

enum { FORMAT = 1, CHECKSUM_TEXT = 17, REAL_TEXT = 32, FILES = 3 };

static const char *const files[FILES] = {"generator", "discriminator", "optimizer"};
static const char none_text[] = "none";

typedef struct real {
    char text[REAL_TEXT];
} real;

typedef struct yaml_state {
    uint32_t format;
    vkp_run_state state; /* its integers and its version */
    real best_val_psnr, seconds, sums[VKP_SUM_COUNT];
    char checksums[FILES][CHECKSUM_TEXT];
} yaml_state;

#define FIELD_REAL(name, member) CYAML_FIELD_STRING(name, CYAML_FLAG_DEFAULT, yaml_state, member.text, 1)
#define FIELD_WHOLE(name) CYAML_FIELD_UINT(#name, CYAML_FLAG_DEFAULT, yaml_state, state.name)
#define FIELD_CHECKSUM(name, i)                                                                           \
    CYAML_FIELD_STRING(name, CYAML_FLAG_DEFAULT, yaml_state, checksums[i], CHECKSUM_TEXT - 1)

static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_UINT("format", CYAML_FLAG_DEFAULT, yaml_state, format),
    CYAML_FIELD_STRING("version", CYAML_FLAG_DEFAULT, yaml_state, state.version, 1),
    FIELD_WHOLE(epoch),
    FIELD_WHOLE(epoch_steps),
    FIELD_WHOLE(step),
    FIELD_WHOLE(seed),
    FIELD_WHOLE(d_batches),
    FIELD_WHOLE(g_adam_steps),
    FIELD_WHOLE(d_adam_steps),
    FIELD_WHOLE(best_epoch),
    FIELD_REAL("best_val_psnr", best_val_psnr),
    FIELD_REAL("seconds", seconds),
    FIELD_REAL("sum_d_adv", sums[VKP_SUM_D_ADV]),
    FIELD_REAL("sum_g_adv", sums[VKP_SUM_G_ADV]),
    FIELD_REAL("sum_g_l1", sums[VKP_SUM_G_L1]),
    FIELD_REAL("sum_psnr", sums[VKP_SUM_PSNR]),
    FIELD_CHECKSUM("generator_xxh3_64", 0),
    FIELD_CHECKSUM("discriminator_xxh3_64", 1),
    FIELD_CHECKSUM("optimizer_xxh3_64", 2),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, yaml_state, fields)};

static const char remedy[] = "use another checkpoint";

/* The path of a checkpoint's file, malloc'd. */
static vkp_status file_path(const char *folder, const char *name, const char *ending, char **path)
{
    char base[64];
    snprintf(base, sizeof base, "%s%s", name, ending);
    return vkp_path_join(folder, base, path);
}

static vkp_status sum_file(const char *path, char text[CHECKSUM_TEXT])
{
    void *data;
    size_t bytes;
    VKP_TRY(vkp_file_read(path, VKP_SAFETENSORS_MAX_BYTES, &data, &bytes));
    snprintf(text, CHECKSUM_TEXT, "%016" PRIx64, (uint64_t)XXH3_64bits(data, bytes));
    free(data);
    return VKP_OK;
}

static vkp_status sum_files(const char *folder, char checksums[FILES][CHECKSUM_TEXT])
{
    for (int i = 0; i < FILES; i++) {
        char *path;
        VKP_TRY(file_path(folder, files[i], ".safetensors", &path));
        vkp_status status = sum_file(path, checksums[i]);
        free(path);
        if (status != VKP_OK) return status;
    }
    return VKP_OK;
}

/* 17 digits give every double back exactly. */
static void put_real(real *into, double value) { snprintf(into->text, REAL_TEXT, "%.17g", value); }

static vkp_status get_real(const char *path, const char *name, const real *from, double *value)
{
    char *end;
    *value = strtod(from->text, &end);
    if (end != from->text && !*end && isfinite(*value)) return VKP_OK;
    return vkp_fail(VKP_FORMAT, "cannot use %s (%s is not a finite number; %s)", path, name, remedy);
}

static bool all_finite(const vkp_run_state *state)
{
    bool finite = isfinite(state->seconds) && (state->best_epoch == 0 || isfinite(state->best_val_psnr));
    for (int i = 0; i < VKP_SUM_COUNT; i++) finite = finite && isfinite(state->epoch_sums[i]);
    return finite;
}

vkp_status vkp_run_state_write(const char *folder, const vkp_run_state *state)
{
    if (!all_finite(state)) {
        return vkp_fail(VKP_INTERNAL, "cannot write a checkpoint to %s (a figure is not finite; report it)",
                        folder);
    }
    yaml_state saved = {.format = FORMAT, .state = *state};
    put_real(&saved.seconds, state->seconds);
    if (state->best_epoch) put_real(&saved.best_val_psnr, state->best_val_psnr);
    else snprintf(saved.best_val_psnr.text, REAL_TEXT, "%s", none_text);
    for (int i = 0; i < VKP_SUM_COUNT; i++) put_real(&saved.sums[i], state->epoch_sums[i]);
    VKP_TRY(sum_files(folder, saved.checksums));
    char *path;
    VKP_TRY(file_path(folder, "state", ".yml", &path));
    vkp_status status = vkp_yaml_save(path, &schema, &saved);
    free(path);
    return status;
}

static vkp_status get_reals(const char *path, const yaml_state *loaded, vkp_run_state *state)
{
    static const char *const names[VKP_SUM_COUNT] = {"sum_d_adv", "sum_g_adv", "sum_g_l1", "sum_psnr"};
    VKP_TRY(get_real(path, "seconds", &loaded->seconds, &state->seconds));
    if (strcmp(loaded->best_val_psnr.text, none_text) == 0) state->best_val_psnr = NAN;
    else VKP_TRY(get_real(path, "best_val_psnr", &loaded->best_val_psnr, &state->best_val_psnr));
    for (int i = 0; i < VKP_SUM_COUNT; i++) {
        VKP_TRY(get_real(path, names[i], &loaded->sums[i], &state->epoch_sums[i]));
    }
    return VKP_OK;
}

/* What the schema cannot say. */
static vkp_status check_state(const char *path, const vkp_run_state *state)
{
    /* libcyaml takes "-1" for the largest integer; no run is that long. */
    const uint64_t limit = UINT64_C(1) << 53;
    const struct {
        const char *name;
        bool wrong;
    } checks[] = {
        {"step", state->step > limit},
        {"g_adam_steps", state->g_adam_steps > state->step},
        {"d_adam_steps", state->d_adam_steps > state->step},
        {"epoch_steps", state->epoch_steps > state->step},
        {"d_batches", state->d_batches > state->epoch_steps},
        {"best_epoch", state->best_epoch > state->epoch},
        {"best_val_psnr", (state->best_epoch == 0) != (bool)isnan(state->best_val_psnr)},
        {"seconds", state->seconds < 0},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (!checks[i].wrong) continue;
        return vkp_fail(VKP_FORMAT, "cannot use %s (%s does not fit the rest; %s)", path, checks[i].name,
                        remedy);
    }
    return VKP_OK;
}

static vkp_status check_files(const char *folder, const yaml_state *loaded)
{
    char found[FILES][CHECKSUM_TEXT];
    VKP_TRY(sum_files(folder, found));
    for (int i = 0; i < FILES; i++) {
        if (strcmp(found[i], loaded->checksums[i]) == 0) continue;
        return vkp_fail(VKP_FORMAT,
                        "cannot use %s/%s.safetensors (it is not the file that state.yml was written with; "
                        "%s)",
                        folder, files[i], remedy);
    }
    return VKP_OK;
}

static vkp_status take_state(const char *folder, const char *path, const yaml_state *loaded,
                             vkp_run_state *state)
{
    if (!loaded) return vkp_fail(VKP_FORMAT, "cannot use %s (it is empty; %s)", path, remedy);
    if (loaded->format != FORMAT) {
        return vkp_fail(VKP_FORMAT,
                        "cannot use %s (its format is %u, this vkpix knows %d; use the vkpix that wrote it)",
                        path, (unsigned)loaded->format, FORMAT);
    }
    *state = loaded->state;
    VKP_TRY(get_reals(path, loaded, state));
    VKP_TRY(check_state(path, state));
    return check_files(folder, loaded);
}

vkp_status vkp_run_state_read(const char *folder, vkp_run_state *state)
{
    char *path;
    void *loaded;
    VKP_TRY(file_path(folder, "state", ".yml", &path));
    vkp_status status = vkp_yaml_load(path, &schema, VKP_FORMAT, remedy, &loaded);
    if (status == VKP_OK) {
        status = take_state(folder, path, loaded, state);
        vkp_yaml_free(&schema, loaded);
    }
    free(path);
    return status;
}
