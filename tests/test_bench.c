/* Benchmarks: every operation can be timed in every direction it has, and the figures hang together. */
#include "device_fixture.h"
#include "tune/bench.h"

static void check_result(const vkp_bench_result *r)
{
    double sum = 0;
    assert_true(r->min_ms > 0 && r->median_ms >= r->min_ms && r->dispatch_count > 0 && r->bytes > 0);
    for (size_t i = 0; i < r->dispatch_count; i++) {
        assert_non_null(r->dispatches[i].shader);
        sum += r->dispatches[i].milliseconds;
    }
    assert_float_equal(sum, r->min_ms, 1e-6 * r->min_ms);
}

/* Every list of the direction has named what it took, and nothing else is there. */
static void check_variants(const vkp_op *op, vkp_direction direction, const vkp_bench_result *r)
{
    size_t count = 0;
    for (size_t i = 0; i < op->variants_count; i++) {
        if (op->variants[i].direction != direction) continue;
        assert_ptr_equal(r->variants[count], &op->variants[i]);
        assert_non_null(vkp_variant_named(r->variants[count], r->chosen[count]));
        count++;
    }
    assert_null(r->chosen[count]);
}

static void every_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < vkp_op_count; i++)
        for (int direction = VKP_FORWARD; direction <= VKP_BACKWARD; direction++) {
            vkp_bench_result r;
            const vkp_op *op = vkp_ops[i];
            if (direction == VKP_BACKWARD && !op->backward) {
                const vkp_status status = vkp_bench_op(test_device, op, &op->cases[0], VKP_BACKWARD, 1, &r);
                assert_int_equal(status, VKP_USAGE);
                continue;
            }
            assert_ok(vkp_bench_op(test_device, op, &op->cases[0], (vkp_direction)direction, 4, &r));
            check_result(&r);
            check_variants(op, (vkp_direction)direction, &r);
            assert_true(!op->flop || r.flop > 0);
            vkp_bench_free(&r);
        }
}

static void wrong_shapes(void **state)
{
    (void)state;
    vkp_bench_result r;
    const vkp_case c = {.in = {{1, 1, 1, 1}}, .attr = {.factor = 2}};
    const uint64_t before = test_device->allocated;
    assert_int_equal(vkp_bench_op(test_device, &vkp_op_avg_pool, &c, VKP_FORWARD, 1, &r), VKP_SHAPE);
    assert_int_equal(test_device->allocated, before);
}

static void peaks(void **state)
{
    (void)state;
    vkp_peak peak;
    assert_ok(vkp_bench_peak(test_device, &peak));
    print_message("peaks: %.1f GFLOP/s, %.1f GB/s\n", peak.flop_per_second * 1e-9,
                  peak.bytes_per_second * 1e-9);
    assert_true(peak.flop_per_second > 1e7 && peak.bytes_per_second > 1e7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation), cmocka_unit_test(wrong_shapes),
                                       cmocka_unit_test(peaks)};
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
