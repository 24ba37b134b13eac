/* What a run leaves in its folder, as it is read for --resume: the first byte says which file the others
 * are. */
#include <stdlib.h>

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
    switch (*data % 4) {
    case 0: read_state(data + 1, size - 1); break;
    case 1: read_split(data + 1, size - 1); break;
    case 2: read_table("log.csv", vkp_run_log_read_epochs, data + 1, size - 1); break;
    default: read_table("steps.csv", vkp_run_log_read_steps, data + 1, size - 1); break;
    }
    return 0;
}
