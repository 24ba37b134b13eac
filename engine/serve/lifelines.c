#include "serve/lifelines.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

struct vkp_lifeline {
    vkp_lifeline *before, *after;
    int socket;
    double end;
};

struct vkp_lifelines {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool stopping;
    vkp_lifeline *first;
};

static void *watch(void *user)
{
    enum { NANOSECONDS = 250 * 1000 * 1000 };
    vkp_lifelines *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        const double now = vkp_clock();
        for (vkp_lifeline *line = l->first; line; line = line->after) {
            if (line->end > now) continue;
            /* The server notices that nothing can come or go any more, and closes it. */
            shutdown(line->socket, SHUT_RDWR);
            line->end = INFINITY;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += NANOSECONDS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&l->wake, &l->lock, &until);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

vkp_status vkp_lifelines_create(vkp_lifelines **out)
{
    *out = NULL;
    vkp_lifelines *l = calloc(1, sizeof *l);
    if (!l) return vkp_fail(VKP_MEMORY, "no memory for the server (host memory ran out; close programs)");
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    const int error = pthread_create(&l->thread, NULL, watch, l);
    if (!error) {
        *out = l;
        return VKP_OK;
    }
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
    return vkp_fail_errno("start", "the server's thread", error);
}

void vkp_lifelines_destroy(vkp_lifelines *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

vkp_lifeline *vkp_lifeline_add(vkp_lifelines *l, int socket, double seconds)
{
    vkp_lifeline *line = calloc(1, sizeof *line);
    if (!line) return NULL;
    line->socket = socket;
    line->end = vkp_clock() + seconds;
    pthread_mutex_lock(&l->lock);
    line->after = l->first;
    if (l->first) l->first->before = line;
    l->first = line;
    pthread_mutex_unlock(&l->lock);
    return line;
}

void vkp_lifeline_renew(vkp_lifelines *l, vkp_lifeline *line, double seconds)
{
    if (!line) return;
    pthread_mutex_lock(&l->lock);
    line->end = vkp_clock() + seconds;
    pthread_mutex_unlock(&l->lock);
}

void vkp_lifeline_remove(vkp_lifelines *l, vkp_lifeline *line)
{
    if (!line) return;
    pthread_mutex_lock(&l->lock);
    if (line->before)
        line->before->after = line->after;
    else
        l->first = line->after;
    if (line->after) line->after->before = line->before;
    pthread_mutex_unlock(&l->lock);
    free(line);
}
