/* The inside of a program, shared by program.c (writing down, planning, binding) and submit.c (cutting,
 * recording, running). Nothing else includes this. */
#ifndef VKP_VK_PROGRAM_PARTS_H
#define VKP_VK_PROGRAM_PARTS_H

#include "base/grow.h"
#include "vk/program.h"

#define VKP_LABEL_BYTES 64
#define VKP_MAX_SECTIONS 64

typedef struct vkp_program_buffer_entry {
    const vkp_buffer *external; /* NULL: planned */
    uint64_t offset, bytes;     /* external: the range; planned: bytes alone */
    uint32_t first, last;       /* dispatches that use it; first > last: none */
    bool keep;
    char name[VKP_LABEL_BYTES];
} vkp_program_buffer_entry;

typedef struct vkp_program_dispatch_entry {
    vkp_dispatch d;
    const vkp_pipeline *pipeline;
    VkDescriptorSet set;
    double milliseconds; /* measured; before that estimated */
    char label[VKP_LABEL_BYTES];
} vkp_program_dispatch_entry;

/* A part of a dispatch: groups [base, base + count) of one dimension, all of the others. */
typedef struct vkp_program_unit {
    uint32_t dispatch, axis, base, count;
} vkp_program_unit;

/* One command buffer: units [first, first + count) of the list of units. */
typedef struct vkp_program_segment {
    VkCommandBuffer commands;
    uint32_t section, first, count;
} vkp_program_segment;

/* The first run of a section makes the driver compile; the second is measured, and the third is cut by that. */
typedef enum vkp_section_state { VKP_SECTION_NEW, VKP_SECTION_RAN, VKP_SECTION_MEASURED } vkp_section_state;

struct vkp_program {
    vkp_device *device;
    vkp_program_buffer_entry *buffers; /* [0] is unused: ids start at 1 */
    size_t buffer_count, buffer_capacity;
    vkp_program_dispatch_entry *dispatches;
    size_t dispatch_count, dispatch_capacity;
    uint32_t section_start[VKP_MAX_SECTIONS], section_count;
    vkp_section_state section_state[VKP_MAX_SECTIONS];
    uint32_t preparation; /* a section's number, counted from 1; 0: there is none */
    char label[VKP_LABEL_BYTES];

    bool planned;
    vkp_plan plan;
    vkp_plan_item *items; /* one a buffer */
    vkp_arena *arena;
    unsigned generation; /* of the arena when the descriptors were made */
    VkDescriptorPool pool;
    VkBufferView *views;
    size_t view_count;

    vkp_program_unit *units;
    size_t unit_count, unit_capacity;
    vkp_program_segment *segments;
    size_t segment_count, segment_capacity;
    VkFence fence;
    bool in_flight, recorded;
    double budget;
    uint32_t flight_first, flight_count; /* sections in flight, for the error of a lost device */
};

/* Where a buffer lies now: its Vulkan buffer and the byte offset in it. */
void vkp_program_place(const vkp_program *program, uint32_t id, const vkp_buffer **buffer, uint64_t *offset);

/* Drops the command buffers; the next run records anew. */
void vkp_program_forget(vkp_program *program);

#endif
