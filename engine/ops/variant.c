#include "ops/variant.h"

#include <stdlib.h>
#include <string.h>

/* The value of `what` in VKPIX_VARIANT, a list of what=name; *length is 0 when there is none. */
static const char *forced(const char *what, size_t *length)
{
    const char *list = getenv("VKPIX_VARIANT");
    const size_t n = strlen(what);
    *length = 0;
    while (list && *list) {
        const size_t item = strcspn(list, ",");
        if (item > n && strncmp(list, what, n) == 0 && list[n] == '=') {
            *length = item - n - 1;
            return list + n + 1;
        }
        list += item + (list[item] == ',');
    }
    return NULL;
}

vkp_status vkp_variant_record(vkp_program *p, const vkp_node *node, const char *what,
                              const vkp_variant *variants, size_t count)
{
    size_t length;
    const char *name = forced(what, &length);
    const vkp_variant *chosen = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!variants[i].fits(vkp_program_device(p), node)) continue;
        if (!chosen) chosen = &variants[i];
        if (name && strlen(variants[i].name) == length && strncmp(variants[i].name, name, length) == 0) {
            chosen = &variants[i];
            break;
        }
    }
    if (!chosen)
        return vkp_fail(VKP_INTERNAL, "no variant of %s fits (a mistake in vkpix; please report it)", what);
    return chosen->record(p, node);
}
