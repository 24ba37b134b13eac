#include "base/grow.h"

#include <stdlib.h>

vkp_status vkp_grow(void **list, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) return VKP_OK;
    const size_t larger = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(*list, larger * size);
    if (!grown)
        return vkp_fail(VKP_MEMORY, "no memory for a list (host memory ran out; close other programs)");
    *list = grown;
    *capacity = larger;
    return VKP_OK;
}
