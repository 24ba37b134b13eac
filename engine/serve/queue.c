#include "serve/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

typedef struct session {
    struct session *next;
    char id[VKP_ID_ROOM];
    double asked; /* when, last */
    unsigned pictures;
} session;

typedef struct picture {
    struct picture *next; /* in the order in which they were added */
    session *owner;
    char id[VKP_ID_ROOM], name[VKP_NAME_ROOM];
    uint64_t turn; /* the least of those that wait comes next */
    vkp_state state;
    vkp_wish wish;
    unsigned version;
    int width, height;
    vkp_blob *parts[VKP_PARTS];
    vkp_status status;
    char error[512];
} picture;

struct vkp_queue {
    vkp_queue_options options;
    vkp_bank bank;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool stopping;
    session *sessions;
    picture *pictures;
    uint64_t turns;
    picture *current;         /* in work; NULL also when it was removed meanwhile */
    vkp_stage stage;          /* of that */
    double started;           /* when its stage began */
    double spent[VKP_STAGES]; /* seconds in its stages so far */
    double usual[VKP_STAGES]; /* seconds, the mean of earlier pictures, later ones weighing more */
    bool measured;
};

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for the queue (host memory ran out; close other programs)");
}

vkp_status vkp_id_make(char id[VKP_ID_ROOM])
{
    static const char source[] = "/dev/urandom";
    uint8_t random[VKP_ID_LENGTH / 2];
    const int fd = open(source, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, random, sizeof random);
    const int error = errno;
    if (fd >= 0) close(fd);
    if (got != (ssize_t)sizeof random) return vkp_fail_errno("read", source, got < 0 ? error : EIO);
    for (size_t i = 0; i < sizeof random; i++) snprintf(id + 2 * i, 3, "%02x", random[i]);
    return VKP_OK;
}

static session **find_session(vkp_queue *q, const char *id)
{
    session **at = &q->sessions;
    while (*at && strcmp((*at)->id, id) != 0) at = &(*at)->next;
    if (*at) (*at)->asked = vkp_clock();
    return at;
}

static picture **find_picture(vkp_queue *q, const char *id)
{
    picture **at = &q->pictures;
    while (*at && strcmp((*at)->id, id) != 0) at = &(*at)->next;
    if (*at) (*at)->owner->asked = vkp_clock();
    return at;
}

static void remove_picture(vkp_queue *q, picture **at)
{
    picture *p = *at;
    *at = p->next;
    p->owner->pictures--;
    if (q->current == p) q->current = NULL;
    for (int i = 0; i < VKP_PARTS; i++) vkp_blob_drop(p->parts[i]);
    free(p);
}

static void remove_session(vkp_queue *q, session **at)
{
    session *s = *at;
    for (picture **p = &q->pictures; *p;)
        if ((*p)->owner == s)
            remove_picture(q, p);
        else
            p = &(*p)->next;
    *at = s->next;
    free(s);
}

/* Ends the sessions that nobody has asked about for long. */
static void tidy(vkp_queue *q)
{
    const double oldest = vkp_clock() - q->options.idle_seconds;
    for (session **s = &q->sessions; *s;)
        if ((*s)->asked < oldest)
            remove_session(q, s);
        else
            s = &(*s)->next;
}

static picture *next_picture(const vkp_queue *q)
{
    picture *next = NULL;
    for (picture *p = q->pictures; p; p = p->next)
        if (p->state == VKP_STATE_WAITING && (!next || p->turn < next->turn)) next = p;
    return next;
}

/* The stage that was in work is over. */
static void end_stage(vkp_queue *q)
{
    const double now = vkp_clock();
    q->spent[q->stage] += now - q->started;
    q->started = now;
}

static void learn(vkp_queue *q)
{
    const double weight = q->measured ? 0.3 : 1;
    for (int i = 0; i < VKP_STAGES; i++) q->usual[i] += weight * (q->spent[i] - q->usual[i]);
    q->measured = true;
}

/* Takes over what colouring gave. */
static void settle(vkp_queue *q, picture *p, vkp_status status, const char *error, vkp_coloured *coloured)
{
    if (status != VKP_OK) {
        p->state = VKP_STATE_FAILED;
        p->status = status;
        snprintf(p->error, sizeof p->error, "%s", error);
        return;
    }
    p->state = VKP_STATE_DONE;
    p->version++;
    p->width = coloured->width;
    p->height = coloured->height;
    for (int i = 0; i < VKP_PARTS; i++) {
        if (i == VKP_PART_ORIGINAL) continue;
        vkp_blob_drop(p->parts[i]);
        p->parts[i] = coloured->parts[i];
        coloured->parts[i] = NULL;
    }
    learn(q);
}

