/* A program: a list of dispatches over planned buffers, recorded once and submitted again and again.
 *
 * It is written down first (buffers, then dispatches in the order they must seem to run), then built:
 * the lifetimes of its buffers are known, so they get their places in a shared arena; barriers follow
 * from what each dispatch reads and writes; command buffers are cut so that no submission runs longer
 * than a desktop's watchdog allows. What changes from run to run lives in buffers, never in commands. */
#ifndef VKP_VK_PROGRAM_H
#define VKP_VK_PROGRAM_H

#include "vk/memory.h"
#include "vk/pipeline.h"
#include "vk/plan.h"

typedef enum vkp_access { VKP_READ = 1, VKP_WRITE = 2, VKP_READ_WRITE = 3 } vkp_access;

/* A range of a program's buffer at one binding. Offsets and sizes in bytes; offset a multiple of the
 * device's alignment. With a texel format it is read through a uniform texel buffer. */
typedef struct vkp_binding {
    uint32_t buffer;
    uint64_t offset, bytes;
    vkp_access access;
    VkFormat texel; /* VK_FORMAT_UNDEFINED: a storage buffer */
} vkp_binding;

typedef struct vkp_dispatch {
    vkp_shader shader;
    vkp_binding bindings[VKP_MAX_BINDINGS];
    uint32_t binding_count;
    uint32_t spec[VKP_MAX_SPEC], spec_count;
    uint32_t push[32], push_words;
    uint32_t groups[3];
    uint32_t subgroup_size; /* lanes the shader counts on; 0: none */
    double flop;            /* multiplications and additions, for the first cut and for benchmarks */
} vkp_dispatch;

/* The memory that programs share which never run at the same time. Zero it to start with; destroyed, it is
 * empty and can be used again. */
typedef struct vkp_arena {
    vkp_buffer blocks[VKP_PLAN_BLOCKS];
    unsigned generation; /* counts reallocations */
} vkp_arena;

void vkp_arena_destroy(vkp_device *device, vkp_arena *arena);

typedef struct vkp_program vkp_program;

/* An empty program. The caller frees it with vkp_program_destroy; NULL is allowed there. */
VKP_MUST_USE vkp_status vkp_program_create(vkp_device *device, vkp_program **out);
void vkp_program_destroy(vkp_program *program);
vkp_device *vkp_program_device(const vkp_program *program);

/* Adds a buffer of `bytes` that lives from the first dispatch that uses it to the last, or, once kept,
 * to the program's end so that the host can read it after a run. *id names it in bindings; ids count from 1
 * in the order in which buffers of both kinds are added. Content is undefined before the first write. */
VKP_MUST_USE vkp_status vkp_program_buffer(vkp_program *program, uint64_t bytes, const char *name,
                                           uint32_t *id);
void vkp_program_keep(vkp_program *program, uint32_t id);

/* Adds a range of a buffer that outlives the program (parameters, inputs, results). `offset` is a
 * multiple of 256. The buffer is not copied or freed. */
VKP_MUST_USE vkp_status vkp_program_external(vkp_program *program, const vkp_buffer *buffer, uint64_t offset,
                                             uint64_t bytes, const char *name, uint32_t *id);

/* Starts a section: a part of the program that can be run alone. The first starts by itself as 0.
 * Returns its number. */
VKP_MUST_USE vkp_status vkp_program_section(vkp_program *program, uint32_t *section);

/* From here on the current section is the preparation: it is run before all later ones, and again whenever
 * parameters have changed. */
void vkp_program_prepare_here(vkp_program *program);

/* What the following dispatches are part of ("enc1 conv2d forward"), for profiles and errors. Copied. */
void vkp_program_label(vkp_program *program, const char *label);

/* Adds a dispatch. INTERNAL when it breaks a limit of the device: the text says which. */
VKP_MUST_USE vkp_status vkp_program_dispatch(vkp_program *program, const vkp_dispatch *dispatch);
/* Adds a dispatch that works on parameters: at the end of the preparation if it reads nothing but external
 * buffers and what the preparation made, and what it writes is kept to the program's end then; otherwise like
 * vkp_program_dispatch. It must read no external buffer that the program changes. */
VKP_MUST_USE vkp_status vkp_program_prepare(vkp_program *program, const vkp_dispatch *dispatch);
size_t vkp_program_dispatch_count(const vkp_program *program);

/* Plans the memory; *bytes is the arena's size, the peak of everything that is not external. Nothing is
 * allocated. No dispatch can be added afterwards. */
VKP_MUST_USE vkp_status vkp_program_plan(vkp_program *program, uint64_t *bytes);

/* Notes the pipelines that the program will need: the next vkp_program_build, of any program, makes them
 * with its own, by several threads. MEMORY. */
VKP_MUST_USE vkp_status vkp_program_want(vkp_program *program);

/* Makes and frees an arena as large as the plan: whether there would be room for the program now, beside what
 * there is already. Errors as vkp_program_build. */
VKP_MUST_USE vkp_status vkp_program_try(vkp_program *program);

/* Plans where that was not done, makes the arena large enough, and makes pipelines and descriptors.
 * DEVICE_MEMORY when the plan does not fit the device ("needs X, has Y"). */
VKP_MUST_USE vkp_status vkp_program_build(vkp_program *program, vkp_arena *arena);

/* Runs sections [first, first + count) of a built program: submit returns at once, wait returns when all
 * is done, run does both. One program is in flight at a time. DEVICE_LOST names the operations under way. */
VKP_MUST_USE vkp_status vkp_program_submit(vkp_program *program, uint32_t first, uint32_t count);
VKP_MUST_USE vkp_status vkp_program_wait(vkp_program *program);
VKP_MUST_USE vkp_status vkp_program_run(vkp_program *program, uint32_t first, uint32_t count);

/* Longest time in milliseconds that one submission should take; without a call what VKPIX_BUDGET_MS in the
 * environment says, a number above 0 or "inf", else 100. Results do not depend on it. */
void vkp_program_budget(vkp_program *program, double milliseconds);

/* Reads or writes a planned or external buffer of a built, idle program. */
VKP_MUST_USE vkp_status vkp_program_read(vkp_program *program, uint32_t id, uint64_t offset, void *data,
                                         uint64_t bytes);
VKP_MUST_USE vkp_status vkp_program_write(vkp_program *program, uint32_t id, uint64_t offset,
                                          const void *data, uint64_t bytes);

/* One dispatch's figures after a profiled run. `label` belongs to the program. */
typedef struct vkp_profile_row {
    const char *label, *shader;
    double milliseconds, flop;
} vkp_profile_row;

/* Runs the sections once with every dispatch alone and timed. *rows is malloc'd (the caller frees it), one
 * a dispatch in program order. Also what the submissions are cut by from then on. */
VKP_MUST_USE vkp_status vkp_program_profile(vkp_program *program, uint32_t first, uint32_t count,
                                            vkp_profile_row **rows, size_t *row_count);

#endif
