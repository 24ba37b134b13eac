/* vkpix import, with files that PyTorch itself made: `test_import FOLDER`, which tests/reference/make_pth.py
 * has filled. What is read must be PyTorch's values bit for bit, what is no state_dict must be refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "blob.h"
#include "dense.h"
#include "device_fixture.h"
#include "formats/import_file.h"
#include "formats/pickle.h"
#include "formats/torch_file.h"
#include "nn/weights.h"
#include "program.h"
#include "scratch.h"
#include "small_picture.h"

static char folder[4096];

static const char *path_of(const char *group, const char *name, const char *end)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s/%s%s", folder, group, name, end);
    return path;
}

static void compare(const char *name, const char *expected)
{
    size_t count, got_count;
    vkp_safetensors *want = dense_open(path_of("good", expected, ".expected")), *got = dense_open("imported");
    const vkp_safetensor *list = vkp_safetensors_list(want, &count);
    vkp_safetensors_list(got, &got_count);
    size_t compared = 0;
    for (size_t i = 0; i < count; i++) {
        const vkp_safetensor *w = &list[i];
        if (!vkp_safetensors_find(got, w->name)) {
            assert_true(strcmp(name, "old") == 0 && w->dtype == VKP_SAFETENSORS_I64);
            continue;
        }
        void *values = malloc(w->bytes);
        assert_non_null(values);
        if (w->dtype == VKP_SAFETENSORS_I64)
            assert_ok(vkp_safetensors_copy_i64(got, w->name, w->rank, w->shape, values));
        else
            assert_ok(vkp_safetensors_copy_f32(got, w->name, w->rank, w->shape, values));
        if (memcmp(values, w->data, w->bytes) != 0) fail_msg("%s: %s has other values", name, w->name);
        free(values);
        compared++;
    }
    assert_true(compared == got_count && compared > 10);
    vkp_safetensors_free(want);
    vkp_safetensors_free(got);
}

static void pytorchs_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
        vkp_network_kind kind;
    } files[] = {
        {"unet", "unet", VKP_NETWORK_UNET},
        {"natural", "natural", VKP_NETWORK_NATURAL},
        {"d_batch", "d_batch", VKP_NETWORK_D_BATCH},
        {"d_instance", "d_instance", VKP_NETWORK_D_INSTANCE},
        {"channels_last", "channels_last", VKP_NETWORK_UNET},
        {"float16", "float16", VKP_NETWORK_UNET},
        {"float64", "float64", VKP_NETWORK_UNET},
        {"bfloat16", "bfloat16", VKP_NETWORK_UNET},
        {"parameters", "unet", VKP_NETWORK_UNET},
        {"one_storage", "unet", VKP_NETWORK_UNET},
        {"parallel", "unet", VKP_NETWORK_UNET},
        {"plain_dict", "unet", VKP_NETWORK_UNET},
        {"old", "unet", VKP_NETWORK_UNET},
        {"newer", "unet", VKP_NETWORK_UNET},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        vkp_imported imported;
        assert_ok(vkp_import_file(path_of("good", files[i].name, ".pth"), "imported", NULL, &imported));
        assert_int_equal(imported.kind, files[i].kind);
        compare(files[i].name, files[i].expected);
        /* What was written can be taken in again, as safetensors. */
        if (i > 3) continue;
        assert_ok(vkp_import_file("imported", "again", NULL, &imported));
        const blob a = blob_read("imported"), b = blob_read("again");
        assert_true(a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0);
        free(a.bytes);
        free(b.bytes);
    }
}

