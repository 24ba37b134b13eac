/* Faults: a device that misbehaves as a test says.
 *
 * Between volk and the Vulkan loader lies a layer that counts every call that can fail and every object made
 * and destroyed, makes calls fail, lets memory end early, and swaps what shaders compute. It is there in
 * programs that are linked with `-Wl,--wrap=dlsym`, by which volk finds the loader, and calls one function of
 * this file; all of volk's function pointers then lead here, also after a device is opened anew.
 *
 * As Vulkan allows, a call that fails leaves a wrong handle in its output: using or destroying one counts as
 * a mistake. One device at a time; calls may come from several threads. */
#ifndef VKP_TEST_FAULTS_H
#define VKP_TEST_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vk/device.h"

enum { FAULTS_RESULTS = 4 };

/* A call that can fail, and how. */
typedef struct faults_call {
    const char *name, *says; /* says: what an error about it has in its text */
    VkResult results[FAULTS_RESULTS]; /* the rest VK_SUCCESS */
} faults_call;

/* The calls by index; NULL beyond the last. */
const faults_call *faults_call_at(size_t index);
/* The index of a call by name; fails the test when there is none. */
size_t faults_find(const char *name);

/* From now on the nth call (from 1) of that name gives `result` instead of being made; with `lasting` all
 * later ones too. A device that is lost stays lost for every call that can say so. What was submitted before
 * a wait reports a lost device has ended by then, and so it has when a wait reports a timeout that lasts. */
void faults_arm(size_t call, unsigned nth, VkResult result, bool lasting);
/* No more faults. */
void faults_disarm(void);
/* Whether the fault was met, since it was armed. */
bool faults_struck(void);
/* How often the call was made since the last faults_arm or faults_disarm. */
unsigned faults_made(size_t call);

/* Device memory ends at so many bytes in all; 0: where it really does. */
void faults_memory(uint64_t bytes);
/* The most that was allocated at a time since faults_memory. */
uint64_t faults_memory_peak(void);

/* Shaders of that name (shaders/NAME.comp) store `value`, 0 or NaN, wherever they would store a float, from
 * the next time they are made into a pipeline; NULL: none does. *stores, unless NULL, counts such stores. */
void faults_shader(const char *name, float value, unsigned *stores);

/* What there is now. */
typedef struct faults_tally {
    uint64_t objects;  /* Vulkan objects that were made and not destroyed */
    uint64_t bytes;    /* of device memory */
} faults_tally;
faults_tally faults_now(void);
/* Mistakes so far: wrong handles used, objects destroyed twice, messages of the validation layer. */
unsigned faults_mistakes(void);

#endif
