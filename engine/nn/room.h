/* Room: what to say where the device's memory does not suffice for a batch, and which one it suffices for. */
#ifndef VKP_NN_ROOM_H
#define VKP_NN_ROOM_H

#include <stdbool.h>

#include "vk/program.h"

/* What was to be made. */
typedef struct vkp_room {
    const char *what; /* "a training step" */
    uint32_t batch;
    uint64_t bytes;   /* what its plan needs */
    /* Whether it would find room with that batch now (vkp_program_try). */
    bool (*fits)(const void *user, uint32_t batch);
    const void *user;
} vkp_room;

/* After vkp_error() has told that the device's memory did not suffice: frees the arena, which the programs
 * that share it make anew, looks for a batch that fits, a half, a quarter and so on, and returns
 * DEVICE_MEMORY with a text that names it. */
VKP_MUST_USE vkp_status vkp_room_fail(vkp_device *device, vkp_arena *arena, const vkp_room *room);

#endif
