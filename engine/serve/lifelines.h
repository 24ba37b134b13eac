/* Lifelines: the server's connections, each with a moment by which it must have come further, so that clients
 * who are slow on purpose do not keep the places of others. */
#ifndef VKP_SERVE_LIFELINES_H
#define VKP_SERVE_LIFELINES_H

#include "base/status.h"

typedef struct vkp_lifelines vkp_lifelines;
typedef struct vkp_lifeline vkp_lifeline;

/* Starts the thread that watches. VKP_MEMORY, VKP_IO. vkp_lifelines_destroy when all are gone; NULL is
 * fine. */
VKP_MUST_USE vkp_status vkp_lifelines_create(vkp_lifelines **out);
void vkp_lifelines_destroy(vkp_lifelines *lines);

/* Watches a socket, which is shut down after `seconds` unless they are renewed; NULL when memory ran out. It
 * must be removed before the socket is closed. */
vkp_lifeline *vkp_lifeline_add(vkp_lifelines *lines, int socket, double seconds);
/* Gives it that many seconds from now; NULL is fine for a line that could not be added. */
void vkp_lifeline_renew(vkp_lifelines *lines, vkp_lifeline *line, double seconds);
void vkp_lifeline_remove(vkp_lifelines *lines, vkp_lifeline *line);

#endif
