/* Queue position p is decoded into slot p % ahead. The threads take positions in order; a position may begin
 * when its slot is free, and may decode when its bytes fit or when it is the one that the caller waits for,
 * so the bound on bytes can delay but never block. One lock guards all that changes. */
#include "data/loader.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"

typedef struct slot {
    bool ready;
    size_t bytes; /* counted in loader.bytes */
    vkp_loader_item item;
} slot;

struct vkp_loader {
    const char *const *paths;
    size_t path_count;
    vkp_loader_options options;
    pthread_t *threads;
    int thread_count;

    pthread_mutex_t lock;
    pthread_cond_t work;  /* for threads: positions, slots or bytes became free, or stop */
    pthread_cond_t ready; /* for the caller: a slot became ready */
    bool stop;
    size_t *order; /* positions taken .. queued-1 are order[p - base] */
    size_t order_room, base;
    size_t taken, begun, queued; /* positions; taken <= begun <= queued */
    size_t bytes;                /* decoded or about to be, and not taken */
    slot *slots;                 /* options.ahead of them */
    bool *bad;                   /* by index: reported already */
    vkp_picture *kept;           /* by index: the cache; NULL without one */
    vkp_loader_totals totals;
};

static vkp_status out_of_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory to load pictures (host memory ran out; close other programs)");
}

static void drop_content(vkp_loader_item *item)
{
    if (!item->kept) vkp_picture_free(&item->picture);
    item->picture = (vkp_picture){.rgba = NULL};
    item->kept = false;
    free(item->values);
    item->values = NULL;
}

/* Waits until `bytes` more may be held for this position; false: the loader stops. Called without the lock.
 */
static bool reserve(vkp_loader *l, size_t position, slot *s, size_t bytes)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stop && position != l->taken && l->options.max_bytes &&
           (bytes > l->options.max_bytes || l->bytes > l->options.max_bytes - bytes))
        pthread_cond_wait(&l->work, &l->lock);
    bool go = !l->stop;
    if (go) {
        s->bytes += bytes;
        l->bytes += bytes;
        if (l->bytes > l->totals.peak_bytes) l->totals.peak_bytes = l->bytes;
    }
    pthread_mutex_unlock(&l->lock);
    return go;
}

/* Takes the item's picture from the cache; false where it is not there. Pictures in it never change. */
static bool find_kept(vkp_loader *l, slot *s)
{
    if (!l->kept) return false;
    pthread_mutex_lock(&l->lock);
    s->item.picture = l->kept[s->item.index];
    s->item.kept = s->item.picture.rgba != NULL;
    pthread_mutex_unlock(&l->lock);
    return s->item.kept;
}

/* Puts a decoded picture into the cache where there is room, or where another thread was first, drops it. */
static void keep(vkp_loader *l, slot *s)
{
    if (!l->kept) return;
    vkp_picture drop = {.rgba = NULL};
    pthread_mutex_lock(&l->lock);
    vkp_picture *kept = &l->kept[s->item.index];
    const size_t bytes = vkp_picture_bytes(&s->item.picture);
    if (kept->rgba) {
        drop = s->item.picture;
        s->item.picture = *kept;
        s->item.kept = true;
    } else if (bytes <= l->options.cache_bytes - l->totals.kept_bytes) {
        *kept = s->item.picture;
        s->item.kept = true;
        l->totals.kept_bytes += bytes;
    }
    pthread_mutex_unlock(&l->lock);
    vkp_picture_free(&drop);
}

/* Counts what the item really holds in place of what was reserved for it. */
static void settle(vkp_loader *l, slot *s)
{
    const size_t bytes = s->item.kept ? 0 : vkp_picture_bytes(&s->item.picture);
    pthread_mutex_lock(&l->lock);
    l->bytes = l->bytes - s->bytes + bytes;
    s->bytes = bytes;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
}

/* The size of the file as it is now, 0 for what is no file: reading that fails with the reason. */
static size_t file_size(const char *path)
{
    struct stat info;
    const bool readable = stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= INT_MAX;
    return readable ? (size_t)info.st_size : 0;
}

