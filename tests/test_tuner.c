/* The tuner: who wins and who is thrown out, within which time, what is kept and what of a file is believed;
 * and what the order of variants gives on devices that are only made up of limits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "device_fixture.h"
#include "ops/conv2d.h"
#include "ops/moves.h"
#include "scratch.h"
#include "tune/choices.h"
#include "tune/tuner.h"

#define LONG 600.0 /* seconds; no contest of these tests takes them */

/* Variants of a convolution from 8 to 8 channels. All but the last two are wrong in a way of their own. */
static vkp_status spread(vkp_program *program, const vkp_node *node, float scale)
{
    return vkp_block_spread(program, &node->in[VKP_CONV_X], &node->out[VKP_CONV_Y], 1, scale, false);
}
static vkp_status record_nan(vkp_program *program, const vkp_node *node)
{
    return spread(program, node, NAN);
}
static vkp_status record_zeros(vkp_program *program, const vkp_node *node)
{
    return spread(program, node, 0);
}
static vkp_status record_copy(vkp_program *program, const vkp_node *node) { return spread(program, node, 1); }
static vkp_status record_nothing(vkp_program *program, const vkp_node *node)
{
    vkp_tensor unused;
    VKP_TRY(vkp_tensor_new(program, node->in[VKP_CONV_X].shape, "unused", &unused));
    return vkp_copy(program, &node->in[VKP_CONV_X], &unused, false);
}
static vkp_status record_failure(vkp_program *program, const vkp_node *node)
{
    (void)program;
    (void)node;
    return vkp_fail(VKP_SHADER, "cannot make this shader (the driver's compiler gave up; do without)");
}
/* The plain form many times over: right and slow, also when other programs have the processor. */
static vkp_status record_slow(vkp_program *program, const vkp_node *node)
{
    for (int i = 0; i < 12; i++) VKP_TRY(vkp_conv2d_direct_forward(program, node));
    return VKP_OK;
}

static bool for_any(const vkp_device_info *info)
{
    (void)info;
    return true;
}

#define FAKE(label, function) \
    { \
        .name = label, .meant_for = for_any, .fits = vkp_fits_always, .record = function \
    }
static const vkp_variant fakes[] = {
    FAKE("nan", record_nan),
    FAKE("zeros", record_zeros),
    FAKE("copy", record_copy),
    FAKE("nothing", record_nothing),
    FAKE("failure", record_failure),
    FAKE("slow", record_slow),
    {.name = "good",
     .meant_for = for_any,
     .fits = vkp_fits_always,
     .record = vkp_conv2d_direct_forward,
     .on_proof = true},
    VKP_PLAIN("direct", vkp_conv2d_direct_forward),
};
static const vkp_variants fake_list = {"conv2d_fake", VKP_FORWARD, 0, fakes, sizeof fakes / sizeof *fakes};
/* Nothing is right but the plain form; the first one only promises to be. */
static const vkp_variant liars[] = {
    {.name = "liar", .meant_for = for_any, .fits = vkp_fits_always, .record = record_zeros, .on_proof = true},
    FAKE("copy", record_copy),
    VKP_PLAIN("direct", vkp_conv2d_direct_forward),
};
static const vkp_variants liar_list = {"conv2d_liars", VKP_FORWARD, 0, liars, sizeof liars / sizeof *liars};

static const vkp_case convolution = {.in = {{3, 8, 40, 52}, {8, 8, 3, 3}, {1, 8, 1, 1}},
                                     .attr = {.kernel = 3, .stride = 1, .padding = 1}};

static vkp_use use_of_list(const vkp_variants *list)
{
    return (vkp_use){.op = &vkp_op_conv2d, .variants = list, .c = convolution, .outputs = 1};
}

static vkp_node node_of(const vkp_use *use)
{
    vkp_node node;
    assert_ok(vkp_use_layout(use, &node));
    return node;
}

