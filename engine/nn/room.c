#include "nn/room.h"

#include <inttypes.h>

vkp_status vkp_room_fail(vkp_device *device, vkp_arena *arena, const vkp_room *room)
{
    char why[256];
    uint32_t batch = room->batch / 2;
    vkp_error_what(why, sizeof why);
    vkp_arena_destroy(device, arena);
    while (batch && !room->fits(room->user, batch)) batch /= 2;
    const uint64_t needed = (room->bytes + 0xfffff) >> 20, has = device->info.limits.memory_budget >> 20;
    if (batch)
        return vkp_fail(VKP_DEVICE_MEMORY,
                        "%s needs %" PRIu64 " MiB for activations, %s has %" PRIu64
                        " MiB (%s; try --set batch=%u)",
                        room->what, needed, device->info.name, has, why, batch);
    return vkp_fail(VKP_DEVICE_MEMORY,
                    "%s needs %" PRIu64 " MiB for activations and %s has %" PRIu64
                    " MiB (%s, not even for one picture; try a smaller --set size)",
                    room->what, needed, device->info.name, has, why);
}
