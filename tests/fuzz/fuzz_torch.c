/* PyTorch's files: a first byte of 0 and a pickle, or another and the archive around it. */
#include <stdlib.h>
#include <string.h>

#include "formats/pickle.h"
#include "formats/torch_file.h"
#include "fuzz.h"

static void read_pickle(const uint8_t *data, size_t size)
{
    vkp_pickled_tensor *tensors;
    size_t count;
    const vkp_status status = vkp_pickle_read(data, size, "fuzz", &tensors, &count);
    if (status != VKP_OK) {
        fuzz_check_error(status);
        fuzz_check(!tensors && !count);
        return;
    }
    fuzz_check(count > 0);
    for (size_t i = 0; i < count; i++) {
        const size_t name = strlen(tensors[i].name), storage = strlen(tensors[i].storage);
        fuzz_check(name && name < VKP_PICKLE_TEXT && storage && storage < VKP_PICKLE_TEXT);
        fuzz_check(tensors[i].rank <= VKP_SAFETENSORS_MAX_RANK && tensors[i].dtype < VKP_SAFETENSORS_OTHER);
    }
    free(tensors);
}

/* Every byte of a tensor is there. */
static void look_at(const vkp_safetensor *t)
{
    const uint8_t *bytes = t->data;
    size_t elements = 1, all = 0;
    for (size_t i = 0; i < t->rank; i++) elements *= t->shape[i];
    for (size_t i = 0; i < t->bytes; i++) all += bytes[i];
    fuzz_check(elements && t->bytes % elements == 0 && all <= 255 * t->bytes);
}

static void read_archive(const uint8_t *data, size_t size)
{
    vkp_torch_file *file;
    size_t count;
    vkp_status status = vkp_torch_file_open(data, size, "fuzz", &file);
    if (status == VKP_OK) status = vkp_torch_file_load(file);
    if (status != VKP_OK) fuzz_check_error(status);
    if (status == VKP_OK) {
        const vkp_safetensor *list = vkp_torch_file_list(file, &count);
        for (size_t i = 0; i < count; i++) look_at(&list[i]);
    }
    vkp_torch_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    if (*data) read_archive(data + 1, size - 1);
    else read_pickle(data + 1, size - 1);
    return 0;
}
