/* state.yml through libcyaml. Integers are libcyaml's; real numbers pass as text, because libcyaml writes
 * them with six digits, and a resumed run must continue bit for bit. */
#include "nn/run_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/yaml.h"
#include "nn/safetensors.h"

enum { FORMAT = 2, CHECKSUM_TEXT = 17, REAL_TEXT = 32, FILES = 3, TEXT_LIMIT = 1 << 16 };

static const char *const files[FILES] = {"generator", "discriminator", "optimizer"};
static const char none_text[] = "none";

/* The last line, since format 2. */
#define OWN_CHECKSUM "state_xxh3_64: "
enum { OWN_LINE = sizeof OWN_CHECKSUM - 1 + CHECKSUM_TEXT }; /* with its line end, without a zero */

typedef struct real {
    char text[REAL_TEXT];
} real;

typedef struct yaml_state {
    uint32_t format;
    vkp_run_state state; /* its integers and its version */
    real best_val_psnr, seconds, sums[VKP_SUM_COUNT];
    char checksums[FILES][CHECKSUM_TEXT];
    uint64_t bytes[FILES]; /* since format 2 */
} yaml_state;

#define FIELD_REAL(name, member) CYAML_FIELD_STRING(name, CYAML_FLAG_DEFAULT, yaml_state, member.text, 1)
#define FIELD_WHOLE(name) CYAML_FIELD_UINT(#name, CYAML_FLAG_DEFAULT, yaml_state, state.name)
#define FIELD_CHECKSUM(name, i) \
    CYAML_FIELD_STRING(name, CYAML_FLAG_DEFAULT, yaml_state, checksums[i], CHECKSUM_TEXT - 1)
#define FIELD_BYTES(name, i) CYAML_FIELD_UINT(name, CYAML_FLAG_OPTIONAL, yaml_state, bytes[i])

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
    FIELD_BYTES("generator_bytes", 0),
    FIELD_BYTES("discriminator_bytes", 1),
    FIELD_BYTES("optimizer_bytes", 2),
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

static void sum(const void *data, size_t bytes, char text[CHECKSUM_TEXT])
{
    snprintf(text, CHECKSUM_TEXT, "%016" PRIx64, (uint64_t)XXH3_64bits(data, bytes));
}

