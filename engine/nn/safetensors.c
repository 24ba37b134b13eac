/* Reading and writing safetensors; the format is described in safetensors.h. What comes from a file is
 * believed only after it is checked: every length, offset and product of a shape. */
#include "nn/safetensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/half.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are little endian, and are read and written here without swapping"
#endif

static const char metadata_name[] = "__metadata__";
static const char checksum_name[] = "xxh3_64";

enum { PREFIX = 8, CHECKSUM_TEXT = 17, SHAPE_TEXT = 200 };

struct vkp_safetensors {
    char *path;
    void *content;         /* the file's bytes where they are its own, else NULL */
    cJSON *header;         /* owns the names and the metadata */
    const cJSON *metadata; /* NULL when the file has none */
    const uint8_t *data;
    size_t data_bytes;
    size_t count;
    vkp_safetensor *tensors;
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
#define X(name, bytes) {#name, bytes},
    VKP_SAFETENSORS_DTYPE_MAP(X)
#undef X
    {"another dtype", 0},
};

static vkp_safetensors_dtype dtype_of(const char *name)
{
    unsigned i = 0;
    while (i < VKP_SAFETENSORS_OTHER && strcmp(dtypes[i].name, name) != 0) i++;
    return (vkp_safetensors_dtype)i;
}

static vkp_status damaged(const char *path, const char *why)
{
    return vkp_fail(VKP_FORMAT, "cannot use %s (%s; it must be a whole safetensors file)", path, why);
}

static vkp_status damaged_tensor(const char *path, const char *name, const char *why)
{
    return vkp_fail(VKP_FORMAT, "cannot use %s (tensor %.80s: %s; it must be a whole safetensors file)", path,
                    name, why);
}

static vkp_status out_of_memory(const char *path)
{
    return vkp_fail(VKP_MEMORY, "cannot hold %s (host memory ran out; free some memory)", path);
}

static void checksum_text(XXH64_hash_t hash, char text[CHECKSUM_TEXT])
{
    snprintf(text, CHECKSUM_TEXT, "%016" PRIx64, (uint64_t)hash);
}

/* JSON numbers arrive as doubles, which hold integers exactly up to 2^53. */
static bool json_size(const cJSON *item, size_t *value)
{
    const double limit = 9007199254740992.0;
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= limit)) return false;
    *value = (size_t)item->valuedouble;
    return (double)*value == item->valuedouble;
}

/* False also when the product of the shape overflows. */
static bool read_shape(const cJSON *array, vkp_safetensor *tensor, size_t *elements)
{
    *elements = 1;
    tensor->rank = 0;
    if (!cJSON_IsArray(array)) return false;
    for (const cJSON *item = array->child; item; item = item->next) {
        size_t extent;
        if (tensor->rank == VKP_SAFETENSORS_MAX_RANK || !json_size(item, &extent)) return false;
        if (__builtin_mul_overflow(*elements, extent, elements)) return false;
        tensor->shape[tensor->rank++] = extent;
    }
    return true;
}

static vkp_status read_tensor(const vkp_safetensors *file, const cJSON *item, vkp_safetensor *tensor)
{
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    size_t elements, begin, end, bytes;
    tensor->name = item->string;
    if (!cJSON_IsString(dtype)) return damaged_tensor(file->path, tensor->name, "no dtype");
    tensor->dtype = dtype_of(dtype->valuestring);
    if (!read_shape(cJSON_GetObjectItemCaseSensitive(item, "shape"), tensor, &elements)) {
        return damaged_tensor(file->path, tensor->name, "its shape is missing, too large or not of integers");
    }
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !json_size(offsets->child, &begin) || !json_size(offsets->child->next, &end)) {
        return damaged_tensor(file->path, tensor->name, "no data_offsets");
    }
    if (begin > end || end > file->data_bytes) {
        return damaged_tensor(file->path, tensor->name, "its data lies outside the file");
    }
    tensor->data = file->data + begin;
    tensor->bytes = end - begin;
    if (tensor->dtype == VKP_SAFETENSORS_OTHER) return VKP_OK;
    if (__builtin_mul_overflow(elements, dtypes[tensor->dtype].bytes, &bytes) || bytes != tensor->bytes) {
        return damaged_tensor(file->path, tensor->name, "its shape does not fit the length of its data");
    }
    return VKP_OK;
}

