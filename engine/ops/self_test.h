/* Self-test: whether a device computes what it should. */
#ifndef VKP_OPS_SELF_TEST_H
#define VKP_OPS_SELF_TEST_H

#include "vk/device.h"

/* Runs small cases of a few operations on the device and compares them with their references on the CPU: a
 * fraction of a second, and little memory. VKP_DEVICE: a result is wrong, the text names the operation; else
 * whatever kept it from running. */
VKP_MUST_USE vkp_status vkp_self_test(vkp_device *device);

#endif