/* Decodes the item's picture, unless the loader stops: then there is none. */
static vkp_status decode(vkp_loader *l, size_t position, slot *s)
{
    const char *path = l->paths[s->item.index];
    void *file;
    size_t size, peak;
    if (!reserve(l, position, s, file_size(path))) return VKP_OK;
    VKP_TRY(vkp_file_read(path, INT_MAX, &file, &size));
    vkp_status status = vkp_picture_peak(file, size, path, l->options.max_pixels, &peak);
    if (status == VKP_OK && reserve(l, position, s, peak))
        status = vkp_picture_decode(file, size, path, l->options.max_pixels, &s->item.picture);
    free(file);
    if (status != VKP_OK || !s->item.picture.rgba) return status;
    if (l->options.hooks.reduce) VKP_TRY(l->options.hooks.reduce(l->options.hooks.user, &s->item.picture));
    pthread_mutex_lock(&l->lock);
    l->totals.decoded++;
    pthread_mutex_unlock(&l->lock);
    keep(l, s);
    return VKP_OK;
}

static vkp_status prepare(vkp_loader *l, slot *s)
{
    const vkp_loader_hooks *hooks = &l->options.hooks;
    if (!hooks->prepare) return VKP_OK;
    if (hooks->floats && !(s->item.values = calloc(hooks->floats, sizeof *s->item.values)))
        return out_of_memory();
    vkp_picture own = {.rgba = NULL};
    VKP_TRY(hooks->prepare(hooks->user, s->item.index, &s->item.picture, &own, s->item.values));
    if (!own.rgba) return VKP_OK;
    if (!s->item.kept) vkp_picture_free(&s->item.picture);
    s->item.picture = own;
    s->item.kept = false;
    return VKP_OK;
}

/* Fills the slot's item. The slot belongs to this thread until it is marked ready. */
static vkp_status load(vkp_loader *l, size_t position, slot *s)
{
    vkp_status status = find_kept(l, s) ? VKP_OK : decode(l, position, s);
    if (status == VKP_OK && s->item.picture.rgba) status = prepare(l, s);
    if (status != VKP_OK) drop_content(&s->item);
    settle(l, s);
    return status;
}

/* One position, begun under the lock and finished under it. */
static void work_once(vkp_loader *l)
{
    size_t position = l->begun++;
    slot *s = &l->slots[position % l->options.ahead];
    *s = (slot){.item = {.index = l->order[position - l->base]}};
    bool known_bad = l->bad[s->item.index];
    pthread_mutex_unlock(&l->lock);
    vkp_status status = known_bad ? VKP_INPUT : load(l, position, s);
    if (status != VKP_OK && !known_bad) snprintf(s->item.error, sizeof s->item.error, "%s", vkp_error());
    pthread_mutex_lock(&l->lock);
    s->item.status = status;
    s->ready = true;
    pthread_cond_broadcast(&l->ready);
}