static vkp_status read_metadata(vkp_safetensors *file, const cJSON *item)
{
    if (file->metadata) return damaged(file->path, "two __metadata__");
    if (!cJSON_IsObject(item)) return damaged(file->path, "__metadata__ is not an object");
    for (const cJSON *pair = item->child; pair; pair = pair->next) {
        if (!cJSON_IsString(pair)) return damaged(file->path, "__metadata__ holds what is not a string");
    }
    file->metadata = item;
    return VKP_OK;
}

static vkp_status read_tensors(vkp_safetensors *file)
{
    file->tensors = calloc((size_t)cJSON_GetArraySize(file->header) + 1, sizeof *file->tensors);
    if (!file->tensors) return out_of_memory(file->path);
    for (const cJSON *item = file->header->child; item; item = item->next) {
        if (strcmp(item->string, metadata_name) == 0) {
            VKP_TRY(read_metadata(file, item));
        } else {
            VKP_TRY(read_tensor(file, item, &file->tensors[file->count]));
            file->count++;
        }
    }
    return VKP_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const vkp_safetensor *const *)a)->name, (*(const vkp_safetensor *const *)b)->name);
}

static int compare_places(const void *a, const void *b)
{
    const vkp_safetensor *x = *(const vkp_safetensor *const *)a, *y = *(const vkp_safetensor *const *)b;
    if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* A name that is there twice, or NULL. `sorted` has room for `count` pointers. */
static const char *find_double(const vkp_safetensor *tensors, size_t count, const vkp_safetensor **sorted)
{
    for (size_t i = 0; i < count; i++) sorted[i] = &tensors[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) return sorted[i]->name;
    }
    return NULL;
}

/* Names are unique, and the tensors cover the data without holes or overlaps. */
static vkp_status check_together(const vkp_safetensors *file)
{
    const vkp_safetensor **sorted = calloc(file->count + 1, sizeof *sorted);
    if (!sorted) return out_of_memory(file->path);
    const char *twice = find_double(file->tensors, file->count, sorted);
    qsort(sorted, file->count, sizeof *sorted, compare_places);
    const uint8_t *at = file->data;
    bool covered = true;
    for (size_t i = 0; i < file->count && covered; i++) {
        covered = sorted[i]->data == at;
        at += sorted[i]->bytes;
    }
    free(sorted);
    if (twice) return damaged_tensor(file->path, twice, "the name is there twice");
    if (!covered || at != file->data + file->data_bytes) {
        return damaged(file->path, "its tensors leave holes in the data or overlap");
    }
    return VKP_OK;
}

static vkp_status check_sum(const vkp_safetensors *file)
{
    const char *stored = vkp_safetensors_metadata(file, checksum_name);
    if (!stored) return VKP_OK;
    char found[CHECKSUM_TEXT];
    checksum_text(XXH3_64bits(file->data, file->data_bytes), found);
    if (strcmp(stored, found) == 0) return VKP_OK;
    return vkp_fail(VKP_FORMAT, "cannot use %s (its data does not fit its checksum; use an undamaged copy)",
                    file->path);
}

static vkp_status parse_header(vkp_safetensors *file, const void *content, size_t bytes)
{
    uint64_t length;
    if (bytes < PREFIX) return damaged(file->path, "shorter than 8 bytes");
    memcpy(&length, content, PREFIX);
    if (length > bytes - PREFIX) return damaged(file->path, "its header is longer than the file");
    const char *text = (const char *)content + PREFIX;
    file->data = (const uint8_t *)text + length;
    file->data_bytes = bytes - PREFIX - (size_t)length;
    if (length == 0 || text[0] != '{') return damaged(file->path, "its header is not JSON");
    const char *end = NULL;
    file->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, false);
    if (!file->header) return damaged(file->path, "its header is not JSON");
    while (end < (const char *)file->data && *end == ' ') end++;
    if (end != (const char *)file->data) return damaged(file->path, "something follows its header");
    return VKP_OK;
}

