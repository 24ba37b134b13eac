/* The memory plan: buffers that live together never overlap, others share. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vk/plan.h"

static void check(const vkp_plan_item *items, size_t count, const vkp_plan *plan, uint64_t limit)
{
    for (size_t i = 0; i < count; i++) {
        const vkp_plan_item *a = &items[i];
        if (!a->bytes) continue;
        assert_true(a->block < plan->blocks && a->offset % 256 == 0);
        assert_true(a->offset + a->bytes <= plan->block_bytes[a->block] &&
                    plan->block_bytes[a->block] <= limit);
        for (size_t k = 0; k < i; k++) {
            const vkp_plan_item *b = &items[k];
            const bool together =
                b->bytes && a->block == b->block && a->first <= b->last && b->first <= a->last;
            if (together) assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    }
}

static void chain_needs_two_buffers(void **state)
{
    (void)state;
    vkp_plan_item items[20];
    memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < 20; i++) items[i] = (vkp_plan_item){.bytes = 1024, .first = i, .last = i + 1};
    vkp_plan plan;
    assert_int_equal(vkp_plan_make(items, 20, 256, 1 << 20, &plan), VKP_OK);
    check(items, 20, &plan, 1 << 20);
    assert_int_equal(plan.total, 2048);
}

static void many_lifetimes(void **state)
{
    (void)state;
    vkp_plan_item items[300];
    uint32_t seed = 7;
    uint64_t sum = 0;
    for (size_t i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        const uint32_t first = (seed >> 8) % 100;
        items[i] = (vkp_plan_item){
            .bytes = i % 17 ? 1 + (seed >> 20) : 0, .first = first, .last = first + (seed >> 28)};
        sum += items[i].bytes;
    }
    vkp_plan plan;
    assert_int_equal(vkp_plan_make(items, 300, 256, 16384, &plan), VKP_OK);
    check(items, 300, &plan, 16384);
    assert_true(plan.total < sum / 4);
}

static void too_large_an_item(void **state)
{
    (void)state;
    vkp_plan_item item = {.bytes = 4097, .last = 1};
    vkp_plan plan;
    assert_int_equal(vkp_plan_make(&item, 1, 256, 4096, &plan), VKP_DEVICE_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_needs_two_buffers),
        cmocka_unit_test(many_lifetimes),
        cmocka_unit_test(too_large_an_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
