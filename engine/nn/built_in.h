/* Built-in models: the safetensors files of engine/models, which are a part of the library itself. */
#ifndef VKP_NN_BUILT_IN_H
#define VKP_NN_BUILT_IN_H

#include <stddef.h>

/* Made by the build: VKP_BUILT_IN_NAMES, their names as "natural, train04", or "none". */
#include "models.h"

/* What a user gets who names no model, if it is built in. */
#define VKP_BUILT_IN_DEFAULT "natural"

typedef struct vkp_built_in {
    const char *name;
    const unsigned char *bytes, *end; /* of a whole file, as vkpix export writes it */
} vkp_built_in;

/* All of them in the order of their names, up to a row without a name. */
extern const vkp_built_in vkp_built_in_table[];

/* The one of that name, or NULL. */
const vkp_built_in *vkp_built_in_find(const char *name);

#endif
