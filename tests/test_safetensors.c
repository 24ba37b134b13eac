/* safetensors: files cross to and from an independent reader and writer (tests/reference), come back bit for
 * bit, and no damaged file crashes the reader or is taken for whole. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "nn/safetensors.h"
#include "scratch.h"

static const float weight[3] = {1.5f, -0.25f, 0x1p-149f};
static const int64_t tracked = -(INT64_C(1) << 62) - 1;
static const vkp_safetensor sample[] = {
    {.name = "a.weight", .dtype = VKP_SAFETENSORS_F32, .rank = 2, .shape = {3, 1}, .data = weight},
    {.name = "a.num_batches_tracked", .dtype = VKP_SAFETENSORS_I64, .data = &tracked},
    {.name = "none", .dtype = VKP_SAFETENSORS_F32, .rank = 1, .shape = {0}, .data = weight},
};
static const vkp_safetensors_pair sample_pairs[] = {{"made by", "a \"test\"\n"}};

static void write_sample(const char *path)
{
    assert_int_equal(vkp_safetensors_write(path, sample, 3, sample_pairs, 1), VKP_OK);
}

static void comes_back_bit_for_bit(void **state)
{
    (void)state;
    write_sample("sample");
    vkp_safetensors *file;
    assert_int_equal(vkp_safetensors_read("sample", &file), VKP_OK);
    size_t count;
    const vkp_safetensor *list = vkp_safetensors_list(file, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(list[i].name, sample[i].name);
    float values[3];
    assert_int_equal(vkp_safetensors_copy_f32(file, "a.weight", 2, (size_t[]){3, 1}, values), VKP_OK);
    assert_memory_equal(values, weight, sizeof weight);
    int64_t value;
    assert_int_equal(vkp_safetensors_copy_i64(file, "a.num_batches_tracked", 0, NULL, &value), VKP_OK);
    assert_true(value == tracked);
    assert_int_equal(vkp_safetensors_copy_f32(file, "none", 1, (size_t[]){0}, values), VKP_OK);
    assert_string_equal(vkp_safetensors_metadata(file, "made by"), "a \"test\"\n");
    assert_null(vkp_safetensors_metadata(file, "absent"));
    assert_null(vkp_safetensors_find(file, "absent"));
    vkp_safetensors_free(file);
    vkp_safetensors_free(NULL);
}

static void says_what_does_not_fit(void **state)
{
    (void)state;
    write_sample("sample");
    vkp_safetensors *file;
    float values[3];
    int64_t value;
    assert_int_equal(vkp_safetensors_read("sample", &file), VKP_OK);
    assert_int_equal(vkp_safetensors_copy_f32(file, "a.weight", 2, (size_t[]){1, 3}, values), VKP_SHAPE);
    assert_string_equal(vkp_error(), "cannot use sample (tensor a.weight has shape [3, 1], not [1, 3]; "
                                     "use a checkpoint of this network)");
    assert_int_equal(vkp_safetensors_copy_f32(file, "a.weight", 1, (size_t[]){3}, values), VKP_SHAPE);
    assert_int_equal(vkp_safetensors_copy_f32(file, "b", 1, (size_t[]){3}, values), VKP_FORMAT);
    assert_non_null(strstr(vkp_error(), "it has no tensor b;"));
    assert_int_equal(vkp_safetensors_copy_f32(file, "a.num_batches_tracked", 0, NULL, values), VKP_FORMAT);
    assert_int_equal(vkp_safetensors_copy_i64(file, "a.weight", 2, (size_t[]){3, 1}, &value), VKP_FORMAT);
    assert_string_equal(vkp_error(), "cannot use sample (tensor a.weight is F32; save it as I64)");
    vkp_safetensors_free(file);
    vkp_safetensor twice[2] = {sample[0], sample[0]};
    assert_int_equal(vkp_safetensors_write("twice", twice, 2, NULL, 0), VKP_INTERNAL);
    twice[1].name = "__metadata__";
    assert_int_equal(vkp_safetensors_write("twice", twice, 2, NULL, 0), VKP_INTERNAL);
    twice[1].dtype = VKP_SAFETENSORS_BF16;
    assert_int_equal(vkp_safetensors_write("twice", twice, 2, NULL, 0), VKP_INTERNAL);
    assert_false(vkp_file_exists("twice"));
    assert_int_equal(vkp_safetensors_write("no/folder", sample, 3, NULL, 0), VKP_IO);
    assert_int_equal(vkp_safetensors_read("absent", &file), VKP_IO);
    assert_null(file);
}

static void reads_what_python_wrote(void **state)
{
    (void)state;
    vkp_safetensors *file;
    assert_int_equal(vkp_safetensors_read(VKP_TEST_SOURCE_DIR "/data/python.safetensors", &file), VKP_OK);
    size_t count;
    vkp_safetensors_list(file, &count);
    assert_int_equal(count, 5);
    float values[10];
    int64_t value;
    assert_int_equal(vkp_safetensors_copy_f32(file, "conv.weight", 2, (size_t[]){2, 3}, values), VKP_OK);
    const float expected[6] = {0.5f, -1, 3e-39f, 1e30f, 0.1f, -0.0f};
    assert_memory_equal(values, expected, sizeof expected);
    assert_int_equal(vkp_safetensors_copy_i64(file, "norm.num_batches_tracked", 0, NULL, &value), VKP_OK);
    assert_true(value == 1234567890123);
    assert_int_equal(vkp_safetensors_copy_f32(file, "half", 2, (size_t[]){5, 2}, values), VKP_OK);
    const float halves[10] = {0.0f, -0.0f, 1, -2, 0x1p-24f, -1023 * 0x1p-24f, 65504, INFINITY, -INFINITY,
                              0x1.554p-2f};
    assert_memory_equal(values, halves, sizeof halves);
    assert_int_equal(vkp_safetensors_copy_f32(file, "bytes", 1, (size_t[]){3}, values), VKP_FORMAT);
    assert_string_equal(vkp_safetensors_metadata(file, "format"), "pt");
    vkp_safetensors_free(file);
}

static void python_reads_what_is_written(void **state)
{
    (void)state;
    static const char check[] =
        "python3 " VKP_TEST_SOURCE_DIR "/reference/safetensors_fixture.py check sample";
    if (system("python3 -c '' >/dev/null 2>&1") != 0) skip();
    write_sample("sample");
    assert_int_equal(system(check), 0);
}

/* Without any flush to the disk, for the loops that write thousands of files: vkp_file_write makes one, and
 * file systems do when an old file is cut to nothing. */
