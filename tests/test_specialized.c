/* shaders/specialized.txt lists the pipelines that colouring a picture with the default settings needs on a
 * driver with eight lanes, the software driver's: `test_specialized --write` makes it, without an argument
 * the file must be what would be written, and the shaders made of it must leave nothing to specialize. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "device_fixture.h"
#include "nn/colorizer.h"
#include "scratch.h"
#include "small_model.h"
#include "small_picture.h"
#include "vk/pipeline.h"

#define PATH VKP_TEST_SOURCE_DIR "/../shaders/specialized.txt"
enum { LANES = 8 };

/* Of the SPIR-V specification. An instruction's first word is its length and its opcode. */
enum { HEADER_WORDS = 5 };
enum opcode {
    OP_TYPE_FLOAT = 22,
    OP_SPEC_CONSTANT_TRUE = 48,
    OP_SPEC_CONSTANT_FALSE,
    OP_SPEC_CONSTANT,
    OP_SPEC_CONSTANT_COMPOSITE,
    OP_SPEC_CONSTANT_OP,
    OP_FUNCTION = 54,
    OP_DECORATE = 71,
    OP_LOOP_MERGE = 246
};
enum { DECORATION_SPEC_ID = 1, LOOP_CONTROL_UNROLL = 1 };
static uint32_t opcode(const uint32_t *at) { return at[0] & 0xffff; }
static uint32_t length(const uint32_t *at) { return at[0] >> 16; }

typedef enum kind { WORD, BOOL, FLOAT } kind;

static bool is_constant(const uint32_t *at)
{
    return opcode(at) >= OP_SPEC_CONSTANT_TRUE && opcode(at) <= OP_SPEC_CONSTANT_OP;
}

/* What the specialization constant of this number is in a module; WORD too where there is none. */
static kind constant_kind(const vkp_shader_code *code, uint32_t number)
{
    const uint32_t *end = code->words + code->bytes / 4;
    uint32_t id = 0, real = 0;
    for (const uint32_t *at = code->words + HEADER_WORDS; at < end; at += length(at)) {
        if (opcode(at) == OP_DECORATE && at[2] == DECORATION_SPEC_ID && at[3] == number) id = at[1];
        if (opcode(at) == OP_TYPE_FLOAT) real = at[1];
        if (!id || !is_constant(at) || at[2] != id) continue;
        return opcode(at) != OP_SPEC_CONSTANT ? BOOL : real && at[1] == real ? FLOAT : WORD;
    }
    return WORD;
}

static void print_row(FILE *to, const vkp_pipeline_key *key)
{
    const vkp_shader_code *code = &vkp_shader_table[key->shader];
    fputs(code->name, to);
    for (uint32_t i = 0; i < key->spec_count; i++) {
        const uint32_t word = key->spec[i];
        float real;
        memcpy(&real, &word, sizeof real);
        switch (constant_kind(code, i)) {
        case BOOL: fputs(word ? " true" : " false", to); break;
        case FLOAT: fprintf(to, " %.9e", (double)real); break;
        default: fprintf(to, " %u", word);
        }
    }
    fputc('\n', to);
}

/* The rows of all pipelines with specialization constants, sorted, each once. */
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void print_list(FILE *to)
{
    enum { MOST = 256 };
    char *rows[MOST];
    size_t count = 0, size;
    const vkp_pipeline *pipeline;
    for (size_t i = 0; (pipeline = vkp_pipeline_at(test_device, i)); i++) {
        if (!pipeline->key.spec_count) continue;
        assert_true(count < MOST);
        FILE *row = open_memstream(&rows[count++], &size);
        assert_non_null(row);
        print_row(row, &pipeline->key);
        assert_int_equal(fclose(row), 0);
    }
    qsort(rows, count, sizeof *rows, by_text);
    fputs("# Pipelines whose specialization constants are worked in at build time: those that colouring\n"
          "# needs on a driver with eight lanes. A shader and its constants 0, 1, ... a line.\n"
          "# Made by `build/tests/test_specialized --write`; do not edit it by hand.\n", to);
    for (size_t i = 0; i < count; i++) {
        if (!i || strcmp(rows[i], rows[i - 1]) != 0) fputs(rows[i], to);
        if (i) free(rows[i - 1]);
    }
    if (count) free(rows[count - 1]);
}

static void colorize_picture(vkp_colorizer *colorizer, int width, int height)
{
    vkp_picture picture = small_picture_random(width, height, 1), colored;
    assert_ok(vkp_colorizer_predict(colorizer, &picture));
    assert_ok(vkp_colorizer_join(colorizer, &picture, 1, &colored));
    vkp_picture_free(&colored);
    vkp_picture_free(&picture);
}

