/* Bytes in and out of buffers, mapped and through staging, and allocations that cannot be. */
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "ops/op.h"
#include "vk/memory.h"

/* More than two staging pieces, and no multiple of one. */
#define BYTES (36u * 1000 * 1000)

static void through_staging(void **state)
{
    (void)state;
    vkp_buffer buffer;
    uint32_t *in = malloc(BYTES), *out = malloc(BYTES);
    assert_true(in && out);
    for (uint32_t i = 0; i < BYTES / 4; i++) in[i] = i * 2654435761u;
    assert_ok(vkp_buffer_create(test_device, BYTES, VKP_MEMORY_DEVICE, "test", &buffer));
    /* As on a device whose memory the host does not see. */
    vkp_buffer unmapped = buffer;
    unmapped.mapped = NULL;
    assert_ok(vkp_buffer_clear(test_device, &unmapped));
    assert_ok(vkp_buffer_read(test_device, &buffer, 0, out, BYTES));
    for (uint32_t i = 0; i < BYTES / 4; i++) assert_int_equal(out[i], 0);
    assert_ok(vkp_buffer_write(test_device, &unmapped, 0, in, BYTES));
    assert_ok(vkp_buffer_read(test_device, &buffer, 0, out, BYTES));
    assert_memory_equal(in, out, BYTES);
    memset(out, 0, BYTES);
    assert_ok(vkp_buffer_read(test_device, &unmapped, 400, out, BYTES - 800));
    assert_memory_equal(in + 100, out, BYTES - 800);
    assert_ok(vkp_buffer_write(test_device, &unmapped, BYTES - 8, in, 8));
    assert_ok(vkp_buffer_read(test_device, &unmapped, BYTES - 8, out, 8));
    assert_memory_equal(in, out, 8);
    vkp_buffer_destroy(test_device, &buffer);
    free(in);
    free(out);
}

static void ranges_are_checked(void **state)
{
    (void)state;
    vkp_buffer buffer;
    uint32_t word = 0;
    assert_ok(vkp_buffer_create(test_device, 64, VKP_MEMORY_HOST, "test", &buffer));
    assert_int_equal(vkp_buffer_read(test_device, &buffer, 64, &word, 4), VKP_INTERNAL);
    assert_int_equal(vkp_buffer_write(test_device, &buffer, UINT64_MAX - 3, &word, 4), VKP_INTERNAL);
    vkp_buffer_destroy(test_device, &buffer);
    assert_null(buffer.handle);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    vkp_buffer buffer;
    const uint64_t before = test_device->allocated;
    assert_int_equal(vkp_buffer_create(test_device, (uint64_t)1 << 50, VKP_MEMORY_DEVICE, "test", &buffer),
                     VKP_DEVICE_MEMORY);
    assert_non_null(strstr(vkp_error(), "test"));
    assert_int_equal(test_device->allocated, before);
}

/* Something must have been dispatched for the fixture: the copy of one float. */
static void a_dispatch(void **state)
{
    (void)state;
    vkp_program *p;
    vkp_arena arena = {0};
    vkp_node node = {.op = &vkp_op_concat};
    assert_ok(vkp_program_create(test_device, &p));
    for (int i = 0; i < 2; i++) assert_ok(vkp_tensor_new(p, (vkp_shape){1, 1, 1, 1}, "x", &node.in[i]));
    assert_ok(vkp_tensor_new(p, (vkp_shape){1, 2, 1, 1}, "y", &node.out[0]));
    assert_ok(vkp_op_concat.forward(p, &node));
    assert_ok(vkp_program_build(p, &arena));
    assert_ok(vkp_program_run(p, 0, 1));
    vkp_program_destroy(p);
    vkp_arena_destroy(test_device, &arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_staging),
        cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(a_dispatch),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