static void *work(void *argument)
{
    vkp_loader *l = argument;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (l->begun < l->queued && l->begun - l->taken < l->options.ahead) work_once(l);
        else pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static vkp_status check(const vkp_loader_options *o)
{
    if (o->threads >= 1 && o->threads <= 256 && o->ahead >= 1 && o->ahead <= SIZE_MAX / sizeof(slot))
        return VKP_OK;
    return vkp_fail(VKP_USAGE,
                    "cannot load pictures with %d threads %zu ahead (threads are 1 to 256, pictures ahead "
                    "1 or more; choose others)",
                    o->threads, o->ahead);
}

vkp_status vkp_loader_make(const char *const *paths, size_t count, const vkp_loader_options *options,
                           vkp_loader **loader)
{
    *loader = NULL;
    VKP_TRY(check(options));
    vkp_loader *l = calloc(1, sizeof *l);
    if (!l) return out_of_memory();
    l->paths = paths;
    l->path_count = count;
    l->options = *options;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->slots = calloc(options->ahead, sizeof *l->slots);
    l->bad = calloc(count ? count : 1, sizeof *l->bad);
    l->threads = calloc((size_t)options->threads, sizeof *l->threads);
    if (options->cache_bytes) l->kept = calloc(count ? count : 1, sizeof *l->kept);
    if (!l->slots || !l->bad || !l->threads || (options->cache_bytes && !l->kept)) {
        vkp_loader_free(l);
        return out_of_memory();
    }
    /* Fewer threads than asked for, should the system refuse, load the same pictures. */
    int error = 0;
    while (!error && l->thread_count < options->threads) {
        error = pthread_create(&l->threads[l->thread_count], NULL, work, l);
        if (!error) l->thread_count++;
    }
    if (l->thread_count == 0) {
        vkp_loader_free(l);
        return vkp_fail(VKP_IO, "cannot start a thread to load pictures (%s; end other programs)",
                        strerror(error));
    }
    *loader = l;
    return VKP_OK;
}

/* Under the lock: drops what was begun from the order's front and makes room for `length` more. */
static bool make_room(vkp_loader *l, size_t length)
{
    size_t kept = l->queued - l->begun;
    if (kept) memmove(l->order, l->order + (l->begun - l->base), kept * sizeof *l->order);
    l->base = l->begun;
    if (length > SIZE_MAX / sizeof *l->order - kept) return false;
    if (kept + length <= l->order_room) return true;
    size_t *order = realloc(l->order, (kept + length) * sizeof *order);
    if (!order) return false;
    l->order = order;
    l->order_room = kept + length;
    return true;
}

vkp_status vkp_loader_queue(vkp_loader *l, const size_t *order, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (order[i] >= l->path_count)
            return vkp_fail(VKP_INTERNAL, "no picture %zu among %zu (the caller's mistake; report it)",
                            order[i], l->path_count);
    if (length == 0) return VKP_OK;
    pthread_mutex_lock(&l->lock);
    bool room = make_room(l, length);
    if (room) {
        memcpy(l->order + (l->queued - l->base), order, length * sizeof *order);
        l->queued += length;
        pthread_cond_broadcast(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    return room ? VKP_OK : out_of_memory();
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Under the lock, with something left in the queue: waits for the next position and frees its slot. */
static void take(vkp_loader *l, vkp_loader_item *item)
{
    slot *s = &l->slots[l->taken % l->options.ahead];
    if (!(l->begun > l->taken && s->ready)) {
        double start = seconds();
        while (!(l->begun > l->taken && s->ready)) pthread_cond_wait(&l->ready, &l->lock);
        l->totals.wait_seconds += seconds() - start;
    }
    *item = s->item;
    l->bytes -= s->bytes;
    *s = (slot){.ready = false};
    l->taken++;
    pthread_cond_broadcast(&l->work);
}

vkp_status vkp_loader_next(vkp_loader *l, vkp_loader_item *item)
{
    pthread_mutex_lock(&l->lock);
    bool again;
    do {
        *item = (vkp_loader_item){.end = l->taken == l->queued};
        if (item->end) break;
        take(l, item);
        again = item->status != VKP_OK && l->bad[item->index];
    } while (again);
    if (!item->end && item->status == VKP_OK) l->totals.loaded++;
    if (!item->end && item->status != VKP_OK) {
        l->bad[item->index] = true;
        l->totals.bad++;
    }
    vkp_loader_totals totals = l->totals;
    pthread_mutex_unlock(&l->lock);
    if (item->end && totals.bad > 0 && totals.loaded == 0)
        return vkp_fail(VKP_INPUT, "none of the %zu pictures can be read (each was reported; give others)",
                        totals.bad);
    return VKP_OK;
}

void vkp_loader_item_free(vkp_loader_item *item)
{
    drop_content(item);
    *item = (vkp_loader_item){.end = item->end};
}

vkp_loader_totals vkp_loader_count(vkp_loader *l)
{
    pthread_mutex_lock(&l->lock);
    vkp_loader_totals totals = l->totals;
    pthread_mutex_unlock(&l->lock);
    return totals;
}

void vkp_loader_free(vkp_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->thread_count; i++) pthread_join(l->threads[i], NULL);
    for (size_t i = 0; l->slots && i < l->options.ahead; i++) drop_content(&l->slots[i].item);
    for (size_t i = 0; l->kept && i < l->path_count; i++) vkp_picture_free(&l->kept[i]);
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l->slots);
    free(l->bad);
    free(l->kept);
    free(l->threads);
    free(l->order);
    free(l);
}
