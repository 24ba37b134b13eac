/* The device that a test runs on: opened once, and held to account when the tests end. */
#ifndef DEVICE_FIXTURE_H
#define DEVICE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vk/device.h"

extern vkp_device *test_device;

/* Group setup and teardown for cmocka. Setup fails unless the device is the one that VKPIX_TEST_DEVICE
 * names (a part of its name); teardown fails unless dispatches ran, the validation
 * layer was silent and all device memory was freed; it writes the names of the shaders that ran to the
 * file that VKPIX_TEST_SHADERS names. */
int open_test_device(void **state);
int close_test_device(void **state);

/* Fails the test with the library's error text unless the expression is VKP_OK. */
#define assert_ok(expr)                                                                               \
    do {                                                                                              \
        if ((expr) != VKP_OK) fail_msg("%s: %s", #expr, vkp_error());                                 \
    } while (0)

#endif