static vkp_status parse(vkp_safetensors *file, const void *content, size_t bytes)
{
    VKP_TRY(parse_header(file, content, bytes));
    VKP_TRY(read_tensors(file));
    VKP_TRY(check_together(file));
    return check_sum(file);
}

/* A file of that name without content. */
static vkp_status make(const char *name, vkp_safetensors **file)
{
    *file = calloc(1, sizeof **file);
    if (!*file) return out_of_memory(name);
    (*file)->path = strdup(name);
    if ((*file)->path) return VKP_OK;
    free(*file);
    *file = NULL;
    return out_of_memory(name);
}

static vkp_status keep_if(vkp_status status, vkp_safetensors **file)
{
    if (status == VKP_OK) return VKP_OK;
    vkp_safetensors_free(*file);
    *file = NULL;
    return status;
}

vkp_status vkp_safetensors_read(const char *path, vkp_safetensors **file)
{
    size_t bytes;
    VKP_TRY(make(path, file));
    vkp_status status = vkp_file_read(path, VKP_SAFETENSORS_MAX_BYTES, &(*file)->content, &bytes);
    if (status == VKP_OK) status = parse(*file, (*file)->content, bytes);
    return keep_if(status, file);
}

vkp_status vkp_safetensors_open(const void *bytes, size_t size, const char *name, vkp_safetensors **file)
{
    VKP_TRY(make(name, file));
    return keep_if(parse(*file, bytes, size), file);
}

void vkp_safetensors_free(vkp_safetensors *file)
{
    if (!file) return;
    cJSON_Delete(file->header);
    free(file->tensors);
    free(file->content);
    free(file->path);
    free(file);
}

const vkp_safetensor *vkp_safetensors_list(const vkp_safetensors *file, size_t *count)
{
    *count = file->count;
    return file->tensors;
}

const vkp_safetensor *vkp_safetensors_find(const vkp_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    }
    return NULL;
}

const char *vkp_safetensors_metadata(const vkp_safetensors *file, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(file->metadata, key));
}

/* "[3, 2]", cut where it becomes too long. */
static const char *shape_text(size_t rank, const size_t *shape, char text[SHAPE_TEXT])
{
    size_t at = (size_t)snprintf(text, SHAPE_TEXT, "[");
    for (size_t i = 0; i < rank && at < SHAPE_TEXT - 24; i++) {
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%zu", i ? ", " : "", shape[i]);
    }
    snprintf(text + at, SHAPE_TEXT - at, "]");
    return text;
}

static vkp_status find_shaped(const vkp_safetensors *file, const char *name, size_t rank, const size_t *shape,
                              const vkp_safetensor **tensor)
{
    *tensor = vkp_safetensors_find(file, name);
    if (!*tensor) {
        return vkp_fail(VKP_FORMAT, "cannot use %s (it has no tensor %s; use a checkpoint of this network)",
                        file->path, name);
    }
    bool same = (*tensor)->rank == rank;
    for (size_t i = 0; same && i < rank; i++) same = (*tensor)->shape[i] == shape[i];
    if (same) return VKP_OK;
    char found[SHAPE_TEXT], wanted[SHAPE_TEXT];
    return vkp_fail(VKP_SHAPE,
                    "cannot use %s (tensor %s has shape %s, not %s; use a checkpoint of this network)",
                    file->path, name, shape_text((*tensor)->rank, (*tensor)->shape, found),
                    shape_text(rank, shape, wanted));
}

static vkp_status wrong_dtype(const vkp_safetensors *file, const vkp_safetensor *tensor, const char *wanted)
{
    return vkp_fail(VKP_FORMAT, "cannot use %s (tensor %s is %s; save it as %s)", file->path, tensor->name,
                    dtypes[tensor->dtype].name, wanted);
}

