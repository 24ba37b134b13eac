#include "formats/torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "formats/pickle.h"

struct vkp_torch_file {
    const char *name;
    zip_t *zip;
    char folder[VKP_PICKLE_TEXT]; /* the archive's one folder */
    vkp_pickled_tensor *tensors;
    vkp_safetensor *list;
    void **values; /* of each tensor of the list */
    size_t count;
};

static vkp_status refuse(const vkp_torch_file *f, const char *why)
{
    return vkp_fail(VKP_FORMAT, "cannot use %s (%s; save network.state_dict() again with torch.save)",
                    f->name, why);
}

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a PyTorch file (host memory ran out; close other programs)");
}

/* A safetensors file may begin with the same two bytes, as a length. No network's is so long that the third
 * would be an opcode. */
bool vkp_torch_file_is(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    if (size < 4) return false;
    return memcmp(b, "PK\3\4", 4) == 0 || (b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 && b[2] >= '(');
}

/* Finds the entry `below` in the archive's folder: its index, or -1. */
static zip_int64_t find_entry(const vkp_torch_file *f, const char *below, const char *key)
{
    char path[2 * VKP_PICKLE_TEXT + 16];
    snprintf(path, sizeof path, "%s/%s%s", f->folder, below, key);
    return zip_name_locate(f->zip, path, 0);
}

static bool entry_size(const vkp_torch_file *f, zip_int64_t index, uint64_t *bytes)
{
    zip_stat_t stat;
    if (index < 0 || zip_stat_index(f->zip, (zip_uint64_t)index, 0, &stat) || !(stat.valid & ZIP_STAT_SIZE))
        return false;
    *bytes = stat.size;
    return true;
}

/* Reads an entry of so many bytes to its end, so that its checksum is verified. */
static bool read_entry(const vkp_torch_file *f, zip_int64_t index, void *to, uint64_t bytes)
{
    zip_file_t *entry = zip_fopen_index(f->zip, (zip_uint64_t)index, 0);
    if (!entry) return false;
    uint64_t done = 0;
    zip_int64_t got = 1;
    while (done < bytes && got > 0) {
        got = zip_fread(entry, (char *)to + done, bytes - done);
        if (got > 0) done += (uint64_t)got;
    }
    char more;
    const bool whole = done == bytes && zip_fread(entry, &more, 1) == 0;
    return zip_fclose(entry) == 0 && whole;
}

/* The folder is what stands before "/data.pkl". */
static vkp_status find_folder(vkp_torch_file *f)
{
    static const char pickle[] = "/data.pkl";
    const zip_int64_t entries = zip_get_num_entries(f->zip, 0);
    for (zip_int64_t i = 0; i < entries; i++) {
        const char *name = zip_get_name(f->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        const char *slash = name ? strchr(name, '/') : NULL;
        if (!slash || strcmp(slash, pickle) != 0 || (size_t)(slash - name) >= sizeof f->folder) continue;
        snprintf(f->folder, sizeof f->folder, "%.*s", (int)(slash - name), name);
        return VKP_OK;
    }
    return refuse(f, "it is a zip archive without PyTorch's data.pkl");
}

static vkp_status open_zip(vkp_torch_file *f, const void *bytes, size_t size)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
    f->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (source && !f->zip) zip_source_free(source);
    zip_error_fini(&error);
    return f->zip ? VKP_OK : refuse(f, "its zip archive is truncated or damaged");
}

static vkp_status check_byte_order(const vkp_torch_file *f)
{
    uint64_t bytes;
    char order[8] = "";
    const zip_int64_t index = find_entry(f, "byteorder", "");
    if (index < 0) return VKP_OK; /* before PyTorch 2.1 it was not said */
    if (!entry_size(f, index, &bytes) || bytes >= sizeof order || !read_entry(f, index, order, bytes) ||
        strcmp(order, "little") != 0)
        return refuse(f, "its numbers are not little endian");
    return VKP_OK;
}

static vkp_status read_pickle(vkp_torch_file *f)
{
    uint64_t bytes;
    const zip_int64_t index = find_entry(f, "data.pkl", "");
    if (!entry_size(f, index, &bytes) || bytes > VKP_TORCH_FILE_MAX_PICKLE)
        return refuse(f, "its pickle is far larger than that of a state_dict");
    void *pickle = malloc((size_t)bytes + 1);
    if (!pickle) return no_memory();
    const vkp_status status = read_entry(f, index, pickle, bytes)
                                  ? vkp_pickle_read(pickle, (size_t)bytes, f->name, &f->tensors, &f->count)
                                  : refuse(f, "its pickle is damaged");
    free(pickle);
    return status;
}

static vkp_status make_list(vkp_torch_file *f)
{
    f->list = calloc(f->count + 1, sizeof *f->list);
    f->values = calloc(f->count + 1, sizeof *f->values);
    if (!f->list || !f->values) return no_memory();
    for (size_t i = 0; i < f->count; i++) {
        const vkp_pickled_tensor *t = &f->tensors[i];
        f->list[i] = (vkp_safetensor){.name = t->name, .dtype = t->dtype, .rank = t->rank};
        for (size_t k = 0; k < t->rank; k++) f->list[i].shape[k] = (size_t)t->size[k];
    }
    return VKP_OK;
}