static const vkp_contest_result *result_of(const vkp_contest_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->results[i].name, name) == 0) return &row->results[i];
    fail_msg("%s took no part", name);
    return NULL;
}

static void wrong_variants_are_thrown_out(void **state)
{
    (void)state;
    const vkp_use use = use_of_list(&fake_list);
    const uint64_t before = test_device->allocated;
    vkp_contest_row row;
    assert_ok(vkp_contest_hold(test_device, &use, true, vkp_contest_seconds() + LONG, &row));
    assert_int_equal(test_device->allocated, before);
    assert_int_equal(row.count, fake_list.count);
    assert_non_null(strstr(result_of(&row, "nan")->why, "not finite"));
    assert_non_null(strstr(result_of(&row, "zeros")->why, "zeros"));
    assert_non_null(strstr(result_of(&row, "copy")->why, "off by"));
    assert_non_null(strstr(result_of(&row, "nothing")->why, "not finite"));
    assert_non_null(strstr(result_of(&row, "failure")->why, "cannot make"));
    static const char *const wrong[] = {"nan", "zeros", "copy", "nothing", "failure"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_true(result_of(&row, wrong[i])->milliseconds == 0);
    assert_true(row.measured && (strcmp(row.winner, "good") == 0 || strcmp(row.winner, "direct") == 0));
    assert_true(result_of(&row, row.winner)->milliseconds > 0);
    assert_true(result_of(&row, "good")->error == 0);
    char text[1024];
    vkp_contest_text(&row, text, sizeof text);
    assert_non_null(strstr(text, "conv2d_fake (3,8,40,52) k3: nan wrong"));
    char little[20];
    vkp_contest_text(&row, little, sizeof little);
    assert_int_equal(strlen(little), sizeof little - 1);
}

static void nobody_wins_when_all_are_wrong(void **state)
{
    (void)state;
    const vkp_use use = use_of_list(&liar_list);
    vkp_contest_row row;
    assert_ok(vkp_contest_hold(test_device, &use, false, vkp_contest_seconds() + LONG, &row));
    assert_int_equal(row.count, 2);
    assert_false(row.measured);
    assert_string_equal(row.why, "none is right");
    assert_string_equal(row.winner, "direct"); /* by order it would be one that is wrong */
    bool right = true;
    assert_ok(vkp_contest_prove(test_device, &use, &liars[0], &right));
    assert_false(right);
    assert_ok(vkp_contest_prove(test_device, &use, &liars[2], &right));
    assert_true(right);
}

/* Every direction of the convolution, written anew and added, as large cases become small ones. */
static void real_variants_agree(void **state)
{
    (void)state;
    static const vkp_case cases[] = {
        {.in = {{3, 19, 24, 36}, {34, 19, 3, 3}, {1, 34, 1, 1}},
         .attr = {.kernel = 3, .stride = 1, .padding = 1}},
        {.in = {{2, 16, 9, 12}, {32, 16, 3, 3}},
         .attr = {.kernel = 3, .stride = 1, .padding = 1, .upsample = 2}},
        {.in = {{2, 5, 9, 12}, {3, 5, 5, 5}, {1, 3, 1, 1}}, .attr = {.kernel = 5, .stride = 2, .padding = 2}},
    };
    for (size_t i = 0; i < vkp_op_conv2d.variants_count; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            const vkp_variants *list = &vkp_op_conv2d.variants[i];
            const vkp_use use = {
                .op = &vkp_op_conv2d, .variants = list, .c = cases[k], .outputs = 1, .add = k == 1};
            /* What is meant for other devices would take long to compile here. */
            vkp_contest_row row;
            const vkp_node node = node_of(&use);
            const vkp_variant *first = vkp_variant_by_order(test_device, &node, list);
            const bool meant = first->meant_for && first->meant_for(&test_device->info);
            assert_ok(vkp_contest_hold(test_device, &use, !meant, vkp_contest_seconds() + LONG, &row));
            for (size_t r = 0; r < row.count; r++)
                if (strstr(row.results[r].why, "wrong"))
                    fail_msg("%s %s", row.results[r].name, row.results[r].why);
            assert_true(row.count && row.measured && vkp_variant_named(list, row.winner));
        }
}

static void small_cases(void **state)
{
    (void)state;
    vkp_use use = {.op = &vkp_op_conv2d,
                   .variants = &vkp_op_conv2d.variants[0],
                   .outputs = 1,
                   .c = {.in = {{32, 256, 80, 80}, {128, 256, 3, 3}, {1, 128, 1, 1}},
                         .attr = {.kernel = 3, .stride = 1, .padding = 1, .upsample = 2}}};
    const vkp_use small = vkp_use_small(test_device, &use);
    vkp_node node = node_of(&small);
    assert_int_equal(small.c.in[0].c, 256);
    assert_true(small.c.in[0].n <= 2 && small.c.in[0].h < 80 && small.c.in[1].n == 128);
    assert_true(vkp_op_conv2d.flop(&node, VKP_FORWARD) < 4e8);
    /* What is small stays as it is, and a case that cannot be made smaller ends the search. */
    use = use_of_list(&fake_list);
    assert_int_equal(vkp_use_small(test_device, &use).c.in[0].h, 40);
}

static void time_is_kept(void **state)
{
    (void)state;
    const vkp_use use = use_of_list(&fake_list);
    vkp_contest_row row;
    const double begin = vkp_contest_seconds();
    assert_ok(vkp_contest_hold(test_device, &use, true, begin, &row));
    assert_false(row.measured);
    assert_int_equal(row.count, 0);
    assert_string_equal(row.why, "no time was left");
    /* By order comes nothing that needs proof. */
    assert_string_equal(row.winner, "nan");
    /* A moment is enough to begin and not to end: no winner from those that happened to be first. */
    assert_ok(vkp_contest_hold(test_device, &use, true, vkp_contest_seconds() + 1e-6, &row));
    assert_false(row.measured);
}

/* A device that exists only as limits. */
static vkp_device made_up(VkPhysicalDeviceType type, uint32_t lanes, uint32_t texels)
{
    return (vkp_device){
        .info = {.type = type,
                 .limits = {.storage_range = 1u << 30,
                            .max_allocation = 1u << 30,
                            .memory_budget = 1ull << 33,
                            .texel_elements = texels,
                            .storage_align = 16,
                            .texel_align = 16,
                            .group_invocations = 1024,
                            .group_size = {1024, 1024, 64},
                            .group_count = {65535, 65535, 65535},
                            .shared_bytes = 49152,
                            .push_bytes = 128,
                            .storage_buffers = 16,
                            .subgroup_size = lanes,
                            .shuffle = lanes > 0,
                            .at_once = type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 65536 : 4096}}};
}

static const char *by_order(const vkp_device *device, const vkp_variants *list, const vkp_case *c)
{
    const vkp_use use = {.op = &vkp_op_conv2d, .variants = list, .c = *c, .outputs = 1};
    const vkp_node node = node_of(&use);
    return vkp_variant_by_order(device, &node, list)->name;
}

static bool fits_shared(const vkp_device *device, const vkp_node *node)
{
    (void)node;
    return device->info.limits.shared_bytes >= 32768;
}

static void made_up_devices(void **state)
{
    (void)state;
    static const vkp_variant rows[] = {
        {.name = "matrix", .meant_for = vkp_for_gpu, .fits = fits_shared, .on_proof = true},
        {.name = "lanes", .meant_for = vkp_for_cpu, .fits = vkp_fits_always},
        {.name = "shared", .meant_for = vkp_for_gpu, .fits = fits_shared},
        {.name = "plain", .fits = vkp_fits_always},
    };
    const vkp_variants list = {"made_up", VKP_FORWARD, 0, rows, 4};
    const vkp_device cpu = made_up(VK_PHYSICAL_DEVICE_TYPE_CPU, 8, 1u << 27),
                     integrated = made_up(VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, 32, 1u << 27),
                     discrete = made_up(VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, 32, 1u << 27);
    vkp_device little = discrete;
    little.info.limits.shared_bytes = 16384;
    assert_string_equal(by_order(&cpu, &list, &convolution), "lanes");
    assert_string_equal(by_order(&integrated, &list, &convolution), "shared");
    assert_string_equal(by_order(&discrete, &list, &convolution), "shared");
    /* Not meant for it, and better than the plain form. */
    assert_string_equal(by_order(&little, &list, &convolution), "lanes");

    /* The convolution's own lists. */
    const vkp_device no_texels = made_up(VK_PHYSICAL_DEVICE_TYPE_CPU, 8, 0);
    const vkp_case wide = {.in = {{4, 32, 80, 80}, {64, 32, 3, 3}, {1, 64, 1, 1}},
                           .attr = {.kernel = 3, .stride = 1, .padding = 1}};
    for (size_t i = 0; i < vkp_op_conv2d.variants_count; i++) {
        const vkp_variants *own = &vkp_op_conv2d.variants[i];
        vkp_device bare = made_up(VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, 0, 0);
        bare.info.limits.shared_bytes = 16384; /* the least of Vulkan 1.1 */
        bare.info.limits.group_invocations = 128;
        assert_string_equal(by_order(&cpu, own, &wide), "lanes");
        assert_string_equal(by_order(&no_texels, own, &wide), "lanes_storage");
        const vkp_device *gpus[] = {&integrated, &discrete, &bare};
        for (size_t g = 0; g < 3; g++) {
            const vkp_use use = {.op = &vkp_op_conv2d, .variants = own, .c = wide, .outputs = 1};
            const vkp_node node = node_of(&use);
            assert_string_equal(by_order(gpus[g], own, &wide), "gemm");
            assert_true(vkp_variant_named(own, "gemm")->fits(gpus[g], &node));
            assert_false(vkp_variant_named(own, "gemm_f16")->fits(gpus[g], &node)); /* only on request */
            const vkp_variant *matrix = vkp_variant_named(own, "gemm_matrix");
            vkp_device able = *gpus[g];
            able.info.limits.matrix = (vkp_matrix){.m = 16, .n = 16, .k = 16, .lanes = 32, .loops = true};
            assert_false(matrix->fits(&able, &node));
            able.info.limits.half = true;
            assert_true(matrix->fits(&able, &node) && matrix->on_proof);
            assert_string_equal(by_order(&able, own, &wide), "gemm_f16"); /* nothing is proven here */
            able.info.limits.matrix = (vkp_matrix){0};
            assert_false(matrix->fits(&able, &node));
        }
    }
}

static void choices_on_disk(void **state)
{
    (void)state;
    vkp_choices written = {0}, read = {0};
    assert_ok(vkp_choices_set(&written, "a:1=2x3x4x5", "lanes", 7));
    assert_ok(vkp_choices_set(&written, "b", "direct", 0));
    assert_ok(vkp_choices_set(&written, "a:1=2x3x4x5", "thin", 8));
    assert_ok(vkp_choices_write(&written, test_device, "choices.txt"));
    assert_true(vkp_choices_read(&read, test_device, "choices.txt"));
    assert_int_equal(read.count, 2);
    assert_string_equal(vkp_choices_find(&read, "a:1=2x3x4x5")->name, "thin");
    assert_int_equal(vkp_choices_find(&read, "a:1=2x3x4x5")->microseconds, 8);
    assert_string_equal(vkp_choices_find(&read, "b")->name, "direct");
    assert_null(vkp_choices_find(&read, "c"));

    /* Another device, driver, or set of limits. */
    vkp_device other = *test_device;
    other.info.driver_version++;
    assert_false(vkp_choices_read(&read, &other, "choices.txt"));
    other = *test_device;
    other.info.cache_uuid[3] ^= 1;
    assert_false(vkp_choices_read(&read, &other, "choices.txt"));
    other = *test_device;
    other.info.limits.subgroup_size += 8;
    assert_false(vkp_choices_read(&read, &other, "choices.txt"));
    assert_false(vkp_choices_read(&read, test_device, "none.txt"));
    assert_int_equal(read.count, 2); /* what was there stays */
    vkp_choices_free(&written);
    vkp_choices_free(&read);
}

/* Every byte of the file wrong once, which includes the hash of the shaders, and every length of it. */
static void damaged_files(void **state)
{
    (void)state;
    vkp_choices choices = {0};
    assert_ok(vkp_choices_set(&choices, "a:1=2x3x4x5", "lanes", 7));
    assert_ok(vkp_choices_write(&choices, test_device, "good.txt"));
    void *data;
    size_t bytes;
    assert_ok(vkp_file_read("good.txt", 1 << 20, &data, &bytes));
    unsigned char *text = data;
    for (size_t i = 0; i < bytes; i++) {
        text[i] ^= 1;
        assert_ok(vkp_file_write("bad.txt", text, bytes));
        text[i] ^= 1;
        assert_false(vkp_choices_read(&choices, test_device, "bad.txt"));
        assert_ok(vkp_file_write("bad.txt", text, i));
        assert_false(vkp_choices_read(&choices, test_device, "bad.txt"));
    }
    assert_true(vkp_choices_read(&choices, test_device, "good.txt"));
    free(data);
    /* A right checksum over a line that is none. */
    assert_ok(vkp_choices_set(&choices, "a key", "lanes", 7));
    assert_ok(vkp_choices_write(&choices, test_device, "bad.txt"));
    assert_false(vkp_choices_read(&choices, test_device, "bad.txt"));
    vkp_choices_free(&choices);
}

static size_t heard;
static vkp_contest_row last_row;
static void hear(void *user, const vkp_contest_row *row)
{
    (void)user;
    heard++;
    last_row = *row;
}

static vkp_tuner *make_tuner(const char *path, double seconds)
{
    vkp_tuner *tuner;
    const vkp_tuner_options options = {.path = path, .first_use_seconds = seconds, .progress = hear};
    heard = 0;
    assert_ok(vkp_tuner_create(test_device, &options, &tuner));
    assert_ptr_equal(vkp_tuner_of(test_device), tuner);
    return tuner;
}

static const char *chosen_of(const vkp_variants *list)
{
    const vkp_use use = use_of_list(list);
    const vkp_node node = node_of(&use);
    const vkp_variant *chosen;
    assert_ok(vkp_variant_choose(test_device, &node, list, &chosen));
    return chosen->name;
}

static void first_uses(void **state)
{
    (void)state;
    remove("kept.txt");
    vkp_tuner *tuner = make_tuner("kept.txt", LONG);
    assert_string_equal(chosen_of(&fake_list), "good");
    assert_int_equal(heard, 1);
    assert_true(last_row.measured);
    assert_string_equal(chosen_of(&fake_list), "good");
    assert_int_equal(heard, 1);
    vkp_tuner_destroy(tuner);
    assert_null(test_device->chooser);

    /* Another process: what is kept is taken without a contest, also where first uses get no time. */
    tuner = make_tuner("kept.txt", 0);
    assert_string_equal(chosen_of(&fake_list), "good");
    assert_int_equal(heard, 0);
    vkp_tuner_destroy(tuner);

    /* Nothing kept: without time by order, and that is not kept; with too little time it is. */
    remove("kept.txt");
    tuner = make_tuner("kept.txt", 0);
    assert_string_equal(chosen_of(&fake_list), "nan");
    vkp_tuner_destroy(tuner);
    assert_false(vkp_file_exists("kept.txt"));
    tuner = make_tuner("kept.txt", 1e-9);
    assert_string_equal(chosen_of(&fake_list), "nan");
    vkp_tuner_destroy(tuner);
    tuner = make_tuner("kept.txt", LONG);
    assert_string_equal(chosen_of(&fake_list), "nan");
    assert_int_equal(heard, 0);
    vkp_tuner_destroy(tuner);
}

/* A kept choice that needs proof and fails it is not taken. */
static void liars_are_found_out(void **state)
{
    (void)state;
    const vkp_use use = use_of_list(&liar_list);
    const vkp_node node = node_of(&use);
    char key[VKP_CHOICE_KEY];
    vkp_choices choices = {0};
    vkp_choice_key(&node, &liar_list, key);
    assert_ok(vkp_choices_set(&choices, key, "liar", 1));
    assert_ok(vkp_choices_write(&choices, test_device, "liars.txt"));
    vkp_choices_free(&choices);
    choices = (vkp_choices){0};
    vkp_tuner *tuner = make_tuner("liars.txt", 0);
    assert_string_equal(chosen_of(&liar_list), "copy");
    vkp_tuner_destroy(tuner);
    /* Where kept choices are checked, the order does not give again what the check has found wrong. */
    assert_ok(vkp_choices_set(&choices, key, "copy", 1));
    assert_ok(vkp_choices_write(&choices, test_device, "liars.txt"));
    vkp_choices_free(&choices);
    tuner = make_tuner("liars.txt", 0);
    const VkPhysicalDeviceType type = test_device->info.type;
    test_device->info.type = VK_PHYSICAL_DEVICE_TYPE_OTHER;
    assert_string_equal(chosen_of(&liar_list), "direct");
    test_device->info.type = type;
    vkp_tuner_destroy(tuner);
}

/* A run that goes on takes its own choices, whatever the file says by then. */
static void runs_keep_their_choices(void **state)
{
    (void)state;
    remove("kept.txt");
    vkp_tuner *tuner = make_tuner(NULL, 0);
    assert_string_equal(chosen_of(&fake_list), "nan");
    assert_ok(vkp_variant_save(test_device, "run.txt"));
    vkp_tuner_destroy(tuner);
    tuner = make_tuner("kept.txt", LONG);
    assert_string_equal(chosen_of(&fake_list), "good");
    vkp_tuner_destroy(tuner);
    for (int again = 0; again < 2; again++) {
        tuner = make_tuner("kept.txt", LONG);
        assert_true(vkp_variant_load(test_device, "run.txt"));
        if (again) assert_string_equal(chosen_of(&fake_list), "nan");
        /* Those that were not asked for are not lost when the run is kept again. */
        assert_ok(vkp_variant_save(test_device, "run.txt"));
        vkp_tuner_destroy(tuner);
    }
    tuner = make_tuner("kept.txt", 0);
    assert_false(vkp_variant_load(test_device, "none.txt"));
    assert_string_equal(chosen_of(&fake_list), "good");
    vkp_tuner_destroy(tuner);
    assert_true(vkp_variant_load(test_device, "none.txt")); /* no chooser: nothing to load */
}

/* A run whose variants were forced goes on with them when nothing forces them any more. */
static void runs_keep_what_was_forced(void **state)
{
    (void)state;
    const vkp_variants *list = &vkp_op_conv2d.variants[0];
    vkp_tuner *tuner = make_tuner(NULL, 0);
    assert_string_not_equal(chosen_of(list), "direct");
    vkp_tuner_destroy(tuner);
    tuner = make_tuner("kept.txt", 0);
    assert_int_equal(setenv("VKPIX_VARIANT", "conv2d_forward=direct", 1), 0);
    assert_string_equal(chosen_of(list), "direct");
    unsetenv("VKPIX_VARIANT");
    assert_ok(vkp_variant_save(test_device, "forced.txt"));
    vkp_tuner_destroy(tuner);
    tuner = make_tuner("kept.txt", 0);
    assert_string_not_equal(chosen_of(list), "direct"); /* it is that run's alone */
    vkp_tuner_destroy(tuner);
    tuner = make_tuner("kept.txt", 0);
    assert_true(vkp_variant_load(test_device, "forced.txt"));
    assert_string_equal(chosen_of(list), "direct");
    vkp_tuner_destroy(tuner);
}

static void ahead_of_time(void **state)
{
    (void)state;
    remove("kept.txt");
    size_t left;
    vkp_tuner *tuner = make_tuner("kept.txt", 0);
    vkp_tuner_collect(tuner, true);
    assert_string_equal(chosen_of(&fake_list), "nan"); /* while it collects, by order */
    assert_string_equal(chosen_of(&fake_list), "nan");
    assert_string_equal(chosen_of(&liar_list), "copy");
    vkp_tuner_collect(tuner, false);
    assert_ok(vkp_tuner_run(tuner, &(vkp_tuner_plan){.seconds = 0, .again = false, .all = true}, hear, NULL,
                            &left));
    assert_int_equal(left, 2);
    assert_int_equal(heard, 2);
    assert_false(vkp_file_exists("kept.txt"));
    assert_ok(vkp_tuner_run(tuner, &(vkp_tuner_plan){.seconds = LONG, .again = false, .all = true}, hear,
                            NULL, &left));
    assert_int_equal(left, 0); /* the plain form of the liars is right, and tune tries it */
    assert_string_equal(last_row.winner, "direct");
    assert_true(vkp_file_exists("kept.txt"));
    assert_ok(vkp_tuner_run(tuner, &(vkp_tuner_plan){.seconds = 0, .again = false, .all = true}, hear, NULL,
                            &left));
    assert_int_equal(left, 0);
    assert_true(last_row.stored && !last_row.measured);
    assert_ok(
        vkp_tuner_run(tuner, &(vkp_tuner_plan){.seconds = 0, .again = true, .all = true}, hear, NULL, &left));
    assert_int_equal(left, 2);
    assert_string_equal(chosen_of(&liar_list), "direct");
    vkp_tuner_destroy(tuner);
}

static void forced(void **state)
{
    (void)state;
    const vkp_variants *list = &vkp_op_conv2d.variants[0];
    assert_int_equal(setenv("VKPIX_VARIANT", "conv2d=no,conv2d_forward=direct,conv2d=lanes", 1), 0);
    assert_string_equal(chosen_of(list), "direct");
    assert_int_equal(setenv("VKPIX_VARIANT", "conv2d=phases_storage,conv2d_input_grad=direct", 1), 0);
    assert_string_not_equal(chosen_of(list), "phases_storage"); /* it does not fit */
    unsetenv("VKPIX_VARIANT");
    assert_ok(vkp_variant_check(""));
    assert_ok(vkp_variant_check("conv2d=lanes,conv2d_weight_grad=direct"));
    static const char *const wrong[] = {"conv2d",        "conv2d=",
                                        "=lanes",        "conv2d_weight_grad=thin",
                                        "conv=lanes",    "conv2d=lanes,,conv2d=x",
                                        "conv2d=lanesx", "conv2d=lane"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(vkp_variant_check(wrong[i]), VKP_USAGE);
}

static int enter(void **state) { return scratch_enter(state) || open_test_device(state); }
static int leave(void **state)
{
    const int closed = close_test_device(state), left = scratch_leave(state);
    return closed || left;
}

int main(void)
{
    /* A variant forced from outside would have the last word here too. */
    unsetenv("VKPIX_VARIANT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_variants_are_thrown_out),
        cmocka_unit_test(nobody_wins_when_all_are_wrong),
        cmocka_unit_test(real_variants_agree),
        cmocka_unit_test(small_cases),
        cmocka_unit_test(time_is_kept),
        cmocka_unit_test(made_up_devices),
        cmocka_unit_test(choices_on_disk),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(first_uses),
        cmocka_unit_test(liars_are_found_out),
        cmocka_unit_test(runs_keep_their_choices),
        cmocka_unit_test(runs_keep_what_was_forced),
        cmocka_unit_test(ahead_of_time),
        cmocka_unit_test(forced),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
