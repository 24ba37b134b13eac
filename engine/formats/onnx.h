/* ONNX files: a model put together node by node and written as the protocol buffer of ONNX's published schema
 * (onnx.proto), through protobuf-c. Opset 13.
 *
 * Strings and data that are handed in are copied. Memory that runs out is told once, by vkp_onnx_write. */
#ifndef VKP_FORMATS_ONNX_H
#define VKP_FORMATS_ONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { VKP_ONNX_OPSET = 13, VKP_ONNX_IR = 7 };

typedef struct vkp_onnx vkp_onnx;

/* What an operator is told beside its inputs. */
typedef struct vkp_onnx_attr {
    const char *name;
    enum { VKP_ONNX_INT, VKP_ONNX_INTS, VKP_ONNX_FLOAT, VKP_ONNX_STRING } kind;
    int64_t ints[4];
    size_t count; /* of ints; INT has one */
    float number;
    const char *text;
} vkp_onnx_attr;

typedef enum vkp_onnx_type { VKP_ONNX_F32 = 1, VKP_ONNX_I64 = 7, VKP_ONNX_F16 = 10 } vkp_onnx_type;

/* A model of one graph, called `name`. vkp_onnx_destroy afterwards; NULL is allowed there. VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_onnx_create(const char *name, vkp_onnx **out);
void vkp_onnx_destroy(vkp_onnx *onnx);

/* Says something to people, and to programs by a key. */
void vkp_onnx_describe(vkp_onnx *onnx, const char *text);
void vkp_onnx_metadata(vkp_onnx *onnx, const char *key, const char *value);

/* The graph's inputs and outputs: F32; each of dims[4] is a name, for a size that may vary, or digits. */
void vkp_onnx_input(vkp_onnx *onnx, const char *name, const char *const dims[4], const char *meaning);
void vkp_onnx_output(vkp_onnx *onnx, const char *name, const char *const dims[4], const char *meaning);

/* A constant tensor: `bytes` of row-major, little-endian data. */
void vkp_onnx_initializer(vkp_onnx *onnx, const char *name, vkp_onnx_type type, size_t rank,
                          const size_t *dims, const void *data, size_t bytes);

/* A node after all those that make its inputs. `inputs` and `outputs` end in NULL; "" is an input left out.
 * It is called as its first output. */
void vkp_onnx_node(vkp_onnx *onnx, const char *op_type, const char *const *inputs, const char *const *outputs,
                   const vkp_onnx_attr *attrs, size_t attr_count);

/* Writes the file, atomically. VKP_MEMORY; VKP_IO and VKP_INPUT as vkp_file_write. */
VKP_MUST_USE vkp_status vkp_onnx_write(const vkp_onnx *onnx, const char *path);

#endif
