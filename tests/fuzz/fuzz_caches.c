/* The files of the cache folder. The first byte says which, and whether the bytes are the whole file or what
 * stands between a head and a checksum that are right. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "fuzz.h"
#include "tune/choices.h"
#include "vk/cache_file.h"

static const vkp_device device = {.info = {.vendor_id = 1, .device_id = 2, .driver_version = 3}};

static void read_choices(const void *text, size_t size)
{
    vkp_choices choices = {0};
    const bool good = vkp_choices_read(&choices, &device, fuzz_write("variants.txt", text, size));
    fuzz_check(good || !choices.count);
    for (size_t i = 0; i < choices.count; i++) {
        const vkp_choice *c = &choices.list[i];
        fuzz_check(memchr(c->key, 0, sizeof c->key) && memchr(c->name, 0, sizeof c->name));
        fuzz_check(vkp_choices_find(&choices, c->key) == c);
    }
    vkp_choices_free(&choices);
}

enum { CHECKSUM = sizeof "checksum 0123456789abcdef\n" - 1 };

/* The lines before the choices, from a file without any. */
static const char *head_of_choices(size_t *length)
{
    static char *head;
    static size_t head_length;
    if (!head) {
        const vkp_choices none = {0};
        void *text;
        const char *path = fuzz_write("head.txt", "", 0);
        fuzz_check(vkp_choices_write(&none, &device, path) == VKP_OK);
        fuzz_check(vkp_file_read(path, 1 << 20, &text, &head_length) == VKP_OK && head_length > CHECKSUM);
        head_length -= CHECKSUM;
        head = text;
    }
    *length = head_length;
    return head;
}

static void read_framed_choices(const uint8_t *data, size_t size)
{
    size_t length;
    const char *head = head_of_choices(&length);
    char *text = malloc(length + size + CHECKSUM + 1);
    fuzz_check(text != NULL);
    memcpy(text, head, length);
    memcpy(text + length, data, size);
    length += size;
    const uint64_t sum = XXH3_64bits(text, length);
    length += (size_t)snprintf(text + length, CHECKSUM + 1, "checksum %016" PRIx64 "\n", sum);
    read_choices(text, length);
    free(text);
}

/* Only what this device wrote is the driver's to read. */
static void read_pipelines(const uint8_t *data, size_t size)
{
    size_t bytes;
    const uint8_t *found = vkp_cache_file_data(&device.info, data, size, &bytes);
    fuzz_check(found ? found + bytes == data + size : !bytes);
}

static void read_framed_pipelines(const uint8_t *data, size_t size)
{
    const vkp_cache_header header = vkp_cache_header_for(&device.info, data, size);
    uint8_t *file = malloc(sizeof header + size);
    size_t bytes;
    fuzz_check(file != NULL);
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, data, size);
    fuzz_check(vkp_cache_file_data(&device.info, file, sizeof header + size, &bytes) && bytes == size);
    for (size_t i = 0; i < sizeof header; i++) {
        file[i] ^= 1;
        fuzz_check(!vkp_cache_file_data(&device.info, file, sizeof header + size, &bytes));
        file[i] ^= 1;
    }
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    switch (*data % 4) {
    case 0: read_choices(data + 1, size - 1); break;
    case 1: read_framed_choices(data + 1, size - 1); break;
    case 2: read_pipelines(data + 1, size - 1); break;
    default: read_framed_pipelines(data + 1, size - 1); break;
    }
    return 0;
}
