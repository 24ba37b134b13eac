/* Settings: the bytes as a YAML file, and line by line as what follows --set. Whatever is accepted is told
 * again in words that are accepted and mean the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "nn/config.h"

static void tell_again(const vkp_config *config)
{
    vkp_config again;
    char value[128], range[128], other[128], assignment[256];
    fuzz_check(vkp_config_preset(&again, NULL) == VKP_OK);
    for (size_t i = 0; i < vkp_config_key_count(); i++) {
        vkp_config_key_value(config, i, value, sizeof value);
        snprintf(assignment, sizeof assignment, "%s=%s", vkp_config_key_name(i), value);
        fuzz_check(vkp_config_set(&again, assignment) == VKP_OK);
        fuzz_check(strcmp(vkp_config_key_value(&again, i, other, sizeof other), value) == 0);
        fuzz_check(*vkp_config_key_range(i, range, sizeof range));
    }
    fuzz_check(vkp_config_diff(config, &again, other, sizeof other) == 0);
    const vkp_status status = vkp_config_check(config);
    if (status != VKP_OK) fuzz_check_error(status);
    else fuzz_check(vkp_config_work_size(config) % vkp_config_granularity(config) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vkp_config config, before;
    fuzz_check(vkp_config_preset(&config, NULL) == VKP_OK);
    before = config;
    const vkp_status status = vkp_config_load(&config, fuzz_write("config.yml", data, size));
    if (status == VKP_OK) {
        tell_again(&config);
    } else {
        fuzz_check_error(status);
        fuzz_check(memcmp(&config, &before, sizeof config) == 0);
    }
    char *text = malloc(size + 1);
    fuzz_check(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const vkp_status set = vkp_config_set(&config, line);
        if (set != VKP_OK) fuzz_check_error(set);
    }
    tell_again(&config);
    free(text);
    return 0;
}
