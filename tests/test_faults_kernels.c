/* Kernels that give nothing but zeros, or NaN: the self-test of a device names the operation, and a contest
 * of variants throws them out, so that the tuner takes none of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "faults.h"
#include "ops/conv2d.h"
#include "ops/self_test.h"
#include "scratch.h"
#include "shaders.h"
#include "tune/choices.h"
#include "tune/tuner.h"
#include "vk/pipeline.h"

enum { MOST = 64 };

static const float values[] = {0, NAN};

/* The shaders that the self-test of a sound device makes. */
static size_t list_shaders(vkp_shader list[MOST])
{
    const vkp_pipeline *p;
    size_t count = 0;
    assert_int_equal(open_test_device(NULL), 0);
    assert_ok(vkp_self_test(test_device));
    for (size_t i = 0; (p = vkp_pipeline_at(test_device, i)); i++) {
        size_t at = 0;
        while (at < count && list[at] != p->key.shader) at++;
        assert_true(at < MOST);
        list[at] = p->key.shader;
        count += at == count;
    }
    assert_int_equal(close_test_device(NULL), 0);
    return count;
}

/* One after the other computes one of both, by turns: what finds zeros finds NaN by the same comparison. */
static void the_self_test_finds_them(void **state)
{
    (void)state;
    vkp_shader list[MOST];
    const size_t count = list_shaders(list);
    assert_true(count >= 5);
    for (size_t i = 0; i < count; i++) {
        const char *name = vkp_shader_table[list[i]].name;
        unsigned stores;
        faults_shader(name, values[i % 2], &stores);
        assert_int_equal(open_test_device(NULL), 0);
        if (vkp_self_test(test_device) != VKP_DEVICE) fail_msg("%s passes the self-test", name);
        assert_non_null(strstr(vkp_error(), " wrong ("));
        assert_true(stores > 0);
        assert_int_equal(close_test_device(NULL), 0);
    }
    faults_shader(NULL, 0, NULL);
}

/* A convolution forward; its plain form comes last. */
static vkp_use a_use(void)
{
    return (vkp_use){.op = &vkp_op_conv2d,
                     .variants = &vkp_op_conv2d.variants[0],
                     .outputs = 1,
                     .c = {.in = {{1, 8, 16, 20}, {8, 8, 3, 3}, {1, 8, 1, 1}},
                           .attr = {.kernel = 3, .stride = 1, .padding = 1}}};
}

static const vkp_variant *plain(const vkp_use *use) { return &use->variants->list[use->variants->count - 1]; }

static const vkp_variant *by_order(const vkp_use *use)
{
    vkp_node node;
    assert_ok(vkp_use_layout(use, &node));
    return vkp_variant_by_order(test_device, &node, use->variants);
}

/* What the tuner gives for the use, with so much time for a contest. */
static const vkp_variant *tuned(const vkp_use *use, const char *path, double seconds)
{
    vkp_tuner *tuner;
    vkp_node node;
    const vkp_variant *chosen;
    assert_ok(vkp_use_layout(use, &node));
    assert_ok(vkp_tuner_create(test_device, &(vkp_tuner_options){.path = path, .first_use_seconds = seconds},
                               &tuner));
    assert_ok(vkp_variant_choose(test_device, &node, use->variants, &chosen));
    vkp_tuner_destroy(tuner);
    return chosen;
}

/* A shader of the variant by order that the plain form does without, on a sound device; that variant's name
 * is kept in kept.txt as the winner of an earlier time. */
static const char *shader_to_break(const vkp_use *use)
{
    size_t plain_count = 0;
    bool right = false;
    vkp_node node;
    char key[VKP_CHOICE_KEY] = {0};
    vkp_choices choices = {0};
    assert_int_equal(open_test_device(NULL), 0);
    assert_ok(vkp_contest_prove(test_device, use, plain(use), &right));
    assert_true(right);
    while (vkp_pipeline_at(test_device, plain_count)) plain_count++;
    assert_ok(vkp_contest_prove(test_device, use, by_order(use), &right));
    assert_true(right);
    const vkp_pipeline *p = vkp_pipeline_at(test_device, plain_count);
    assert_true(p && by_order(use) != plain(use));
    assert_ok(vkp_use_layout(use, &node));
    vkp_choice_key(&node, use->variants, key);
    assert_ok(vkp_choices_set(&choices, key, by_order(use)->name, 7));
    assert_ok(vkp_choices_write(&choices, test_device, "kept.txt"));
    vkp_choices_free(&choices);
    const char *name = vkp_shader_table[p->key.shader].name;
    assert_int_equal(close_test_device(NULL), 0);
    return name;
}

static void the_tuner_takes_none_of_them(void **state)
{
    (void)state;
    const vkp_use use = a_use();
    const char *shader = shader_to_break(&use);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        bool right = true;
        unsigned stores;
        vkp_contest_row row;
        faults_shader(shader, values[i], &stores);
        assert_int_equal(open_test_device(NULL), 0);
        assert_ok(vkp_contest_prove(test_device, &use, by_order(&use), &right));
        assert_true(stores > 0 && !right);
        assert_ok(vkp_contest_hold(test_device, &use, false, vkp_contest_seconds() + 600, &row));
        assert_true(row.count > 0 && row.results[0].out && row.results[0].milliseconds == 0);
        assert_non_null(strstr(row.results[0].why, i ? "not finite" : "nothing but zeros"));
        assert_false(row.measured);
        assert_string_equal(row.winner, plain(&use)->name);
        /* What was kept is proved first where that pays: not on software devices. */
        const VkPhysicalDeviceType type = test_device->info.type;
        test_device->info.type = VK_PHYSICAL_DEVICE_TYPE_OTHER;
        const vkp_variant *chosen = tuned(&use, "kept.txt", 0);
        test_device->info.type = type;
        assert_ptr_not_equal(chosen, by_order(&use));
        assert_int_equal(close_test_device(NULL), 0);
    }
    faults_shader(NULL, 0, NULL);
}

int main(void)
{
    /* A variant forced from outside would be the one by order. */
    unsetenv("VKPIX_VARIANT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_self_test_finds_them),
        cmocka_unit_test(the_tuner_takes_none_of_them),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
