/* Sink: a piece of memory that encoders append to. For image/picture_write.c and image/picture_png.c. */
#ifndef VKP_IMAGE_SINK_H
#define VKP_IMAGE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed, it is empty. Once growing fails, nothing more is taken. The owner frees `bytes`. */
typedef struct vkp_sink {
    uint8_t *bytes;
    size_t size, room;
    bool failed;
} vkp_sink;

void vkp_sink_take(vkp_sink *sink, const void *data, size_t size);

#endif
