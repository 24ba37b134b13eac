/* The blur kernels' weights against their definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/blur.h"

static void kernels_are_those_of_the_definition(void **state)
{
    (void)state;
    static const float sixteenths[VKP_BLUR_COUNT + 1][9] = {
        [VKP_BLUR_NONE] = {0, 0, 0, 0, 16, 0, 0, 0, 0},
        [VKP_BLUR_GAUSSIAN] = {1, 2, 1, 2, 4, 2, 1, 2, 1},
        [VKP_BLUR_MOTION_RIGHT] = {0, 0, 0, 16 / 3.0f, 16 / 3.0f, 16 / 3.0f, 0, 0, 0},
        [VKP_BLUR_MOTION_DOWN] = {0, 16 / 3.0f, 0, 0, 16 / 3.0f, 0, 0, 16 / 3.0f, 0},
        [VKP_BLUR_MOTION_FALLING] = {16 / 3.0f, 0, 0, 0, 16 / 3.0f, 0, 0, 0, 16 / 3.0f},
        [VKP_BLUR_MOTION_RISING] = {0, 0, 16 / 3.0f, 0, 16 / 3.0f, 0, 16 / 3.0f, 0, 0},
        [VKP_BLUR_COUNT] = {0, 0, 0, 0, 16, 0, 0, 0, 0},
    };
    for (int kind = 0; kind <= VKP_BLUR_COUNT; kind++) {
        float weights[9];
        vkp_blur_kernel((vkp_blur)kind, weights);
        for (int i = 0; i < 9; i++) assert_float_equal(weights[i], sixteenths[kind][i] / 16, 1e-7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_are_those_of_the_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
