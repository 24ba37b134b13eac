/* Loader: pictures decoded by threads ahead of whoever uses them, and kept for later where there is room.
 * The caller queues indices into a list of paths and takes pictures in exactly that order, whatever the
 * number of threads. Threads run ahead of the caller as far as two bounds allow: pictures, and bytes held
 * for pictures not yet taken, whether they are being decoded or wait. A third, cache_bytes, bounds the
 * decoded pictures that stay until the loader's end: the first ones that fit, none ever in place of
 * another. Which ones those are may depend on the threads; what is handed out does not. */
#ifndef VKP_DATA_LOADER_H
#define VKP_DATA_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/picture.h"

/* What the threads make of a picture once it is decoded; called in several of them at once. */
typedef struct vkp_loader_hooks {
    /* NULL, or changes a decoded picture before it is kept, by what follows from the picture alone. */
    vkp_status (*reduce)(void *user, vkp_picture *picture);
    /* NULL, or makes `floats` values of a picture, each time that it comes; *own, zeroed, may be made a
     * picture to be handed out in its place. Both become the item's. */
    vkp_status (*prepare)(void *user, size_t index, const vkp_picture *picture, vkp_picture *own,
                          float *values);
    size_t floats;
    void *user;
} vkp_loader_hooks;

typedef struct vkp_loader_options {
    int threads;         /* 1..256 */
    size_t ahead;        /* pictures begun and not yet taken, at least 1 */
    size_t cache_bytes;  /* kept for when the index comes again; 0: nothing is kept */
    vkp_loader_hooks hooks;
    size_t max_bytes; /* held for pictures not yet taken: files, what decoding takes, pixels, Exif, profiles;
                         the next picture is loaded in any case. 0: no bound */
    uint64_t max_pixels; /* of one picture, as vkp_picture_read */
} vkp_loader_options;

typedef struct vkp_loader_item {
    bool end;            /* everything queued has been taken; the rest is not set */
    size_t index;        /* as queued */
    vkp_status status;   /* of reading this picture */
    vkp_picture picture; /* empty unless status is VKP_OK */
    bool kept;           /* the picture stays the loader's; never so without a cache */
    float *values;       /* the hook's; NULL where it makes none */
    char error[1024];    /* vkp_error()'s text unless status is VKP_OK */
} vkp_loader_item;

typedef struct vkp_loader_totals {
    size_t loaded;       /* pictures handed out */
    size_t bad;          /* different pictures that could not be read */
    size_t peak_bytes;   /* most that max_bytes bounds ever held at a time */
    size_t kept_bytes;   /* in the cache, as vkp_picture_bytes counts */
    size_t decoded;      /* pictures that were decoded, not taken from the cache */
    double wait_seconds; /* what the caller spent waiting in vkp_loader_next */
} vkp_loader_totals;

typedef struct vkp_loader vkp_loader;

/* Starts the threads. `paths` (count of them) must live as long as the loader. vkp_loader_free afterwards.
 * VKP_USAGE: options out of range; VKP_IO: no thread can be started; VKP_MEMORY. *loader is NULL on
 * failure. */
VKP_MUST_USE vkp_status vkp_loader_make(const char *const *paths, size_t count,
                                        const vkp_loader_options *options, vkp_loader **loader);

/* Appends `length` indices below the count of paths to what is to be loaded, as often as wanted: the next
 * epoch can be queued while the current one runs. VKP_INTERNAL: an index out of range; VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_loader_queue(vkp_loader *loader, const size_t *order, size_t length);

/* Waits for the next picture of the queue. One that cannot be read is handed out once, with status and error
 * set, and left out wherever its index comes again. VKP_INPUT: the queue is at its end and not one picture
 * could be read since the loader was made. To be called, like vkp_loader_queue, by one thread at a time. */
VKP_MUST_USE vkp_status vkp_loader_next(vkp_loader *loader, vkp_loader_item *item);

/* Frees what an item holds and zeroes it; before the loader is freed. Without cache and hooks that is its
 * picture. */
void vkp_loader_item_free(vkp_loader_item *item);

/* What has been done so far; for the caller's thread. */
vkp_loader_totals vkp_loader_count(vkp_loader *loader);

/* Stops the threads, at the latest when each has finished the picture it is decoding, and frees what was not
 * taken and what it kept. NULL is fine. */
void vkp_loader_free(vkp_loader *loader);

#endif