vkp_status vkp_safetensors_copy_f32(const vkp_safetensors *file, const char *name, size_t rank,
                                    const size_t *shape, float *values)
{
    const vkp_safetensor *tensor;
    VKP_TRY(find_shaped(file, name, rank, shape, &tensor));
    if (tensor->dtype == VKP_SAFETENSORS_F32) {
        memcpy(values, tensor->data, tensor->bytes);
        return VKP_OK;
    }
    if (tensor->dtype != VKP_SAFETENSORS_F16) return wrong_dtype(file, tensor, "F32 or F16");
    for (size_t i = 0; i < tensor->bytes / sizeof(uint16_t); i++) {
        uint16_t half;
        memcpy(&half, (const uint8_t *)tensor->data + i * sizeof half, sizeof half);
        values[i] = vkp_half_to_float(half);
    }
    return VKP_OK;
}

vkp_status vkp_safetensors_copy_i64(const vkp_safetensors *file, const char *name, size_t rank,
                                    const size_t *shape, int64_t *values)
{
    const vkp_safetensor *tensor;
    VKP_TRY(find_shaped(file, name, rank, shape, &tensor));
    if (tensor->dtype != VKP_SAFETENSORS_I64) return wrong_dtype(file, tensor, "I64");
    memcpy(values, tensor->data, tensor->bytes);
    return VKP_OK;
}

static size_t bytes_of(const vkp_safetensor *tensor)
{
    size_t bytes = dtypes[tensor->dtype].bytes;
    for (size_t i = 0; i < tensor->rank; i++) bytes *= tensor->shape[i];
    return bytes;
}

/* Where in the data tensors of a dtype go: larger elements first, so that all are aligned. */
enum { WRITE_PLACES = 3 };

static int write_place(vkp_safetensors_dtype dtype)
{
    static const vkp_safetensors_dtype order[WRITE_PLACES] = {VKP_SAFETENSORS_I64, VKP_SAFETENSORS_F32,
                                                              VKP_SAFETENSORS_F16};
    int place = 0;
    while (place < WRITE_PLACES && order[place] != dtype) place++;
    return place;
}

/* What a caller may get wrong; sizes cannot overflow, since the data is in memory. */
static vkp_status check_given(const char *path, const vkp_safetensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const bool known = write_place(tensors[i].dtype) < WRITE_PLACES;
        if (!known || tensors[i].rank > VKP_SAFETENSORS_MAX_RANK || !strcmp(tensors[i].name, metadata_name)) {
            return vkp_fail(VKP_INTERNAL, "cannot write %s (tensor %s: dtype, rank or name; report it)", path,
                            tensors[i].name);
        }
    }
    const vkp_safetensor **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted) return out_of_memory(path);
    const char *twice = find_double(tensors, count, sorted);
    free(sorted);
    if (!twice) return VKP_OK;
    return vkp_fail(VKP_INTERNAL, "cannot write %s (tensor %s is given twice; report it)", path, twice);
}

/* Puts the tensors in the order of the data, and tells where each begins, by its index among
 * `tensors`. */
static void lay_out(const vkp_safetensor *tensors, size_t count, const vkp_safetensor **order, size_t *begins)
{
    size_t placed = 0, at = 0;
    for (int place = 0; place < WRITE_PLACES; place++) {
        for (size_t i = 0; i < count; i++) {
            if (write_place(tensors[i].dtype) != place) continue;
            order[placed++] = &tensors[i];
            begins[i] = at;
            at += bytes_of(&tensors[i]);
        }
    }
}

/* An array of integers as item `key` of `object`; false when memory ran out. */
static bool add_array(cJSON *object, const char *key, const size_t *values, size_t count)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);
    bool whole = array != NULL;
    for (size_t i = 0; whole && i < count; i++) {
        whole = cJSON_AddItemToArray(array, cJSON_CreateNumber((double)values[i]));
    }
    return whole;
}

static bool add_metadata(cJSON *header, const vkp_safetensors_pair *pairs, size_t count, const char *checksum)
{
    cJSON *metadata = cJSON_AddObjectToObject(header, metadata_name);
    bool whole = metadata && cJSON_AddStringToObject(metadata, checksum_name, checksum);
    for (size_t i = 0; whole && i < count; i++) {
        whole = cJSON_AddStringToObject(metadata, pairs[i].key, pairs[i].value) != NULL;
    }
    return whole;
}

