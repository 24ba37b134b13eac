/* What the server's files share. For engine/serve alone. */
#ifndef VKP_SERVE_SERVER_PARTS_H
#define VKP_SERVE_SERVER_PARTS_H

#include <netinet/in.h>

#include <microhttpd.h>

#include "serve/guard.h"
#include "serve/lifelines.h"
#include "serve/server.h"

struct vkp_server {
    vkp_server_options options;
    vkp_guard guard;
    char url[128];
    vkp_bank archives; /* zip files that are being sent */
    vkp_lifelines *lifelines;
    struct MHD_Daemon *daemon;
};

enum { VKP_PATH_WORDS = 5, VKP_PATH_ROOM = 512 };

/* A request while it is read and answered. */
typedef struct vkp_request {
    vkp_server *server;
    struct MHD_Connection *connection;
    const struct vkp_route *route;
    char path[VKP_PATH_ROOM];          /* unescaped, cut into words */
    const char *words[VKP_PATH_WORDS]; /* between its slashes; the rest is NULL */
    char allowed[32];                  /* where the method was wrong, those that the path has */
    vkp_blob *body;
    size_t size, got; /* bytes of the body, by its header, and so far */
} vkp_request;

/* What answers a request that has arrived whole; returns what MHD wants of it. */
typedef struct vkp_route {
    const char *method, *pattern; /* words of it that are * fit any */
    bool body;                    /* it takes a file */
    enum MHD_Result (*answer)(vkp_request *request);
} vkp_route;

/* Finds the route for a method and request->path, which is cut. NULL: there is none; request->allowed then
 * tells the path's methods, "" when there is no such path. */
const vkp_route *vkp_route_find(vkp_request *request, const char *method);

/* The value of ?name=... in the address, or NULL; of a header. */
const char *vkp_request_argument(const vkp_request *request, const char *name);
const char *vkp_request_header(const vkp_request *request, const char *name);

/* Answers. A document is freed, NULL means that memory ran out; a blob is let go when it has been sent. */
enum MHD_Result vkp_reply_json(vkp_request *request, unsigned code, cJSON *document);
/* {"error": {"code": CODE, "message": TEXT}}, CODE a vkp_status' name or a word of the server's own. */
enum MHD_Result vkp_reply_error(vkp_request *request, unsigned http, const char *code, const char *text);
/* The same for the latest failure, vkp_error(). */
enum MHD_Result vkp_reply_failure(vkp_request *request, vkp_status status);
/* `save_as`: a name under which a browser saves it, or NULL. */
enum MHD_Result vkp_reply_blob(vkp_request *request, vkp_blob *blob, const char *type, const char *save_as);
enum MHD_Result vkp_reply_static(vkp_request *request, const void *bytes, size_t size, const char *type);
/* To the page itself, with the token as a cookie. */
enum MHD_Result vkp_reply_welcome(vkp_request *request);

#endif
