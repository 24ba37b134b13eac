#include "device_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/pipeline.h"

vkp_device *test_device;

int open_test_device(void **state)
{
    (void)state;
    if (vkp_device_open(NULL, &test_device) != VKP_OK) {
        fprintf(stderr, "no device to test on: %s\n", vkp_error());
        return -1;
    }
    const char *wanted = getenv("VKPIX_TEST_DEVICE");
    fprintf(stderr, "device: %s (%s)\n", test_device->info.name, test_device->info.driver);
    if (wanted && *wanted && !strstr(test_device->info.name, wanted)) {
        fprintf(stderr, "the device must be %s\n", wanted);
        return -1;
    }
    const char *validate = getenv("VKPIX_VALIDATE");
    if (validate && strcmp(validate, "1") == 0 && !test_device->debug_names) return -1;
    return 0;
}

/* The shaders that ran, one name a line, in the file that VKPIX_TEST_SHADERS names. */
static int report_shaders(void)
{
    const char *path = getenv("VKPIX_TEST_SHADERS");
    if (!path || !*path) return 0;
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    const vkp_pipeline *pipeline;
    for (size_t i = 0; (pipeline = vkp_pipeline_at(test_device, i)); i++)
        fprintf(file, "%s\n", vkp_shader_table[pipeline->key.shader].name);
    return fclose(file) == 0 ? 0 : -1;
}

int close_test_device(void **state)
{
    (void)state;
    const int reported = report_shaders();
    const uint64_t dispatches = test_device->dispatches;
    const uint64_t allocated = test_device->allocated;
    const unsigned messages = test_device->messages;
    vkp_device_close(test_device);
    fprintf(stderr, "dispatches: %" PRIu64 ", validation messages: %u, bytes left: %" PRIu64 "\n", dispatches,
            messages, allocated);
    return dispatches > 0 && messages == 0 && allocated == 0 && reported == 0 ? 0 : -1;
}
