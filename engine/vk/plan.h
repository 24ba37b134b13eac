/* The memory plan: where each buffer of a program lies, so that buffers share memory when their
 * lifetimes allow. Pure arithmetic, known before anything is allocated. */
#ifndef VKP_VK_PLAN_H
#define VKP_VK_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define VKP_PLAN_BLOCKS 64

typedef struct vkp_plan_item {
    uint64_t bytes;       /* in: size; 0: not placed */
    uint32_t first, last; /* in: the first and last moment in use, both included */
    uint32_t block;       /* out: which allocation */
    uint64_t offset;      /* out: where in it, a multiple of the alignment */
} vkp_plan_item;

typedef struct vkp_plan {
    uint32_t blocks;
    uint64_t block_bytes[VKP_PLAN_BLOCKS];
    uint64_t total; /* the sum of block_bytes: the peak */
} vkp_plan;

/* Places the items, largest first, each at the lowest offset free during its lifetime, in blocks of at
 * most block_limit bytes ("greedy by size": Pisarchyk and Lee 2020, Efficient memory management for
 * deep neural net inference). DEVICE_MEMORY when an item alone exceeds block_limit. */
VKP_MUST_USE vkp_status vkp_plan_make(vkp_plan_item *items, size_t count, uint64_t alignment,
                                      uint64_t block_limit, vkp_plan *plan);

#endif
