#include "image/sink.h"

#include <stdlib.h>
#include <string.h>

void vkp_sink_take(vkp_sink *s, const void *data, size_t size)
{
    if (s->failed || size == 0) return;
    if (s->room - s->size < size) {
        const size_t room = s->room * 2 + size;
        uint8_t *bytes = realloc(s->bytes, room);
        if (!bytes) {
            s->failed = true;
            return;
        }
        s->bytes = bytes;
        s->room = room;
    }
    memcpy(s->bytes + s->size, data, size);
    s->size += size;
}