static vkp_status open_file(vkp_torch_file *f, const void *bytes, size_t size)
{
    if (size && *(const uint8_t *)bytes == 0x80)
        return refuse(f, "it has the format from before PyTorch 1.6, a bare pickle");
    if (size > VKP_TORCH_FILE_MAX_BYTES) return refuse(f, "it is far larger than any network of vkpix's");
    VKP_TRY(open_zip(f, bytes, size));
    VKP_TRY(find_folder(f));
    VKP_TRY(check_byte_order(f));
    VKP_TRY(read_pickle(f));
    return make_list(f);
}

vkp_status vkp_torch_file_open(const void *bytes, size_t size, const char *name, vkp_torch_file **out)
{
    vkp_torch_file *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f) return no_memory();
    f->name = name;
    const vkp_status status = open_file(f, bytes, size);
    if (status == VKP_OK)
        *out = f;
    else
        vkp_torch_file_close(f);
    return status;
}

void vkp_torch_file_close(vkp_torch_file *f)
{
    if (!f) return;
    if (f->zip) zip_discard(f->zip);
    for (size_t i = 0; f->values && i < f->count; i++) free(f->values[i]);
    free(f->values);
    free(f->list);
    free(f->tensors);
    free(f);
}

const vkp_safetensor *vkp_torch_file_list(const vkp_torch_file *f, size_t *count)
{
    *count = f->count;
    return f->list;
}

static size_t element_bytes(vkp_safetensors_dtype dtype)
{
    return dtype == VKP_SAFETENSORS_F64 || dtype == VKP_SAFETENSORS_I64 ? 8
           : dtype == VKP_SAFETENSORS_F32                               ? 4
                                                                        : 2;
}

static vkp_status refuse_tensor(const vkp_torch_file *f, const vkp_pickled_tensor *t, const char *why)
{
    char text[VKP_PICKLE_TEXT + 64];
    snprintf(text, sizeof text, "tensor %.64s %s", t->name, why);
    return refuse(f, text);
}

/* Whether every element lies in the storage; *elements is their number. All factors are kept below 2^32. */
static bool fits(const vkp_pickled_tensor *t, uint64_t *elements)
{
    uint64_t last = t->offset;
    *elements = 1;
    if (t->storage_count > VKP_TORCH_FILE_MAX_BYTES || t->offset > t->storage_count) return false;
    for (size_t i = 0; i < t->rank; i++) {
        if (!t->size[i] || t->size[i] > VKP_TORCH_FILE_MAX_BYTES) return false;
        *elements *= t->size[i];
        if (*elements > VKP_TORCH_FILE_MAX_BYTES) return false;
        if (t->size[i] > 1 && t->stride[i] > t->storage_count) return false;
        if (t->size[i] > 1) last += (t->size[i] - 1) * t->stride[i];
        if (last >= t->storage_count) return false;
    }
    return last < t->storage_count;
}

/* Row-major from whatever the strides are: the last index counts fastest. */
static void gather(const vkp_pickled_tensor *t, const char *storage, size_t bytes, uint64_t elements,
                   char *to)
{
    uint64_t index[VKP_SAFETENSORS_MAX_RANK] = {0}, from = t->offset;
    for (uint64_t n = 0; n < elements; n++, to += bytes) {
        memcpy(to, storage + from * bytes, bytes);
        for (size_t i = t->rank; i-- > 0;) {
            from += t->stride[i];
            if (++index[i] < t->size[i]) break;
            from -= t->size[i] * t->stride[i];
            index[i] = 0;
        }
    }
}

static vkp_status load(vkp_torch_file *f, size_t i)
{
    const vkp_pickled_tensor *t = &f->tensors[i];
    const size_t each = element_bytes(t->dtype);
    uint64_t elements, bytes;
    if (!fits(t, &elements)) return refuse_tensor(f, t, "reaches beyond its storage");
    const zip_int64_t index = find_entry(f, "data/", t->storage);
    if (!entry_size(f, index, &bytes) || bytes != t->storage_count * each)
        return refuse_tensor(f, t, "has a storage that is missing or of another size");
    char *storage = malloc((size_t)bytes);
    f->values[i] = malloc((size_t)elements * each);
    vkp_status status = storage && f->values[i] ? VKP_OK : no_memory();
    if (status == VKP_OK && !read_entry(f, index, storage, bytes))
        status = refuse_tensor(f, t, "has a storage that is damaged");
    if (status == VKP_OK) {
        gather(t, storage, each, elements, f->values[i]);
        f->list[i].data = f->values[i];
        f->list[i].bytes = (size_t)elements * each;
    }
    free(storage);
    return status;
}

vkp_status vkp_torch_file_load(vkp_torch_file *f)
{
    for (size_t i = 0; i < f->count; i++) VKP_TRY(load(f, i));
    return VKP_OK;
}
