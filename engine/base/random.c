/* The shuffle; the generator itself is inline in the header. */
#include "base/random.h"

void vkp_random_shuffle(size_t *items, size_t count, uint64_t seed, uint64_t stream)
{
    for (size_t i = count; i-- > 1;) {
        size_t j = vkp_random_below(seed, stream, i, (uint32_t)(i + 1));
        size_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
