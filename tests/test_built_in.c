/* The built-in models, whichever there are: whole, small enough, found by name, and used as the default. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "device_fixture.h"
#include "nn/built_in.h"
#include "nn/weights.h"
#include "program.h"
#include "scratch.h"
#include "small_model.h"
#include "small_picture.h"

static int enter(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    small_model_write("model.safetensors");
    small_picture_write("picture.png", 90, 60, 3);
    return close_test_device(state);
}

static void whole_and_small(void **state)
{
    (void)state;
    size_t bytes = 0;
    for (const vkp_built_in *b = vkp_built_in_table; b->name; b++) {
        vkp_weights w;
        size_t count;
        assert_ptr_equal(vkp_built_in_find(b->name), b);
        assert_non_null(strstr(VKP_BUILT_IN_NAMES, b->name));
        assert_ok(vkp_weights_find(b->name, &w));
        assert_true(w.configured && strncmp(w.name, b->name, strlen(b->name)) == 0);
        assert_non_null(vkp_safetensors_metadata(w.file, "xxh3_64"));
        const vkp_safetensor *list = vkp_safetensors_list(w.file, &count);
        for (size_t i = 0; i < count; i++) assert_int_not_equal(list[i].dtype, VKP_SAFETENSORS_F32);
        bytes += (size_t)(b->end - b->bytes);
        vkp_weights_free(&w);
    }
    assert_true(bytes <= 10 * 1000 * 1000);
    assert_null(vkp_built_in_find("nothing"));
    assert_null(vkp_built_in_find(""));
}

static void colour_by_name(void **state)
{
    (void)state;
    for (const vkp_built_in *b = vkp_built_in_table; b->name; b++) {
        program_expect(program_run("", "colorize picture.png --out %s.png --model %s", b->name, b->name), 0,
                       "");
        assert_non_null(strstr(program_errors(), b->name));
    }
}

static void the_default(void **state)
{
    (void)state;
    const bool there = vkp_built_in_find(VKP_BUILT_IN_DEFAULT);
    static const char *const commands[] = {"colorize picture.png --out out.png", "eval picture.png"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        program_expect(program_run("", "%s", commands[i]), there ? 0 : 2, "--model");
        if (there) assert_non_null(strstr(program_errors(), "model: " VKP_BUILT_IN_DEFAULT " (built in)"));
    }
    assert_int_equal(vkp_file_exists("out.png"), there);
    program_expect(program_run("", "colorize picture.png --out out.png --model ''"), 2, "--model");
}

static void names_are_told(void **state)
{
    (void)state;
    program_expect(program_run("", "colorize picture.png --out x.png --model nothing"), 1,
                   VKP_BUILT_IN_NAMES);
    program_expect(program_run("", "colorize --help"), 0, "");
    for (const vkp_built_in *b = vkp_built_in_table; b->name; b++)
        assert_non_null(strstr(program_output(), b->name));
    assert_non_null(strstr(program_output(), VKP_BUILT_IN_DEFAULT));
}

/* From memory as from a file, cut at any length as well. */
static void from_memory(void **state)
{
    (void)state;
    void *bytes;
    size_t size, count, wanted;
    vkp_safetensors *memory, *file;
    assert_ok(vkp_file_read("model.safetensors", 1 << 24, &bytes, &size));
    assert_ok(vkp_safetensors_read("model.safetensors", &file));
    assert_ok(vkp_safetensors_open(bytes, size, "memory", &memory));
    const vkp_safetensor *a = vkp_safetensors_list(memory, &count), *b = vkp_safetensors_list(file, &wanted);
    assert_int_equal(count, wanted);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(a[i].name, b[i].name);
        assert_memory_equal(a[i].data, b[i].data, a[i].bytes);
    }
    vkp_safetensors_free(memory);
    vkp_safetensors_free(file);
    for (size_t cut = 0; cut < size; cut = 3 * cut / 2 + 1) {
        void *part = malloc(cut + 1); /* of its own, so that reading past its end is seen */
        assert_non_null(part);
        part = realloc(part, cut ? cut : 1);
        memcpy(part, bytes, cut);
        assert_int_equal(vkp_safetensors_open(part, cut, "memory", &memory), VKP_FORMAT);
        assert_null(memory);
        assert_non_null(strstr(vkp_error(), "memory"));
        free(part);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_and_small), cmocka_unit_test(colour_by_name), cmocka_unit_test(the_default),
        cmocka_unit_test(names_are_told),  cmocka_unit_test(from_memory),
    };
    return cmocka_run_group_tests(tests, enter, scratch_leave);
}