/* Colours one picture; the lock is held on entry and on return, and open meanwhile. */
static void work_on(vkp_queue *q, picture *p)
{
    char name[VKP_NAME_ROOM];
    vkp_blob *original = vkp_blob_hold(p->parts[VKP_PART_ORIGINAL]);
    const vkp_task task = {q, name, original, p->wish};
    vkp_coloured coloured = {0};
    memcpy(name, p->name, sizeof name);
    p->state = VKP_STATE_WORKING;
    q->current = p;
    q->stage = VKP_STAGE_READ;
    q->started = vkp_clock();
    memset(q->spent, 0, sizeof q->spent);
    pthread_mutex_unlock(&q->lock);
    const vkp_status status = q->options.work(q->options.user, &task, &coloured);
    vkp_blob_drop(original);
    pthread_mutex_lock(&q->lock);
    end_stage(q);
    if (q->current) settle(q, q->current, status, vkp_error(), &coloured);
    q->current = NULL;
    for (int i = 0; i < VKP_PARTS; i++) vkp_blob_drop(coloured.parts[i]);
}

static void *run(void *user)
{
    vkp_queue *q = user;
    pthread_mutex_lock(&q->lock);
    while (!q->stopping) {
        tidy(q);
        picture *p = next_picture(q);
        if (p) {
            work_on(q, p);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&q->wake, &q->lock, &until);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

vkp_status vkp_queue_create(const vkp_queue_options *options, vkp_queue **out)
{
    *out = NULL;
    vkp_queue *q = calloc(1, sizeof *q);
    if (!q) return no_memory();
    q->options = *options;
    q->bank.limit = options->bytes;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, NULL);
    const int error = pthread_create(&q->thread, NULL, run, q);
    if (error) {
        pthread_cond_destroy(&q->wake);
        pthread_mutex_destroy(&q->lock);
        free(q);
        return vkp_fail_errno("start", "the queue's thread", error);
    }
    *out = q;
    return VKP_OK;
}

void vkp_queue_destroy(vkp_queue *q)
{
    if (!q) return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
    while (q->sessions) remove_session(q, &q->sessions);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

vkp_bank *vkp_queue_bank(vkp_queue *q) { return &q->bank; }

bool vkp_queue_stage(vkp_queue *q, vkp_stage stage)
{
    pthread_mutex_lock(&q->lock);
    end_stage(q);
    q->stage = stage;
    const bool wanted = q->current && !q->stopping;
    pthread_mutex_unlock(&q->lock);
    return wanted;
}

static vkp_status add_session(vkp_queue *q, const char *id)
{
    unsigned count = 0;
    for (session *s = q->sessions; s; s = s->next) count++;
    if (count >= q->options.sessions)
        return vkp_fail(VKP_MEMORY,
                        "no room for another page (%u are open already; close one, or try again later)",
                        count);
    session *made = calloc(1, sizeof *made);
    if (!made) return no_memory();
    made->asked = vkp_clock();
    memcpy(made->id, id, VKP_ID_ROOM);
    made->next = q->sessions;
    q->sessions = made;
    return VKP_OK;
}

vkp_status vkp_queue_begin(vkp_queue *q, char id[VKP_ID_ROOM])
{
    VKP_TRY(vkp_id_make(id));
    pthread_mutex_lock(&q->lock);
    tidy(q);
    const vkp_status status = add_session(q, id);
    pthread_mutex_unlock(&q->lock);
    return status;
}

bool vkp_queue_end(vkp_queue *q, const char *id)
{
    pthread_mutex_lock(&q->lock);
    session **at = find_session(q, id);
    const bool found = *at;
    if (found) remove_session(q, at);
    pthread_mutex_unlock(&q->lock);
    return found;
}

bool vkp_queue_knows(vkp_queue *q, const char *id)
{
    pthread_mutex_lock(&q->lock);
    tidy(q);
    const bool found = *find_session(q, id);
    pthread_mutex_unlock(&q->lock);
    return found;
}

static vkp_status no_session(void)
{
    return vkp_fail(VKP_USAGE,
                    "there is no such session (it was closed, or idle for too long; begin a new one)");
}

static vkp_status add_picture(vkp_queue *q, const char *owner, picture *p)
{
    p->owner = *find_session(q, owner);
    if (!p->owner) return no_session();
    if (p->owner->pictures >= q->options.per_session)
        return vkp_fail(VKP_MEMORY,
                        "no room for another picture (a page may have %u at once; download and remove some)",
                        q->options.per_session);
    p->owner->pictures++;
    p->turn = q->turns++;
    picture **end = &q->pictures;
    while (*end) end = &(*end)->next;
    *end = p;
    pthread_cond_signal(&q->wake);
    return VKP_OK;
}

vkp_status vkp_queue_add(vkp_queue *q, const char *owner, const char *name, vkp_blob *original,
                         const vkp_wish *wish, char id[VKP_ID_ROOM])
{
    VKP_TRY(vkp_id_make(id));
    picture *p = calloc(1, sizeof *p);
    if (!p) return no_memory();
    p->wish = *wish;
    memcpy(p->id, id, VKP_ID_ROOM);
    snprintf(p->name, sizeof p->name, "%s", name);
    pthread_mutex_lock(&q->lock);
    const vkp_status status = add_picture(q, owner, p);
    if (status == VKP_OK) p->parts[VKP_PART_ORIGINAL] = vkp_blob_hold(original);
    pthread_mutex_unlock(&q->lock);
    if (status != VKP_OK) free(p);
    return status;
}

bool vkp_queue_again(vkp_queue *q, const char *id, const vkp_wish *wish)
{
    pthread_mutex_lock(&q->lock);
    picture *p = *find_picture(q, id);
    if (p) {
        if (q->current == p) q->current = NULL; /* what is in work is not what is wanted now */
        p->wish = *wish;
        p->state = VKP_STATE_WAITING;
        p->turn = q->turns++;
        pthread_cond_signal(&q->wake);
    }
    pthread_mutex_unlock(&q->lock);
    return p;
}

bool vkp_queue_remove(vkp_queue *q, const char *id)
{
    pthread_mutex_lock(&q->lock);
    picture **at = find_picture(q, id);
    const bool found = *at;
    if (found) remove_picture(q, at);
    pthread_mutex_unlock(&q->lock);
    return found;
}

static double usual_seconds(const vkp_queue *q)
{
    double sum = 0;
    for (int i = 0; i < VKP_STAGES; i++) sum += q->usual[i];
    return sum;
}

/* The share of the current picture's colouring that is done: a stage counts by the time it usually
 * takes, and the one in work never as whole. */
static double current_progress(const vkp_queue *q)
{
    if (!q->measured || usual_seconds(q) <= 0) return (double)q->stage / VKP_STAGES;
    const double in_stage = vkp_clock() - q->started, most = 0.95 * q->usual[q->stage];
    double done = in_stage < most ? in_stage : most;
    for (int i = 0; i < (int)q->stage; i++) done += q->usual[i];
    return done / usual_seconds(q);
}

static void look_at(const vkp_queue *q, const picture *p, vkp_look *look)
{
    *look = (vkp_look){.state = p->state,
                       .wish = p->wish,
                       .version = p->version,
                       .width = p->width,
                       .height = p->height,
                       .status = p->status,
                       .seconds_left = q->measured ? 0 : NAN};
    memcpy(look->id, p->id, sizeof look->id);
    memcpy(look->name, p->name, sizeof look->name);
    if (p->state == VKP_STATE_FAILED) memcpy(look->error, p->error, sizeof look->error);
    if (p->state == VKP_STATE_DONE) look->progress = 1;
    const double rest = q->current ? 1 - current_progress(q) : 0;
    if (p->state == VKP_STATE_WORKING) {
        look->stage = q->stage;
        look->progress = 1 - rest;
        look->seconds_left += rest * usual_seconds(q);
    } else if (p->state == VKP_STATE_WAITING) {
        for (const picture *o = q->pictures; o; o = o->next)
            look->ahead += o->state == VKP_STATE_WAITING && o->turn < p->turn;
        look->seconds_left += (look->ahead + 1 + rest) * usual_seconds(q);
        look->ahead += q->current != NULL;
    }
}

bool vkp_queue_look(vkp_queue *q, const char *id, vkp_look *look)
{
    pthread_mutex_lock(&q->lock);
    tidy(q);
    const picture *p = *find_picture(q, id);
    if (p) look_at(q, p, look);
    pthread_mutex_unlock(&q->lock);
    return p;
}

static vkp_status list(vkp_queue *q, const char *id, vkp_look **looks, size_t *count)
{
    const session *owner = *find_session(q, id);
    if (!owner) return no_session();
    *looks = calloc(owner->pictures + 1, sizeof **looks);
    if (!*looks) return no_memory();
    for (const picture *p = q->pictures; p; p = p->next)
        if (p->owner == owner) look_at(q, p, &(*looks)[(*count)++]);
    return VKP_OK;
}

vkp_status vkp_queue_list(vkp_queue *q, const char *owner, vkp_look **looks, size_t *count)
{
    *looks = NULL;
    *count = 0;
    pthread_mutex_lock(&q->lock);
    tidy(q);
    const vkp_status status = list(q, owner, looks, count);
    pthread_mutex_unlock(&q->lock);
    return status;
}

vkp_blob *vkp_queue_part(vkp_queue *q, const char *id, vkp_part part)
{
    pthread_mutex_lock(&q->lock);
    const picture *p = *find_picture(q, id);
    vkp_blob *blob = p ? vkp_blob_hold(p->parts[part]) : NULL;
    pthread_mutex_unlock(&q->lock);
    return blob;
}

void vkp_queue_measure(vkp_queue *q, vkp_queue_load *load)
{
    *load = (vkp_queue_load){0};
    pthread_mutex_lock(&q->lock);
    tidy(q);
    for (const session *s = q->sessions; s; s = s->next) load->sessions++;
    for (const picture *p = q->pictures; p; p = p->next) {
        load->pictures++;
        load->waiting += p->state == VKP_STATE_WAITING;
    }
    load->bytes = q->bank.used;
    pthread_mutex_unlock(&q->lock);
}
