/* Listening, connections, and the way of a request to its route. */
#include "serve/server.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/server_parts.h"

enum { THREADS = 4, HEADER_BYTES = 32 * 1024, SMALL_BODY = 4096 };

/* What a file must come with at least: slower senders are cut off. */
#define BYTES_A_SECOND (128.0 * 1024)

static vkp_status no_memory(void)
{
    return vkp_fail(VKP_MEMORY, "no memory for the server (host memory ran out; close other programs)");
}

static vkp_lifeline *lifeline_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* A request was answered: the next one's headers may take as long as the first's. */
static void completed(void *user, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode code)
{
    vkp_server *server = user;
    vkp_request *request = *context;
    (void)code;
    vkp_lifeline_renew(server->lifelines, lifeline_of(connection), server->options.patience);
    if (!request) return;
    vkp_blob_drop(request->body);
    free(request);
    *context = NULL;
}

static void connected(void *user, struct MHD_Connection *connection, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    vkp_server *server = user;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        vkp_lifeline_remove(server->lifelines, *context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info) *context = vkp_lifeline_add(server->lifelines, info->connect_fd, server->options.patience);
}

const char *vkp_request_argument(const vkp_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *vkp_request_header(const vkp_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static vkp_verdict judge(const vkp_request *r, bool opening)
{
    const vkp_visitor visitor = {
        .host = vkp_request_header(r, MHD_HTTP_HEADER_HOST),
        .origin = vkp_request_header(r, "Origin"),
        .fetch_site = vkp_request_header(r, "Sec-Fetch-Site"),
        .fetch_mode = vkp_request_header(r, "Sec-Fetch-Mode"),
        .authorization = vkp_request_header(r, MHD_HTTP_HEADER_AUTHORIZATION),
        .cookie = vkp_request_header(r, MHD_HTTP_HEADER_COOKIE),
        .token = vkp_request_argument(r, "token"),
    };
    return vkp_guard_judge(&r->server->guard, &visitor, opening);
}

static enum MHD_Result refuse(vkp_request *r, vkp_verdict verdict)
{
    switch (verdict) {
    case VKP_VERDICT_FOREIGN_HOST:
        return vkp_reply_error(r, MHD_HTTP_MISDIRECTED_REQUEST, "FOREIGN_HOST",
                               "not served under this name (it is not this machine's own; use the address "
                               "that vkpix serve printed)");
    case VKP_VERDICT_FOREIGN_SITE:
        return vkp_reply_error(r, MHD_HTTP_FORBIDDEN, "FOREIGN_SITE",
                               "refused (another site's page asked; open vkpix's own page)");
    case VKP_VERDICT_KNOWN_BY_ADDRESS: return vkp_reply_welcome(r);
    default:
        return vkp_reply_error(r, MHD_HTTP_UNAUTHORIZED, "NO_TOKEN",
                               "a token is needed (this server is open to other machines; use the whole "
                               "address that vkpix serve printed)");
    }
}

/* Makes room for the file that the request announces. */
static enum MHD_Result expect_body(vkp_request *r)
{
    const vkp_server *server = r->server;
    const char *length = vkp_request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const bool chunked = vkp_request_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    const size_t limit = r->route->body ? server->options.file_bytes : SMALL_BODY;
    char text[160];
    if (chunked || (r->route->body && !length))
        return vkp_reply_error(r, MHD_HTTP_LENGTH_REQUIRED, "NO_LENGTH",
                               "the length is missing (bodies are not taken in chunks; send Content-Length)");
    if (!length) return MHD_YES;
    errno = 0;
    char *end;
    const unsigned long long announced = strtoull(length, &end, 10);
    if (errno || *end || announced > limit) {
        snprintf(text, sizeof text, "the file is too large (%zu MiB are taken at most; send a smaller one)",
                 limit >> 20);
        return vkp_reply_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "TOO_LARGE", text);
    }
    r->size = (size_t)announced;
    vkp_lifeline_renew(server->lifelines, lifeline_of(r->connection),
                       server->options.patience + (double)r->size / BYTES_A_SECOND);
    if (!r->route->body) return MHD_YES;
    const vkp_status status = vkp_blob_make(vkp_queue_bank(server->options.queue), r->size, &r->body);
    return status == VKP_OK ? MHD_YES : vkp_reply_failure(r, status);
}

/* The headers are there: what is not to be answered is refused now, before its body comes. */
static enum MHD_Result begin(vkp_server *server, struct MHD_Connection *connection, const char *url,
                             const char *method, vkp_request **out)
{
    vkp_request *r = calloc(1, sizeof *r);
    *out = r;
    if (!r) return MHD_NO;
    r->server = server;
    r->connection = connection;
    vkp_lifeline_renew(server->lifelines, lifeline_of(connection), server->options.patience);
    const bool opening = strcmp(method, "GET") == 0 && strcmp(url, "/") == 0;
    const vkp_verdict verdict = judge(r, opening);
    if (verdict == VKP_VERDICT_KNOWN_BY_ADDRESS ? opening : verdict != VKP_VERDICT_PASS)
        return refuse(r, verdict);
    snprintf(r->path, sizeof r->path, "%s", strlen(url) < sizeof r->path ? url : "");
    r->route = vkp_route_find(r, strcmp(method, "HEAD") == 0 ? "GET" : method);
    if (!r->route && *r->allowed)
        return vkp_reply_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "WRONG_METHOD",
                               "this method is not for this address (see docs/http.md; use another)");
    if (!r->route)
        return vkp_reply_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND",
                               "there is nothing at this address (see docs/http.md; use another)");
    return expect_body(r);
}

