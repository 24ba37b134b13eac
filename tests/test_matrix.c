/* Cooperative matrices: which kind is taken of what devices list, made up here; what VKPIX_LIMITS does. */
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <setjmp.h>

#include <cmocka.h>

#include "vk/matrix.h"

enum { F16 = VK_COMPONENT_TYPE_FLOAT16_KHR, F32 = VK_COMPONENT_TYPE_FLOAT32_KHR, S8 = 3, S32 = 5 };

#define KIND(m, n, k, ab, c, r) \
    {VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR, NULL, m, n, k, (VkComponentTypeKHR)(ab), \
     (VkComponentTypeKHR)(ab), (VkComponentTypeKHR)(c), (VkComponentTypeKHR)(r), VK_FALSE, \
     VK_SCOPE_SUBGROUP_KHR}
#define EXPECT(list, m_, n_, k_) \
    do { \
        const vkp_matrix got = vkp_matrix_choose(list, sizeof(list) / sizeof *(list)); \
        assert_int_equal(got.m, m_); \
        assert_int_equal(got.n, n_); \
        assert_int_equal(got.k, k_); \
        assert_false(got.loops); \
    } while (0)

static void the_largest_with_32_bit_sums_is_taken(void **state)
{
    (void)state;
    const VkCooperativeMatrixPropertiesKHR many[] = {
        KIND(16, 16, 16, F16, F16, F16), KIND(16, 8, 8, F16, F32, F32),  KIND(16, 8, 16, F16, F32, F32),
        KIND(16, 16, 16, F16, F32, F32), KIND(16, 16, 32, S8, S32, S32), KIND(16, 8, 32, F16, F32, F32)};
    const VkCooperativeMatrixPropertiesKHR one[] = {KIND(8, 8, 8, F16, F16, F16),
                                                    KIND(8, 8, 8, F16, F32, F32)};
    const VkCooperativeMatrixPropertiesKHR deep[] = {KIND(8, 16, 16, F16, F32, F32),
                                                     KIND(8, 16, 32, F16, F32, F32)};
    EXPECT(many, 16, 16, 16);
    EXPECT(one, 8, 8, 8);
    EXPECT(deep, 8, 16, 32);
}

static void what_shaders_cannot_use_is_left(void **state)
{
    (void)state;
    VkCooperativeMatrixPropertiesKHR list[] = {
        KIND(16, 16, 16, F16, F16, F16), KIND(16, 16, 16, F16, F16, F32), KIND(16, 16, 16, F32, F32, F32),
        KIND(64, 64, 16, F16, F32, F32), KIND(16, 16, 4, F16, F32, F32),  KIND(16, 2, 16, F16, F32, F32),
        KIND(12, 16, 16, F16, F32, F32), KIND(16, 16, 16, F16, F32, F32), KIND(0, 0, 0, F16, F32, F32)};
    list[7].scope = VK_SCOPE_WORKGROUP_KHR;
    EXPECT(list, 0, 0, 0);
    list[7].scope = VK_SCOPE_SUBGROUP_KHR;
    EXPECT(list, 16, 16, 16);
    assert_int_equal(vkp_matrix_choose(NULL, 0).m, 0);
}

static vkp_matrix of_opened_device(const char *limits)
{
    vkp_device *device;
    assert_int_equal(limits ? setenv("VKPIX_LIMITS", limits, 1) : unsetenv("VKPIX_LIMITS"), 0);
    assert_int_equal(vkp_device_open(NULL, &device), VKP_OK);
    const vkp_matrix matrix = device->info.limits.matrix;
    vkp_device_close(device);
    return matrix;
}

static void limits_decide(void **state)
{
    (void)state;
    assert_int_equal(of_opened_device("minimum").m, 0);
    const vkp_matrix own = of_opened_device(NULL), made_up = of_opened_device("matrix");
    assert_true(made_up.m == 16 && made_up.n == 16 && made_up.k == 16 && made_up.lanes == 32);
    assert_true(made_up.loops);
    assert_true(!own.loops && (own.m == 0) == (own.lanes == 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_with_32_bit_sums_is_taken),
        cmocka_unit_test(what_shaders_cannot_use_is_left),
        cmocka_unit_test(limits_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
