#include "vk/plan.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

static int larger_first(const void *a, const void *b)
{
    const vkp_plan_item *x = *(vkp_plan_item *const *)a, *y = *(vkp_plan_item *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y; /* a total order: the same program always gets the same plan */
}

/* The lowest offset in `block` where `item` overlaps none of the placed items that live with it. */
static uint64_t lowest_offset(vkp_plan_item *const *placed, size_t count, const vkp_plan_item *item,
                              uint32_t block, uint64_t alignment)
{
    uint64_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            const vkp_plan_item *p = placed[i];
            if (p->block != block || p->last < item->first || item->last < p->first) continue;
            if (p->offset + p->bytes <= offset || offset + item->bytes <= p->offset) continue;
            offset = (p->offset + p->bytes + alignment - 1) / alignment * alignment;
            moved = true;
        }
    }
    return offset;
}

vkp_status vkp_plan_make(vkp_plan_item *items, size_t count, uint64_t alignment, uint64_t block_limit,
                         vkp_plan *plan)
{
    *plan = (vkp_plan){0};
    vkp_plan_item **order = malloc((count ? count : 1) * sizeof *order);
    if (!order)
        return vkp_fail(VKP_MEMORY, "no memory for the plan (host memory ran out; close other programs)");
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i].bytes) order[n++] = &items[i];
    qsort(order, n, sizeof *order, larger_first);
    vkp_status status = VKP_OK;
    for (size_t i = 0; i < n && status == VKP_OK; i++) {
        vkp_plan_item *item = order[i];
        uint32_t block = 0;
        uint64_t offset = 0;
        for (; block < VKP_PLAN_BLOCKS; block++) {
            offset = lowest_offset(order, i, item, block, alignment);
            if (offset + item->bytes <= block_limit) break;
        }
        if (block == VKP_PLAN_BLOCKS) {
            status = vkp_fail(VKP_DEVICE_MEMORY,
                              "a tensor needs %" PRIu64 " MiB in one piece (the device allows %" PRIu64
                              " MiB; try a smaller --set batch or --set size)",
                              item->bytes >> 20, block_limit >> 20);
            break;
        }
        item->block = block;
        item->offset = offset;
        if (block >= plan->blocks) plan->blocks = block + 1;
        if (offset + item->bytes > plan->block_bytes[block]) plan->block_bytes[block] = offset + item->bytes;
    }
    for (uint32_t b = 0; b < plan->blocks; b++) plan->total += plan->block_bytes[b];
    free(order);
    return status;
}