/* Each in one line that says why, and nothing is left behind; the program does not run what a file says. */
static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *name, *word;
    } files[] = {
        {"byte_order", "little endian"},
        {"checkpoint", "not everything in it is a tensor"},
        {"checksum", "storage that is damaged"},
        {"count", "of another size"},
        {"count_huge", "beyond its storage"},
        {"counter", "no whole number"},
        {"counters", "num_batches_tracked"},
        {"empty", "nothing in it"},
        {"evil", "posix.system"},
        {"extra", "enc9.0.weight does not belong"},
        {"huge_pickle", "far larger"},
        {"int32", "torch.IntStorage"},
        {"int64", "holds no floats"},
        {"legacy", "before PyTorch 1.6"},
        {"missing", "enc1.0.weight is missing"},
        {"nan", "not finite"},
        {"no_pickle", "without PyTorch's data.pkl"},
        {"offset", "beyond its storage"},
        {"other_zip", "without PyTorch's data.pkl"},
        {"pickle_alone", "before PyTorch 1.6"},
        {"protocol", "protocol"},
        {"shape", "enc1.0.weight has another shape"},
        {"size_huge", "another shape"},
        {"storage", "missing"},
        {"stride", "beyond its storage"},
        {"stride_huge", "beyond its storage"},
        {"stride_negative", "damaged"},
        {"tensor", "no state_dict"},
        {"truncated", "truncated"},
        {"whole_network", "networks.Generator"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = path_of("bad", files[i].name, ".pth");
        if (!vkp_file_exists(path)) fail_msg("%s is missing", path);
        program_expect(program_run("", "import '%s' --out no.safetensors", path), 1, files[i].word);
        assert_false(vkp_file_exists("no.safetensors") || vkp_file_exists("executed"));
    }
    program_expect(program_run("", "import nothing.pth --out no.safetensors"), 1, "nothing.pth");
    program_expect(program_run("", "import '%s' --out no.safetensors", path_of("good", "unet", ".pth")), 0,
                   "");
    program_expect(program_run("", "import '%s'", path_of("good", "unet", ".pth")), 2, "--out");
    program_expect(program_run("", "import '%s' --out x/y", path_of("good", "unet", ".pth")), 1, "x/y");
    program_expect(program_run("", "import '%s' --preset natural --out y", path_of("good", "unet", ".pth")),
                   2, "natural");
    program_expect(program_run("", "import '%s' --preset none --out y", path_of("good", "unet", ".pth")), 2,
                   "none");
    assert_false(vkp_file_exists("y"));
}

/* Settings go with generators: of the preset asked for, of the file, natural's own. */
static void settings(void **state)
{
    (void)state;
    vkp_weights w;
    program_expect(program_run("", "import '%s' --preset train03 --out a.safetensors",
                               path_of("good", "float16", ".pth")),
                   0, "");
    program_expect(program_run("", "import a.safetensors --out b.safetensors"), 0, "");
    assert_ok(vkp_weights_find("b.safetensors", &w));
    assert_true(w.configured && w.config.size == 256 && w.config.network == VKP_CONFIG_UNET);
    vkp_weights_free(&w);
    program_expect(program_run("", "import '%s' --out n.safetensors", path_of("good", "natural", ".pth")), 0,
                   "");
    assert_ok(vkp_weights_find("n.safetensors", &w));
    assert_true(w.configured && w.config.network == VKP_CONFIG_NATURAL);
    vkp_weights_free(&w);
    small_picture_write("picture.png", 40, 30, 1);
    program_expect(program_run("", "colorize picture.png --size 32 --model n.safetensors --out c.png"), 0,
                   "");
    program_expect(program_run("", "colorize picture.png --size 32 --model b.safetensors --out d.png"), 0,
                   "");
}

/* A safetensors file's length may look like another's first bytes. */
static void kinds_of_files(void **state)
{
    (void)state;
    assert_true(vkp_torch_file_is("PK\3\4\0\0\x08\x08", 8) &&
                vkp_torch_file_is("\x80\2\x8a\nl\xfc\x9c\x46", 8));
    assert_true(!vkp_torch_file_is("PK\0\0\0\0\0\0{", 9) && !vkp_torch_file_is("\x80\2\0\0\0\0\0\0{", 9));
    assert_false(vkp_torch_file_is("PK\3", 3) || vkp_torch_file_is("", 0));
}