/* Called by libmicrohttpd when the headers are there, for every piece of the body, and at its end. */
static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **context)
{
    (void)version;
    vkp_request *r = *context;
    if (!r) {
        const enum MHD_Result result = begin(user, connection, url, method, &r);
        *context = r;
        return result;
    }
    if (!*size) return r->got == r->size || !r->body ? r->route->answer(r) : MHD_NO;
    if (r->body && *size > r->size - r->got) return MHD_NO;
    if (r->body) memcpy(r->body->bytes + r->got, data, *size);
    r->got += *size;
    *size = 0;
    return MHD_YES;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* A socket that listens at the address; -1 with errno. */
static int open_socket(const struct addrinfo *where)
{
    const int on = 1, s = socket(where->ai_family, SOCK_STREAM, 0);
    if (s < 0) return -1;
    /* Otherwise the port could not be used for minutes after the server ended. */
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, where->ai_addr, where->ai_addrlen) == 0 && listen(s, SOMAXCONN) == 0) return s;
    const int error = errno;
    close(s);
    errno = error;
    return -1;
}

static void write_url(vkp_server *server, const char *address)
{
    char name[64] = "";
    /* All addresses are none that can be opened; the machine's name is. */
    if ((strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0) &&
        gethostname(name, sizeof name - 1) == 0 && *name)
        address = name;
    const bool v6 = strchr(address, ':'), token = *server->guard.token;
    snprintf(server->url, sizeof server->url, "http://%s%s%s:%u/%s%s", v6 ? "[" : "", address, v6 ? "]" : "",
             server->guard.port, token ? "?token=" : "", server->guard.token);
}

/* Opens the socket and settles what follows from the address. */
static vkp_status listen_at(vkp_server *server, int *listening)
{
    const char *address = server->options.address ? server->options.address : "127.0.0.1";
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *where;
    char port[8], named[80];
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    snprintf(port, sizeof port, "%u", server->options.port);
    if (getaddrinfo(address, port, &hints, &where) != 0)
        return vkp_fail(VKP_USAGE,
                        "cannot listen on %s (not an address; use a number such as 0.0.0.0, or leave it out)",
                        address);
    const bool own = is_loopback(where->ai_addr);
    *listening = open_socket(where);
    const int error = errno;
    freeaddrinfo(where);
    if (*listening < 0) {
        snprintf(named, sizeof named, "%s:%s", address, port);
        if (error == EADDRINUSE)
            return vkp_fail(VKP_IO, "cannot listen on %s (another program does; choose another --port)",
                            named);
        return vkp_fail_errno("listen on", named, error);
    }
    if (getsockname(*listening, (struct sockaddr *)&bound, &length) != 0)
        return vkp_fail_errno("listen on", address, errno);
    server->guard.port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                                          : ((struct sockaddr_in6 *)&bound)->sin6_port);
    if (!own) VKP_TRY(vkp_id_make(server->guard.token));
    write_url(server, address);
    return VKP_OK;
}

static vkp_status start(vkp_server *server, int *listening)
{
    VKP_TRY(vkp_lifelines_create(&server->lifelines));
    VKP_TRY(listen_at(server, listening));
    /* poll, not epoll, which libmicrohttpd uses edge-triggered: there an end that comes together with data
     * was not noticed, and what half an upload had taken stayed taken until its time was over. */
    server->daemon = MHD_start_daemon(
        MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, server,
        MHD_OPTION_LISTEN_SOCKET, *listening, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_CONNECTION_LIMIT, server->options.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, connected, server, MHD_OPTION_END);
    if (!server->daemon)
        return vkp_fail(VKP_IO, "cannot start the server (no thread or no descriptors; raise ulimit -n)");
    *listening = -1; /* the daemon's */
    return VKP_OK;
}

vkp_status vkp_server_start(const vkp_server_options *options, vkp_server **out)
{
    int listening = -1;
    *out = NULL;
    vkp_server *server = calloc(1, sizeof *server);
    if (!server) return no_memory();
    server->options = *options;
    server->archives.limit = vkp_queue_bank(options->queue)->limit;
    const vkp_status status = start(server, &listening);
    if (status == VKP_OK) {
        *out = server;
    } else {
        if (listening >= 0) close(listening);
        vkp_server_stop(server);
    }
    return status;
}

void vkp_server_stop(vkp_server *server)
{
    if (!server) return;
    if (server->daemon) MHD_stop_daemon(server->daemon);
    vkp_lifelines_destroy(server->lifelines);
    free(server);
}

const char *vkp_server_url(const vkp_server *server) { return server->url; }
uint16_t vkp_server_port(const vkp_server *server) { return server->guard.port; }
const char *vkp_server_token(const vkp_server *server) { return server->guard.token; }
