/* Feed: batches of photographs on the device, decoded ahead by threads, squared or cropped, and flipped on
 * their way; and the gray pictures that the network is to see where they are not the photographs' own luma.
 *
 * What is random about a picture (its flip, blur, crop, what is done to its luma) follows from the seed, the
 * epoch and the picture's index alone, so that a resumed run and another number of threads see the same. */
#ifndef VKP_DATA_FEED_H
#define VKP_DATA_FEED_H

#include "data/loader.h"
#include "image/device_picture.h"
#include "image/fit.h"

typedef struct vkp_feed_options {
    const char *const *paths; /* count of them; must outlive the feed */
    size_t count;
    uint32_t batch;
    vkp_fit fit;
    int size;          /* the setting; the rectangle is vkp_fit_output's, or size x size with view_max */
    double flip, blur; /* probabilities; 0 for validation */
    /* 0: whole pictures, by `fit`. Else random squares of the photograph as it is when its long side is
     * scaled to a length drawn from view_min..view_max pixels, log-uniformly: image/crop.h. */
    uint32_t view_min, view_max;
    /* Probabilities that the input's luma, not the RGB, gets a random gamma and contrast, and that it is
     * degraded like an old photograph: image/degrade.h. */
    double jitter, degrade;
    size_t cache_bytes; /* RGBA of decoded pictures, reduced to what view_max needs, kept for later epochs */
    uint64_t seed;
    int threads;
    uint64_t max_pixels; /* of a picture: vkp_picture_read */
    void (*warn)(void *user, const char *text); /* told of each picture that cannot be read */
    void *user;
} vkp_feed_options;

/* One batch. The arrays belong to the feed and are valid until its next batch. */
typedef struct vkp_feed_batch {
    uint32_t count;        /* pictures; 0 at the end of what was queued */
    const vkp_rect *valid; /* what of each is picture, not padding */
    const float *blur;     /* nine weights each */
} vkp_feed_batch;

typedef struct vkp_feed vkp_feed;

/* Makes a feed and starts its threads. The caller frees it with vkp_feed_destroy (NULL is allowed).
 * USAGE: views not in order; DEVICE_MEMORY, MEMORY, IO. */
VKP_MUST_USE vkp_status vkp_feed_create(vkp_device *device, const vkp_feed_options *options, vkp_feed **out);
void vkp_feed_destroy(vkp_feed *feed);

/* The batch as programs read it: (batch,3,h,w) RGB 0..1, laid out as vkp_tensor_activation. Its height and
 * width. */
const vkp_buffer *vkp_feed_rgb(const vkp_feed *feed);
/* What the network is to see: (batch,1,h,w) luma in -1..1, laid out likewise, submitted with the RGB. NULL
 * where jitter and degrade are 0: then it is the RGB's own luma. */
const vkp_buffer *vkp_feed_gray(const vkp_feed *feed);
void vkp_feed_output(const vkp_feed *feed, uint32_t *h, uint32_t *w);

/* Queues pictures by index, as those of an epoch; everything queued before has been taken. */
VKP_MUST_USE vkp_status vkp_feed_queue(vkp_feed *feed, const size_t *order, size_t length, uint32_t epoch);

/* Passes over the next `count` readable pictures: what a resumed run had before its stop. */
VKP_MUST_USE vkp_status vkp_feed_skip(vkp_feed *feed, size_t count);

/* Waits for the next batch's pictures and submits their way into vkp_feed_rgb, behind whatever the device is
 * doing: work submitted afterwards sees them. The last batch may be smaller. VKP_INPUT when not one
 * picture could be read. */
VKP_MUST_USE vkp_status vkp_feed_next(vkp_feed *feed, vkp_feed_batch *batch);

/* Pictures handed out and refused so far, and the time spent waiting for decoders. */
vkp_loader_totals vkp_feed_count(const vkp_feed *feed);

#endif