static void put_file(const char *path, const void *content, size_t bytes)
{
    remove(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* A file of the given header (its length put before) and data; what reading it gives. */
static vkp_status read_made(const char *header, size_t data_bytes)
{
    char content[2048] = {0};
    uint64_t length = strlen(header);
    assert_true(8 + length + data_bytes <= sizeof content);
    memcpy(content, &length, 8);
    memcpy(content + 8, header, length);
    put_file("made", content, 8 + length + data_bytes);
    vkp_safetensors *file;
    vkp_status status = vkp_safetensors_read("made", &file);
    vkp_safetensors_free(file);
    return status;
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_made("{}", 0), VKP_OK);
    assert_int_equal(read_made("{\"a\":{\"dtype\":\"F8\",\"shape\":[9],\"data_offsets\":[0,4]}}", 4), VKP_OK);
    static const struct {
        const char *header, *why;
    } cases[] = {
        {"", "not JSON"},
        {"[]", "not JSON"},
        {" {}", "not JSON"},
        {"{\"a\":", "not JSON"},
        {"{} x", "something follows"},
        {"{}", "holes"},
        {"{\"a\":1}", "no dtype"},
        {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", "no dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,4]}}", "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,4]}}", "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4503599627370497,1024],\"data_offsets\":[0,4]}}", "not fit"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "does not fit"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1e15,2e15]}}", "outside"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[1,4]}}", "holes"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]}}", "holes"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]},"
         "\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[2,4]}}", "overlap"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[2,4]}}", "there twice"},
        {"{\"__metadata__\":[]}", "not an object"},
        {"{\"__metadata__\":{\"a\":1}}", "not a string"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", "two __metadata__"},
        {"{\"__metadata__\":{\"xxh3_64\":\"12\"},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", "checksum"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_made(cases[i].header, 4), VKP_FORMAT);
        if (!strstr(vkp_error(), cases[i].why)) fail_msg("%s gave %s", cases[i].header, vkp_error());
    }
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    char header[2001];
    memset(header, '[', 2000);
    memcpy(header, "{\"a\":", 5);
    header[2000] = 0;
    assert_int_equal(read_made(header, 0), VKP_FORMAT);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    write_sample("sample");
    void *content;
    size_t bytes;
    vkp_safetensors *file;
    assert_int_equal(vkp_file_read("sample", 4096, &content, &bytes), VKP_OK);
    for (size_t length = 0; length < bytes; length++) {
        put_file("cut", content, length);
        assert_int_equal(vkp_safetensors_read("cut", &file), VKP_FORMAT);
        assert_null(file);
    }
    free(content);
}

/* Any flipped bit of the data is found; one in the header may go unnoticed only where the result is again a
 * whole file (another name), and must never crash. */
static void flipped_bits_are_found(void **state)
{
    (void)state;
    write_sample("sample");
    void *content;
    size_t bytes;
    assert_int_equal(vkp_file_read("sample", 4096, &content, &bytes), VKP_OK);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        uint8_t *byte = (uint8_t *)content + bit / 8;
        *byte ^= (uint8_t)(1u << bit % 8);
        put_file("flipped", content, bytes);
        *byte ^= (uint8_t)(1u << bit % 8);
        vkp_safetensors *file;
        vkp_status status = vkp_safetensors_read("flipped", &file);
        vkp_safetensors_free(file);
        assert_true(status == VKP_FORMAT || (status == VKP_OK && bit >= 64 && bit / 8 < bytes - 20));
    }
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_bit_for_bit),
        cmocka_unit_test(says_what_does_not_fit),
        cmocka_unit_test(reads_what_python_wrote),
        cmocka_unit_test(python_reads_what_is_written),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_bits_are_found),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
