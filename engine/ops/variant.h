/* Variants: several ways to compute one direction of an operation.
 *
 * They stand in a list of the operation, in the order they are preferred, the plain form that fits
 * everything last; a variant is one line there. Which one is recorded: the one that VKPIX_VARIANT names where
 * it fits; else what the device's chooser says (the tuner of engine/tune is one); else by order. Tests go
 * through all of them by force. */
#ifndef VKP_OPS_VARIANT_H
#define VKP_OPS_VARIANT_H

#include "ops/op.h"

struct vkp_variant {
    const char *name;
    /* The kind of device it was shaped for; NULL: none, it is the plain form. Asked before `fits`. */
    bool (*meant_for)(const vkp_device_info *info);
    /* Whether this device and these shapes allow it. Reads only device->info, so that a device made up of
     * limits will do. */
    bool (*fits)(const vkp_device *device, const vkp_node *node);
    /* Adds its dispatches to the program. */
    vkp_status (*record)(vkp_program *program, const vkp_node *node);
    /* Normalized root mean square by which it may differ from the plain form; 0: 32-bit rounding. */
    double tolerance;
    /* Never taken by order: only by force, or by a tuner that saw it agree with the plain form on this device
     * in this process. For features that drivers are known to get wrong. */
    bool on_proof;
};

/* A row of a list: a variant with the functions `function` and `function`_fits, and the plain form. Rows with
 * more to say are written out: {.name = "...", ...}. */
#define VKP_VARIANT(label, kind, function) \
    { \
        .name = label, .meant_for = kind, .fits = function##_fits, .record = function \
    }
#define VKP_PLAIN(label, function) \
    { \
        .name = label, .fits = vkp_fits_always, .record = function \
    }
bool vkp_fits_always(const vkp_device *device, const vkp_node *node);

/* The list of one direction. Backward has one for each gradient. */
struct vkp_variants {
    const char *name; /* "conv2d_forward" */
    vkp_direction direction;
    uint32_t gradient_of; /* backward: the input whose gradient it makes */
    const vkp_variant *list;
    size_t count;
};

/* Kinds of devices. CPU: software drivers, where lanes are a vector register's and shared memory and barriers
 * are dear. GPU: all others. */
bool vkp_for_cpu(const vkp_device_info *info);
bool vkp_for_gpu(const vkp_device_info *info);

/* Who chooses between variants on a device: set device->chooser to one. */
struct vkp_chooser {
    /* *chosen = one that fits, or NULL: by order. */
    vkp_status (*choose)(vkp_chooser *chooser, vkp_device *device, const vkp_node *node,
                         const vkp_variants *variants, const vkp_variant **chosen);
    /* Is told of one that was forced, so that save knows it. */
    vkp_status (*note)(vkp_chooser *chooser, const vkp_node *node, const vkp_variants *variants,
                       const vkp_variant *forced);
    /* Writes all choices of this process to a file; takes those of such a file for its own and tells whether
     * it could: not those of another device or version, and not from a damaged file. */
    vkp_status (*save)(vkp_chooser *chooser, const char *path);
    bool (*load)(vkp_chooser *chooser, const char *path);
};

/* The variant that is recorded for a node. INTERNAL when none fits; other errors are the chooser's. A forced
 * one stays the choice of the chooser for as long as there is that chooser, and is saved as such. */
VKP_MUST_USE vkp_status vkp_variant_choose(vkp_device *device, const vkp_node *node,
                                           const vkp_variants *variants, const vkp_variant **chosen);
/* The same without force and chooser: the first that fits and is meant for the device, else the first that
 * fits; NULL when none does. */
const vkp_variant *vkp_variant_by_order(const vkp_device *device, const vkp_node *node,
                                        const vkp_variants *variants);
/* The variant of that name, or NULL. */
const vkp_variant *vkp_variant_named(const vkp_variants *variants, const char *name);

/* What a chooser's save and load do; a device without one has nothing to save (OK) or load (true). */
VKP_MUST_USE vkp_status vkp_variant_save(vkp_device *device, const char *path);
bool vkp_variant_load(vkp_device *device, const char *path);

/* Chooses and records. */
VKP_MUST_USE vkp_status vkp_variant_record(vkp_program *program, const vkp_node *node,
                                           const vkp_variants *variants);

/* Whether a list "op=name,op=name" as VKPIX_VARIANT takes it makes sense, where op is an operation ("conv2d",
 * all its lists that have the name) or one list ("conv2d_forward"). USAGE names what there is. */
VKP_MUST_USE vkp_status vkp_variant_check(const char *forced);

#endif
