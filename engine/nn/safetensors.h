/* safetensors: named tensors in a file.
 *
 * The format (huggingface/safetensors, README "Format"): 8 bytes length N, little endian; N bytes JSON,
 * {"NAME": {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ..., "__metadata__": {"KEY":
 * "VALUE", ...}}, padded with spaces; then the data, row-major and little endian, which the tensors cover
 * without holes or overlaps. Files written here carry the XXH3 checksum of the data in the metadata
 * ("xxh3_64", 16 hexadecimal digits); it is verified when a file that has one is read. */
#ifndef VKP_NN_SAFETENSORS_H
#define VKP_NN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    VKP_SAFETENSORS_MAX_RANK = 8,
    VKP_SAFETENSORS_MAX_BYTES = 1 << 30 /* of a whole file; vkpix's own are below 32 MiB */
};

/* name in the file, bytes of an element */
#define VKP_SAFETENSORS_DTYPE_MAP(X) \
    X(F64, 8)                        \
    X(I64, 8)                        \
    X(U64, 8)                        \
    X(F32, 4)                        \
    X(I32, 4)                        \
    X(U32, 4)                        \
    X(F16, 2)                        \
    X(BF16, 2)                       \
    X(I16, 2)                        \
    X(U16, 2)                        \
    X(I8, 1)                         \
    X(U8, 1)                         \
    X(BOOL, 1)

typedef enum vkp_safetensors_dtype {
#define X(name, bytes) VKP_SAFETENSORS_##name,
    VKP_SAFETENSORS_DTYPE_MAP(X)
#undef X
    VKP_SAFETENSORS_OTHER /* listed, its size unchecked, its values not to be had */
} vkp_safetensors_dtype;

typedef struct vkp_safetensor {
    const char *name;
    vkp_safetensors_dtype dtype;
    size_t rank;                            /* 0: a single value */
    size_t shape[VKP_SAFETENSORS_MAX_RANK]; /* elements by axis, outermost first */
    const void *data;                       /* row-major; when read: possibly not aligned to the element */
    size_t bytes;                           /* of data; ignored in writing */
} vkp_safetensor;

typedef struct vkp_safetensors_pair {
    const char *key, *value;
} vkp_safetensors_pair;

/* A file read into memory; everything it hands out lives until vkp_safetensors_free. */
typedef struct vkp_safetensors vkp_safetensors;

/* Reads and validates a whole file. VKP_FORMAT: not safetensors, truncated, damaged, or a checksum that does
 * not fit; VKP_INPUT: too large; VKP_IO; VKP_MEMORY. *file is NULL on failure; else the caller frees it. */
VKP_MUST_USE vkp_status vkp_safetensors_read(const char *path, vkp_safetensors **file);
/* The same from a file's bytes in memory, which must stay as long as *file; `name` is for messages. */
VKP_MUST_USE vkp_status vkp_safetensors_open(const void *bytes, size_t size, const char *name,
                                             vkp_safetensors **file);
void vkp_safetensors_free(vkp_safetensors *file); /* NULL is allowed */

/* All tensors, in the header's order. */
const vkp_safetensor *vkp_safetensors_list(const vkp_safetensors *file, size_t *count);
/* NULL when there is none of that name. */
const vkp_safetensor *vkp_safetensors_find(const vkp_safetensors *file, const char *name);
/* The metadata value of `key`, or NULL. */
const char *vkp_safetensors_metadata(const vkp_safetensors *file, const char *key);

/* Copies the tensor `name`, which must have exactly this shape, to values[product of shape].
 * F32 is copied bit for bit, F16 widened exactly. VKP_FORMAT: no such tensor, or of another dtype;
 * VKP_SHAPE: another shape; each says the file, the name, and what was found and wanted. */
VKP_MUST_USE vkp_status vkp_safetensors_copy_f32(const vkp_safetensors *file, const char *name, size_t rank,
                                                 const size_t *shape, float *values);
/* The same for I64. */
VKP_MUST_USE vkp_status vkp_safetensors_copy_i64(const vkp_safetensors *file, const char *name, size_t rank,
                                                 const size_t *shape, int64_t *values);

/* Writes I64, F32 and F16 tensors and metadata to `path`, atomically (base/file.h). The header lists the
 * tensors in the given order; in the data I64 go first and F16 last, so that every tensor is aligned to its
 * element, as readers that map the file need. "xxh3_64" is added to the metadata. VKP_INTERNAL: another
 * dtype, rank above the maximum, a name given twice or reserved; VKP_IO, VKP_INPUT, VKP_MEMORY as
 * vkp_file_write. */
VKP_MUST_USE vkp_status vkp_safetensors_write(const char *path, const vkp_safetensor *tensors, size_t count,
                                              const vkp_safetensors_pair *pairs, size_t pair_count);

#endif
