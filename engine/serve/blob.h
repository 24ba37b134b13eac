/* Blobs: bytes that the queue and any number of answers hold at once, all counted against one limit. */
#ifndef VKP_SERVE_BLOB_H
#define VKP_SERVE_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What all blobs together may take. Set `limit`, zero `used`; it must outlive its blobs. */
typedef struct vkp_bank {
    size_t limit; /* bytes */
    _Atomic size_t used;
} vkp_bank;

/* Read freely; the bytes of one that is shared do not change any more. */
typedef struct vkp_blob {
    vkp_bank *bank;
    _Atomic unsigned holders;
    size_t size;
    uint8_t *bytes;
} vkp_blob;

/* A blob of `size` bytes, not initialized, held once. VKP_MEMORY: the bank's limit, or host memory; *out is
 * NULL then. */
VKP_MUST_USE vkp_status vkp_blob_make(vkp_bank *bank, size_t size, vkp_blob **out);

/* A blob of bytes that are there already: malloc'd, the blob's from now on, freed also on failure. */
VKP_MUST_USE vkp_status vkp_blob_adopt(vkp_bank *bank, uint8_t *bytes, size_t size, vkp_blob **out);

/* Holds it once more, and returns it; lets it go. From any thread; NULL is fine. */
vkp_blob *vkp_blob_hold(vkp_blob *blob);
void vkp_blob_drop(vkp_blob *blob);

#endif
