#include "http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>

enum { SECONDS = 10, BODY_LIMIT = 1 << 24 };

int http_connect(uint16_t port)
{
    const struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = SECONDS};
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s >= 0);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(s, (const struct sockaddr *)&here, sizeof here) != 0) fail_msg("nobody listens on %u", port);
    return s;
}

size_t http_put(int s, const void *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        const ssize_t n = send(s, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += (size_t)n;
    }
    return sent;
}

/* Up to and with the empty line; false: the connection was closed before. */
static bool read_head(int s, http_answer *a)
{
    size_t length = 0;
    while (length + 1 < sizeof a->head) {
        if (recv(s, a->head + length, 1, 0) != 1) return false;
        a->head[++length] = 0;
        if (length >= 4 && memcmp(a->head + length - 4, "\r\n\r\n", 4) == 0) return true;
    }
    return false;
}

http_answer http_get_answer(int s)
{
    static const char field[] = "\r\nContent-Length: ";
    http_answer a = {.status = 0};
    if (!read_head(s, &a)) return a;
    assert_int_equal(sscanf(a.head, "HTTP/1.1 %d", &a.status), 1);
    const char *length = strstr(a.head, field);
    a.size = length ? strtoul(length + sizeof field - 1, NULL, 10) : 0;
    assert_true(a.size < BODY_LIMIT);
    a.body = calloc(1, a.size + 1);
    assert_non_null(a.body);
    for (size_t got = 0; got < a.size;) {
        const ssize_t n = recv(s, a.body + got, a.size - got, 0);
        if (n <= 0) fail_msg("the answer ends after %zu of %zu bytes", got, a.size);
        got += (size_t)n;
    }
    return a;
}

void http_free(http_answer *a)
{
    free(a->body);
    *a = (http_answer){.status = 0};
}

http_answer http_ask(uint16_t port, const char *method, const char *path, const char *more, const void *body,
                     size_t size)
{
    char head[8192], host[32] = "";
    if (strncmp(more, "Host:", 5) != 0) snprintf(host, sizeof host, "Host: localhost:%u\r\n", port);
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\n%s%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
             method, path, host, more, size);
    const int s = http_connect(port);
    http_put(s, head, strlen(head));
    http_put(s, body, size);
    http_answer a = http_get_answer(s);
    close(s);
    return a;
}

int http_status(uint16_t port, const char *method, const char *path)
{
    http_answer a = http_ask(port, method, path, "", NULL, 0);
    const int status = a.status;
    http_free(&a);
    return status;
}

cJSON *http_json(http_answer *a, int status)
{
    if (a->status != status) fail_msg("status %d, not %d: %s", a->status, status, (char *)a->body);
    cJSON *document = cJSON_ParseWithOpts((char *)a->body, NULL, true);
    if (!document) fail_msg("not JSON: %s", (char *)a->body);
    http_free(a);
    return document;
}
