#include "device_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int close_test_device(void **state)
{
    (void)state;
    const uint64_t dispatches = test_device->dispatches;
    const uint64_t allocated = test_device->allocated;
    const unsigned messages = test_device->messages;
    vkp_device_close(test_device);
    fprintf(stderr, "dispatches: %" PRIu64 ", validation messages: %u, bytes left: %" PRIu64 "\n", dispatches, messages,
            allocated);
    return dispatches > 0 && messages == 0 && allocated == 0 ? 0 : -1;
}
