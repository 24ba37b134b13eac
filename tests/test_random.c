/* Philox against the known answers of its authors' Random123 library, and the numbers made from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        vkp_philox counter;
        uint32_t key[2];
        vkp_philox expected;
    } cases[] = {
        {{{0, 0, 0, 0}}, {0, 0}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
        {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
         {0xffffffff, 0xffffffff},
         {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
        {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
         {0xa4093822, 0x299f31d0},
         {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vkp_philox got = vkp_philox4x32(cases[i].counter, cases[i].key[0], cases[i].key[1]);
        assert_memory_equal(&got, &cases[i].expected, sizeof got);
    }
}

static void words_are_those_of_the_block(void **state)
{
    (void)state;
    uint64_t seed = 0x299f31d0a4093822u, stream = 0x0370734413198a2eu, block = 0x85a308d3243f6a88u & (UINT64_MAX >> 2);
    vkp_philox counter = {{0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344}};
    vkp_philox expected = vkp_philox4x32(counter, 0xa4093822, 0x299f31d0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(vkp_random_u32(seed, stream, block * 4 + i), expected.v[i]);
    assert_int_equal(vkp_random_stream(VKP_RANDOM_FLIP, 7), ((uint64_t)VKP_RANDOM_FLIP << 32) + 7);
}

static void floats_are_uniform_in_the_unit_interval(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16, BINS = 16 };
    int bins[BINS] = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        float x = vkp_random_float(1, vkp_random_stream(VKP_RANDOM_TEST, 0), i);
        assert_true(x >= 0 && x < 1);
        assert_true(x * 0x1p24f == (float)(uint32_t)(x * 0x1p24f));
        bins[(int)(x * BINS)]++;
    }
    /* Chi-squared with 15 degrees of freedom: 37.7 is passed by 99.9% of uniform sources; this one is fixed. */
    double chi = 0;
    for (int i = 0; i < BINS; i++) chi += (bins[i] - COUNT / BINS) * (double)(bins[i] - COUNT / BINS) / (COUNT / BINS);
    assert_true(chi < 37.7);
}

static void integers_stay_below_and_reach_all(void **state)
{
    (void)state;
    int seen[7] = {0};
    for (unsigned i = 0; i < 7000; i++) {
        uint32_t x = vkp_random_below(3, 4, i, 7);
        assert_true(x < 7);
        seen[x]++;
    }
    for (int i = 0; i < 7; i++) assert_in_range(seen[i], 850, 1150);
    assert_int_equal(vkp_random_below(3, 4, 5, 1), 0);
    assert_int_equal(vkp_random_below(3, 4, 5, 0), 0);
    assert_true(vkp_random_below(3, 4, 5, UINT32_MAX) != vkp_random_below(3, 4, 6, UINT32_MAX));
}

static void shuffle_is_a_permutation_keyed_by_seed_and_stream(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    size_t items[4][COUNT];
    const uint64_t keys[4][2] = {{1, 2}, {1, 2}, {2, 2}, {1, 3}};
    for (int k = 0; k < 4; k++) {
        int seen[COUNT] = {0};
        for (size_t i = 0; i < COUNT; i++) items[k][i] = i;
        vkp_random_shuffle(items[k], COUNT, keys[k][0], keys[k][1]);
        for (size_t i = 0; i < COUNT; i++) seen[items[k][i]]++;
        for (size_t i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
    }
    assert_memory_equal(items[0], items[1], sizeof items[0]);
    assert_memory_not_equal(items[0], items[2], sizeof items[0]);
    assert_memory_not_equal(items[0], items[3], sizeof items[0]);
    size_t one = 5;
    vkp_random_shuffle(&one, 1, 1, 1);
    vkp_random_shuffle(&one, 0, 1, 1);
    assert_int_equal(one, 5);
}

static void shuffle_favours_no_order(void **state)
{
    (void)state;
    int seen[3][3] = {{0}};
    for (uint64_t stream = 0; stream < 6000; stream++) {
        size_t items[3] = {0, 1, 2};
        vkp_random_shuffle(items, 3, 9, stream);
        for (int i = 0; i < 3; i++) seen[i][items[i]]++;
    }
    for (int i = 0; i < 9; i++) assert_in_range(seen[i / 3][i % 3], 1850, 2150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(words_are_those_of_the_block),
        cmocka_unit_test(floats_are_uniform_in_the_unit_interval),
        cmocka_unit_test(integers_stay_below_and_reach_all),
        cmocka_unit_test(shuffle_is_a_permutation_keyed_by_seed_and_stream),
        cmocka_unit_test(shuffle_favours_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
