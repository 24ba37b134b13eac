#include "picture_source.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 8 };
#define AHEAD_BYTES ((size_t)1 << 30)

vkp_status vkp_options_max_pixels(const vkp_options *options, uint64_t *max_pixels)
{
    double millions = 0;
    /* Pixels are counted in int bytes. */
    VKP_TRY(vkp_options_real(options, "max-megapixels", 0.001, INT_MAX / 4 / 1000000, &millions));
    *max_pixels = (uint64_t)(millions * 1e6);
    return VKP_OK;
}

vkp_status vkp_read_ahead(const char *const *paths, size_t count, uint64_t max_pixels, vkp_loader **loader)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const int threads = cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores;
    const vkp_loader_options options = {.threads = threads,
                                        .ahead = 2 * (size_t)threads,
                                        .max_bytes = AHEAD_BYTES,
                                        .max_pixels = max_pixels};
    size_t *order = calloc(count + 1, sizeof *order);
    if (!order)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the list of pictures (host memory ran out; close programs)");
    for (size_t i = 0; i < count; i++) order[i] = i;
    vkp_status status = vkp_loader_make(paths, count, &options, loader);
    if (status == VKP_OK) {
        status = vkp_loader_queue(*loader, order, count);
        if (status != VKP_OK) vkp_loader_free(*loader);
    }
    free(order);
    return status;
}
