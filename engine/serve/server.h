/* The server: the page and its HTTP interface (docs/http.md), on libmicrohttpd. */
#ifndef VKP_SERVE_SERVER_H
#define VKP_SERVE_SERVER_H

#include <cjson/cJSON.h>

#include "serve/queue.h"
#include "serve/runs.h"

typedef struct vkp_server_options {
    const char *address;  /* to listen on, as a number; NULL: 127.0.0.1 */
    uint16_t port;        /* 0: any that is free */
    unsigned connections; /* at once; further ones wait */
    double patience;      /* seconds for a request's headers, and for anything to begin */
    size_t file_bytes;    /* that an uploaded picture may have */
    uint64_t max_pixels;  /* that it may claim to have */
    unsigned per_session; /* pictures, for the page to know */
    vkp_queue *queue;
    vkp_runs *runs;               /* NULL: none are shown */
    const char *device;           /* that colours, by name */
    cJSON *(*models)(void *user); /* an array of names, the one of "" first; NULL: memory ran out */
    vkp_status (*check)(void *user, const vkp_wish *wish); /* VKP_USAGE: a wish that cannot be fulfilled */
    void *user;
} vkp_server_options;

typedef struct vkp_server vkp_server;

/* Listens and answers, in threads of its own, until vkp_server_stop. An address other than this machine's own
 * makes a token that every request needs. VKP_USAGE: no address; VKP_IO: it cannot be listened on, or there
 * are no threads; VKP_MEMORY. What the options point to must outlive the server. */
VKP_MUST_USE vkp_status vkp_server_start(const vkp_server_options *options, vkp_server **out);
void vkp_server_stop(vkp_server *server); /* NULL is fine */

/* Where the page is, as "http://127.0.0.1:8080/", with the token if there is one. */
const char *vkp_server_url(const vkp_server *server);
uint16_t vkp_server_port(const vkp_server *server);
const char *vkp_server_token(const vkp_server *server); /* "": there is none */

#endif