/* Every truncation and thousands of changed bytes: read or refused, never worse (run under sanitizers). */
static void damaged_pickles(void **state)
{
    (void)state;
    enum { CHANGES = 6000 };
    const blob file = blob_read(path_of("", "data.pkl", ""));
    unsigned read = 0, refused = 0;
    vkp_pickled_tensor *tensors;
    size_t count;
    assert_ok(vkp_pickle_read(file.bytes, file.size, "whole", &tensors, &count));
    assert_int_equal(count, 51);
    free(tensors);
    for (size_t size = 0; size < file.size; size += 1 + size / 64) {
        uint8_t *part = malloc(size + 1); /* of just that size, for the sanitizer */
        assert_non_null(part);
        uint8_t *own = memcpy(realloc(part, size ? size : 1), file.bytes, size);
        assert_int_equal(vkp_pickle_read(own, size, "part", &tensors, &count), VKP_FORMAT);
        free(own);
    }
    for (uint32_t i = 0; i < CHANGES; i++) {
        const uint32_t at = vkp_random_below(1, i, 0, (uint32_t)file.size), changes = 1 + i % 3;
        uint8_t saved[3];
        for (uint32_t k = 0; k < changes; k++) {
            uint8_t *byte = &file.bytes[(at + k) % file.size];
            saved[k] = *byte;
            *byte = (uint8_t)vkp_random_u32(2, i, k);
        }
        const vkp_status status = vkp_pickle_read(file.bytes, file.size, "changed", &tensors, &count);
        assert_true(status == VKP_OK || status == VKP_FORMAT);
        *(status == VKP_OK ? &read : &refused) += 1;
        free(tensors);
        for (uint32_t k = changes; k-- > 0;) file.bytes[(at + k) % file.size] = saved[k];
    }
    print_message("%u changed pickles: %u read, %u refused\n", CHANGES, read, refused);
    assert_true(read > 100 && refused > 1000);
    free(file.bytes);
}

/* The same of the archive around it: its headers, and the directory at its end. */
static void damaged_archives(void **state)
{
    (void)state;
    enum { CHANGES = 400, ENDS = 6000 };
    const blob file = blob_read(path_of("bad", "stride", ".pth"));
    unsigned read = 0, refused = 0;
    assert_true(file.size > ENDS);
    for (uint32_t i = 0; i < CHANGES; i++) {
        vkp_torch_file *f;
        const bool cut = i % 8 == 0;
        const size_t size = cut ? vkp_random_below(3, i, 0, (uint32_t)file.size) : file.size;
        const uint32_t from_end = vkp_random_below(4, i, 0, ENDS);
        uint8_t *byte = &file.bytes[i % 2 ? file.size - 1 - from_end : vkp_random_below(5, i, 0, ENDS)];
        const uint8_t saved = *byte;
        *byte = (uint8_t)vkp_random_u32(6, i, 0);
        vkp_status status = vkp_torch_file_open(file.bytes, size, "changed", &f);
        if (status == VKP_OK) status = vkp_torch_file_load(f);
        assert_true(status == VKP_FORMAT); /* as it is it has a tensor that reaches too far */
        *(f ? &read : &refused) += 1;
        vkp_torch_file_close(f);
        *byte = saved;
    }
    print_message("%u changed archives: %u opened, %u refused\n", CHANGES, read, refused);
    assert_true(read > 20 && refused > 100);
    free(file.bytes);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    snprintf(folder, sizeof folder, "%s", argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_files),  cmocka_unit_test(pytorchs_values),
        cmocka_unit_test(refusals),        cmocka_unit_test(settings),
        cmocka_unit_test(damaged_pickles), cmocka_unit_test(damaged_archives),
    };
    return cmocka_run_group_tests_name("files from PyTorch", tests, scratch_enter, scratch_leave);
}
