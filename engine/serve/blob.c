#include "serve/blob.h"

#include <stdatomic.h>
#include <stdlib.h>

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for a picture (host memory ran out; close other programs)");
}

/* Takes `size` bytes from the bank, unless they are more than it has left. */
static vkp_status reserve(vkp_bank *bank, size_t size)
{
    size_t used = atomic_load(&bank->used);
    do {
        if (size > bank->limit || used > bank->limit - size)
            return vkp_fail(VKP_MEMORY,
                            "no room for a picture now (%zu MiB of pictures are being kept already; download "
                            "and remove some, or try again later)",
                            used >> 20);
    } while (!atomic_compare_exchange_weak(&bank->used, &used, used + size));
    return VKP_OK;
}

vkp_status vkp_blob_adopt(vkp_bank *bank, uint8_t *bytes, size_t size, vkp_blob **out)
{
    *out = NULL;
    vkp_status status = reserve(bank, size);
    if (status == VKP_OK) {
        *out = malloc(sizeof **out);
        if (!*out) {
            atomic_fetch_sub(&bank->used, size);
            status = no_memory();
        }
    }
    if (*out) {
        **out = (vkp_blob){.bank = bank, .size = size, .bytes = bytes};
        atomic_init(&(*out)->holders, 1);
    } else {
        free(bytes);
    }
    return status;
}

vkp_status vkp_blob_make(vkp_bank *bank, size_t size, vkp_blob **out)
{
    *out = NULL;
    /* Asked first, so that what is refused anyway is not allocated. */
    if (size > bank->limit) return reserve(bank, size);
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes) return no_memory();
    return vkp_blob_adopt(bank, bytes, size, out);
}

vkp_blob *vkp_blob_hold(vkp_blob *blob)
{
    if (blob) atomic_fetch_add(&blob->holders, 1);
    return blob;
}

void vkp_blob_drop(vkp_blob *blob)
{
    if (!blob || atomic_fetch_sub(&blob->holders, 1) != 1) return;
    atomic_fetch_sub(&blob->bank->used, blob->size);
    free(blob->bytes);
    free(blob);
}
