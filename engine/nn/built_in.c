#include "nn/built_in.h"

#include <string.h>

const vkp_built_in *vkp_built_in_find(const char *name)
{
    for (const vkp_built_in *b = vkp_built_in_table; b->name; b++)
        if (strcmp(b->name, name) == 0) return b;
    return NULL;
}