static vkp_status sum_file(const char *path, char text[CHECKSUM_TEXT], uint64_t *bytes)
{
    void *data;
    size_t size;
    VKP_TRY(vkp_file_read(path, VKP_SAFETENSORS_MAX_BYTES, &data, &size));
    sum(data, size, text);
    *bytes = size;
    free(data);
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

/* The YAML text and the line that vouches for it. */
static vkp_status write_summed(const char *path, const yaml_state *saved)
{
    char *text, line[OWN_LINE + 1], checksum[CHECKSUM_TEXT];
    size_t bytes;
    VKP_TRY(vkp_yaml_print(path, &schema, saved, &text, &bytes));
    sum(text, bytes, checksum);
    snprintf(line, sizeof line, OWN_CHECKSUM "%s\n", checksum);
    vkp_file_writer *writer;
    vkp_status status = vkp_file_writer_open(path, &writer);
    if (status == VKP_OK) status = vkp_file_writer_write(writer, text, bytes);
    free(text);
    if (status == VKP_OK) status = vkp_file_writer_write(writer, line, OWN_LINE);
    if (status == VKP_OK) return vkp_file_writer_commit(writer);
    vkp_file_writer_abandon(writer);
    return status;
}

vkp_status vkp_run_state_write(const char *folder, const vkp_run_state *state)
{
    if (!all_finite(state)) {
        return vkp_fail(VKP_INTERNAL, "cannot write a checkpoint to %s (a figure is not finite; report it)",
                        folder);
    }
    yaml_state saved = {.format = FORMAT, .state = *state};
    put_real(&saved.seconds, state->seconds);
    if (state->best_epoch)
        put_real(&saved.best_val_psnr, state->best_val_psnr);
    else
        snprintf(saved.best_val_psnr.text, REAL_TEXT, "%s", none_text);
    for (int i = 0; i < VKP_SUM_COUNT; i++) put_real(&saved.sums[i], state->epoch_sums[i]);
    vkp_status status = VKP_OK;
    char *path;
    for (int i = 0; i < FILES && status == VKP_OK; i++) {
        VKP_TRY(file_path(folder, files[i], ".safetensors", &path));
        status = sum_file(path, saved.checksums[i], &saved.bytes[i]);
        free(path);
    }
    VKP_TRY(status);
    VKP_TRY(file_path(folder, "state", ".yml", &path));
    status = write_summed(path, &saved);
    free(path);
    return status;
}

static vkp_status get_reals(const char *path, const yaml_state *loaded, vkp_run_state *state)
{
    static const char *const names[VKP_SUM_COUNT] = {"sum_d_adv", "sum_g_adv", "sum_g_l1", "sum_psnr"};
    VKP_TRY(get_real(path, "seconds", &loaded->seconds, &state->seconds));
    if (strcmp(loaded->best_val_psnr.text, none_text) == 0)
        state->best_val_psnr = NAN;
    else
        VKP_TRY(get_real(path, "best_val_psnr", &loaded->best_val_psnr, &state->best_val_psnr));
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

static vkp_status check_length(const char *path, const yaml_state *loaded, int i)
{
    struct stat info;
    if (loaded->format == 1 || stat(path, &info) != 0) return VKP_OK;
    const uintmax_t bytes = (uintmax_t)info.st_size;
    if (bytes == loaded->bytes[i]) return VKP_OK;
    return vkp_fail(VKP_FORMAT,
                    "cannot use %s (it has %ju bytes, not the %" PRIu64 " it was written with; %s)", path,
                    bytes, loaded->bytes[i], remedy);
}

static vkp_status check_sum(const char *path, const yaml_state *loaded, int i)
{
    char found[CHECKSUM_TEXT];
    uint64_t bytes;
    VKP_TRY(sum_file(path, found, &bytes));
    if (strcmp(found, loaded->checksums[i]) == 0) return VKP_OK;
    return vkp_fail(VKP_FORMAT,
                    "cannot use %s (it is damaged: not the file that state.yml was written with; %s)", path,
                    remedy);
}

static vkp_status check_files(const char *folder, const yaml_state *loaded)
{
    /* All lengths first: a file that is cut short need not be read. */
    vkp_status (*const checks[])(const char *, const yaml_state *, int) = {check_length, check_sum};
    vkp_status status = VKP_OK;
    for (int i = 0; i < 2 * FILES && status == VKP_OK; i++) {
        char *path;
        VKP_TRY(file_path(folder, files[i % FILES], ".safetensors", &path));
        status = checks[i / FILES](path, loaded, i % FILES);
        free(path);
    }
    return status;
}

static vkp_status take_state(const char *folder, const char *path, const yaml_state *loaded,
                             vkp_run_state *state)
{
    if (!loaded) return vkp_fail(VKP_FORMAT, "cannot use %s (it is empty; %s)", path, remedy);
    *state = loaded->state;
    VKP_TRY(get_reals(path, loaded, state));
    VKP_TRY(check_state(path, state));
    return check_files(folder, loaded);
}

/* Whether the text ends in a line that vouches for what is before it; *bytes becomes the length of that. */
static bool ends_in_own_sum(const char *text, size_t *bytes)
{
    char line[OWN_LINE + 1], checksum[CHECKSUM_TEXT];
    if (*bytes < OWN_LINE) return false;
    sum(text, *bytes - OWN_LINE, checksum);
    snprintf(line, sizeof line, OWN_CHECKSUM "%s\n", checksum);
    if (memcmp(text + *bytes - OWN_LINE, line, OWN_LINE) != 0) return false;
    *bytes -= OWN_LINE;
    return true;
}

/* Before anything else is believed: format 1 alone does without its own checksum, and a later one may hold
 * what this schema does not know. */
static vkp_status check_text(const char *path, const char *text, size_t *bytes)
{
    unsigned format = 0;
    const bool known = sscanf(text, "format: %u", &format) == 1 && format > 0;
    const bool summed = ends_in_own_sum(text, bytes);
    if (!known || summed != (format > 1) || (format == 1 && strstr(text, OWN_CHECKSUM)))
        return vkp_fail(VKP_FORMAT, "cannot use %s (it is damaged: its text does not fit its checksum; %s)",
                        path, remedy);
    if (format <= FORMAT) return VKP_OK;
    return vkp_fail(
        VKP_INPUT,
        "cannot use %s (its format is %u, this vkpix knows 1 to %d; use the vkpix that wrote it, or a "
        "later one)",
        path, format, FORMAT);
}

static vkp_status read_text(const char *folder, const char *path, const char *text, size_t bytes,
                            vkp_run_state *state)
{
    void *loaded;
    VKP_TRY(check_text(path, text, &bytes));
    VKP_TRY(vkp_yaml_parse(path, text, bytes, &schema, VKP_FORMAT, remedy, &loaded));
    const vkp_status status = take_state(folder, path, loaded, state);
    vkp_yaml_free(&schema, loaded);
    return status;
}

vkp_status vkp_run_state_read(const char *folder, vkp_run_state *state)
{
    char *path;
    void *text;
    size_t bytes;
    VKP_TRY(file_path(folder, "state", ".yml", &path));
    vkp_status status = vkp_file_read(path, TEXT_LIMIT, &text, &bytes);
    if (status == VKP_INPUT) status = vkp_fail(VKP_FORMAT, "%s", vkp_error());
    if (status == VKP_OK) {
        status = read_text(folder, path, text, bytes, state);
        free(text);
    }
    free(path);
    return status;
}