static bool add_tensor(cJSON *header, const vkp_safetensor *tensor, size_t begin)
{
    const size_t offsets[2] = {begin, begin + bytes_of(tensor)};
    cJSON *item = cJSON_AddObjectToObject(header, tensor->name);
    return item && cJSON_AddStringToObject(item, "dtype", dtypes[tensor->dtype].name) &&
           add_array(item, "shape", tensor->shape, tensor->rank) &&
           add_array(item, "data_offsets", offsets, 2);
}

/* The header's JSON, padded with spaces so that the data begins at a multiple of 8; malloc'd, NULL when
 * memory ran out. */
static char *header_text(cJSON *header, size_t *length)
{
    char *text = cJSON_PrintUnformatted(header);
    if (!text) return NULL;
    size_t printed = strlen(text);
    *length = (printed + 7) / 8 * 8;
    char *padded = realloc(text, *length + 1);
    if (!padded) free(text);
    else memset(padded + printed, ' ', *length - printed);
    return padded;
}

/* The data's checksum text; false when memory ran out. */
static bool sum_data(const vkp_safetensor *const *order, size_t count, char checksum[CHECKSUM_TEXT])
{
    XXH3_state_t *hash = XXH3_createState();
    bool whole = hash && XXH3_64bits_reset(hash) == XXH_OK;
    for (size_t i = 0; whole && i < count; i++) {
        whole = XXH3_64bits_update(hash, order[i]->data, bytes_of(order[i])) == XXH_OK;
    }
    if (whole) checksum_text(XXH3_64bits_digest(hash), checksum);
    XXH3_freeState(hash);
    return whole;
}

static vkp_status write_parts(const char *path, const char *header, uint64_t length,
                              const vkp_safetensor *const *order, size_t count)
{
    vkp_file_writer *writer;
    VKP_TRY(vkp_file_writer_open(path, &writer));
    vkp_status status = vkp_file_writer_write(writer, &length, PREFIX);
    if (status == VKP_OK) status = vkp_file_writer_write(writer, header, (size_t)length);
    for (size_t i = 0; status == VKP_OK && i < count; i++) {
        status = vkp_file_writer_write(writer, order[i]->data, bytes_of(order[i]));
    }
    if (status == VKP_OK) return vkp_file_writer_commit(writer);
    vkp_file_writer_abandon(writer);
    return status;
}

/* The header as JSON text, malloc'd; NULL when memory ran out. `order` is filled. */
static char *make_header(const vkp_safetensor *tensors, size_t count, const vkp_safetensors_pair *pairs,
                         size_t pair_count, const vkp_safetensor **order, size_t *begins, size_t *length)
{
    char checksum[CHECKSUM_TEXT];
    lay_out(tensors, count, order, begins);
    cJSON *header = cJSON_CreateObject();
    bool whole = header && sum_data(order, count, checksum) &&
                 add_metadata(header, pairs, pair_count, checksum);
    for (size_t i = 0; whole && i < count; i++) whole = add_tensor(header, &tensors[i], begins[i]);
    char *text = whole ? header_text(header, length) : NULL;
    cJSON_Delete(header);
    return text;
}

vkp_status vkp_safetensors_write(const char *path, const vkp_safetensor *tensors, size_t count,
                                 const vkp_safetensors_pair *pairs, size_t pair_count)
{
    VKP_TRY(check_given(path, tensors, count));
    size_t length;
    const vkp_safetensor **order = calloc(count + 1, sizeof *order);
    size_t *begins = calloc(count + 1, sizeof *begins);
    char *header = NULL;
    if (order && begins) header = make_header(tensors, count, pairs, pair_count, order, begins, &length);
    vkp_status status = header ? write_parts(path, header, length, order, count) : out_of_memory(path);
    free(header);
    free(begins);
    free(order);
    return status;
}
