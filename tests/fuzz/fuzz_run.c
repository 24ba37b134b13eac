/* What a run leaves in its folder, as it is read for --resume: the first byte says which file the others
 * are. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "fuzz.h"
#include "nn/run_log.h"
#include "nn/run_split.h"
#include "nn/run_state.h"

static void write_weights(void)
{
    static const char *const names[] = {"generator.safetensors", "discriminator.safetensors",
                                        "optimizer.safetensors"};
    static int written;
    for (int i = 0; i < 3 && !written; i++) fuzz_write(names[i], "weights", 7);
    written = 1;
}

static void read_state(const uint8_t *data, size_t size)
{
    vkp_run_state state;
    write_weights();
    fuzz_write("state.yml", data, size);
    const vkp_status status = vkp_run_state_read(fuzz_folder(), &state);
    if (status != VKP_OK) fuzz_check_error(status);
    else fuzz_check(state.g_adam_steps <= state.step && state.best_epoch <= state.epoch);
}

/* The same with the last line that vouches for it. */
static void read_summed_state(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 64);
    fuzz_check(text != NULL);
    memcpy(text, data, size);
    const uint64_t sum = XXH3_64bits(data, size);
    const int line = snprintf(text + size, 64, "state_xxh3_64: %016" PRIx64 "\n", sum);
    read_state((uint8_t *)text, size + (size_t)line);
    free(text);
}

static void read_split(const uint8_t *data, size_t size)
{
    vkp_train_options options = {.data = "data", .out = fuzz_folder(), .shuffle = true};
    char *val;
    fuzz_write("split.yml", data, size);
    const vkp_status status = vkp_run_split_resume(&options, &val);
    if (status != VKP_OK) fuzz_check_error(status);
    fuzz_check(status == VKP_OK ? options.val == val : !val);
    free(val);
}

static void read_table(const char *name, vkp_status (*read)(const char *, vkp_run_table *),
                       const uint8_t *data, size_t size)
{
    vkp_run_table table;
    fuzz_write(name, data, size);
    const vkp_status status = read(fuzz_folder(), &table);
    double sum = 0;
    for (size_t i = 0; i < table.rows * table.columns; i++) sum += table.values[i] > 0;
    fuzz_check(sum >= 0);
    if (status != VKP_OK) {
        fuzz_check_error(status);
        fuzz_check(!table.values && !table.rows);
    }
    vkp_run_table_free(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    switch (*data % 5) {
    case 0: read_state(data + 1, size - 1); break;
    case 1: read_split(data + 1, size - 1); break;
    case 2: read_table("log.csv", vkp_run_log_read_epochs, data + 1, size - 1); break;
    case 3: read_table("steps.csv", vkp_run_log_read_steps, data + 1, size - 1); break;
    default: read_summed_state(data + 1, size - 1); break;
    }
    return 0;
}
