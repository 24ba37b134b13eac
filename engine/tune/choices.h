/* Choices between variants, by shape, and the file that keeps them.
 *
 * The file is text: a line "vkpix variants 1", the lines that say for what they hold (device, driver, the
 * limits that decide what fits, all embedded shaders), a line "KEY VARIANT MICROSECONDS" a choice, and the
 * XXH3 checksum of all that. A file that is not exactly so, or is another device's or version's, counts as
 * none. */
#ifndef VKP_TUNE_CHOICES_H
#define VKP_TUNE_CHOICES_H

#include "ops/variant.h"

enum { VKP_CHOICE_KEY = 256, VKP_CHOICE_NAME = 32 };

typedef struct vkp_choice {
    char key[VKP_CHOICE_KEY];   /* list, shapes and attributes; no blanks */
    char name[VKP_CHOICE_NAME]; /* of the variant */
    uint32_t microseconds;      /* 0: it was not measured */
} vkp_choice;

/* Zero it to start with. */
typedef struct vkp_choices {
    vkp_choice *list;
    size_t count, capacity;
} vkp_choices;

void vkp_choices_free(vkp_choices *choices);

/* The key of a node for a list of variants: what decides which variant is the fastest. */
void vkp_choice_key(const vkp_node *node, const vkp_variants *variants, char key[VKP_CHOICE_KEY]);

/* The choice of that key, or NULL. */
const vkp_choice *vkp_choices_find(const vkp_choices *choices, const char *key);
/* Sets it. MEMORY. */
VKP_MUST_USE vkp_status vkp_choices_set(vkp_choices *choices, const char *key, const char *name,
                                        uint32_t microseconds);

/* Writes all for this device, atomically. IO, MEMORY. */
VKP_MUST_USE vkp_status vkp_choices_write(const vkp_choices *choices, const vkp_device *device,
                                          const char *path);
/* Puts the file's in place of those that are there and returns true; leaves them and returns false where the
 * file is missing, damaged, or not this device's and version's. Names of variants are not checked. */
bool vkp_choices_read(vkp_choices *choices, const vkp_device *device, const char *path);

/* Where this device's are kept in the user's cache folder, malloc'd (the caller frees it); NULL: nowhere. */
char *vkp_choices_path(const vkp_device *device);

#endif
