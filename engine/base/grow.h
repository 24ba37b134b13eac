/* Lists that grow. */
#ifndef VKP_BASE_GROW_H
#define VKP_BASE_GROW_H

#include <stddef.h>

#include "base/status.h"

/* Makes room for one more element of `size` bytes in *list, which is malloc'd (or NULL) with room for
 * *capacity and holds `count`. The caller frees *list. MEMORY: it is unchanged then. */
VKP_MUST_USE vkp_status vkp_grow(void **list, size_t *capacity, size_t count, size_t size);

#endif