/* Makes the pipelines of the default settings: those of the published network, which sees all pictures in one
 * square, and those of the built-in model for the usual proportions of photographs. */
static void colorize_once(void)
{
    static const int sides[][2] = {{3, 3}, {3, 2}, {2, 3}, {4, 3}, {3, 4}, {16, 9}, {9, 16}};
    vkp_colorizer *colorizer;
    small_model_write("model.safetensors");
    assert_ok(vkp_colorizer_create(test_device, &(vkp_colorizer_options){.model = "model.safetensors"},
                                   &colorizer));
    colorize_picture(colorizer, 64, 48);
    vkp_colorizer_destroy(colorizer);
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const int longer = sides[i][0] > sides[i][1] ? sides[i][0] : sides[i][1];
        assert_ok(vkp_colorizer_create(test_device, &(vkp_colorizer_options){.model = NULL}, &colorizer));
        colorize_picture(colorizer, 300 * sides[i][0] / longer, 300 * sides[i][1] / longer);
        vkp_colorizer_destroy(colorizer);
    }
}

static void the_list_is_up_to_date(void **state)
{
    (void)state;
    char *want = NULL;
    size_t want_size = 0, have_size = 0;
    void *have = NULL;
    colorize_once();
    if (test_device->info.limits.subgroup_size != LANES) skip();
    FILE *memory = open_memstream(&want, &want_size);
    assert_non_null(memory);
    print_list(memory);
    assert_int_equal(fclose(memory), 0);
    if (vkp_file_read(PATH, 1 << 20, &have, &have_size) != VKP_OK) fail_msg("%s", vkp_error());
    if (have_size != want_size || memcmp(have, want, want_size) != 0)
        fail_msg("shaders/specialized.txt is not what colouring needs (run build/tests/test_specialized "
                 "--write, then build again)");
    free(have);
    free(want);
}

/* Whether a row of the table is this pipeline's. */
static bool is_specialized(const vkp_pipeline_key *key)
{
    for (const vkp_specialized_code *s = vkp_specialized_table; s->code.words; s++)
        if (s->shader == key->shader && s->spec_count == key->spec_count &&
            memcmp(s->spec, key->spec, key->spec_count * sizeof *key->spec) == 0)
            return true;
    return false;
}

static void every_pipeline_has_its_row(void **state)
{
    (void)state;
    const vkp_pipeline *pipeline;
    if (test_device->info.limits.subgroup_size != LANES) skip();
    for (size_t i = 0; (pipeline = vkp_pipeline_at(test_device, i)); i++)
        if (pipeline->key.spec_count && !is_specialized(&pipeline->key)) {
            print_row(stderr, &pipeline->key);
            fail_msg("this pipeline is not in the table made of shaders/specialized.txt");
        }
}

static void nothing_is_left_to_specialize(void **state)
{
    (void)state;
    size_t count = 0;
    for (const vkp_specialized_code *s = vkp_specialized_table; s->code.words; s++, count++) {
        const uint32_t *end = s->code.words + s->code.bytes / 4;
        uint32_t loops = 0, functions = 0;
        assert_true(s->spec_count > 0 && s->spec_count <= VKP_MAX_SPEC);
        for (const uint32_t *at = s->code.words + HEADER_WORDS; at < end; at += length(at)) {
            if (is_constant(at)) fail_msg("%s has a specialization constant left", s->code.name);
            loops += opcode(at) == OP_LOOP_MERGE && (at[3] & LOOP_CONTROL_UNROLL);
            functions += opcode(at) == OP_FUNCTION;
        }
        if (loops || functions != 1)
            fail_msg("row %zu, %s, has %u loops to unroll and %u functions", count + 1, s->code.name, loops,
                     functions);
    }
    assert_true(count > 0);
}

static int enter(void **state) { return scratch_enter(state) || open_test_device(state) ? -1 : 0; }

static int leave(void **state)
{
    const int device = close_test_device(state);
    return scratch_leave(state) || device ? -1 : 0;
}

static void write_list(void **state)
{
    (void)state;
    colorize_once();
    assert_int_equal(test_device->info.limits.subgroup_size, LANES); /* run it on lavapipe */
    FILE *file = fopen(PATH, "w");
    assert_non_null(file);
    print_list(file);
    assert_int_equal(fclose(file), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest writing[] = {cmocka_unit_test(write_list)};
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_list_is_up_to_date),
                                       cmocka_unit_test(every_pipeline_has_its_row),
                                       cmocka_unit_test(nothing_is_left_to_specialize)};
    if (argc > 1 && strcmp(argv[1], "--write") == 0) return cmocka_run_group_tests(writing, enter, leave);
    return cmocka_run_group_tests(tests, enter, leave);
}
