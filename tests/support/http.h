/* A bare HTTP client for tests of the server: bytes out, bytes in, on this machine. */
#ifndef VKP_TEST_HTTP_H
#define VKP_TEST_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/status.h"

/* A connection to 127.0.0.1; fails the test when there is none. Reading gives up after 10 s. */
int http_connect(uint16_t port);
/* Sends bytes. Returns how many went out before the other side closed. */
size_t http_put(int socket, const void *bytes, size_t size);

/* An answer; `status` 0: the connection was closed without one. */
typedef struct http_answer {
    int status;
    char head[4096];
    uint8_t *body; /* malloc'd, zero-terminated; NULL without an answer */
    size_t size;
} http_answer;

/* Reads one answer by its Content-Length. http_free afterwards. */
http_answer http_get_answer(int socket);
void http_free(http_answer *answer);

/* Sends "METHOD PATH" with Host (unless `more` begins with one), the header lines of `more` (each with its
 * \r\n; "" for none) and a body, over a connection of its own, and reads the answer. */
http_answer http_ask(uint16_t port, const char *method, const char *path, const char *more, const void *body,
                     size_t size);

/* The same without headers or body, and only the status; or the JSON document of an answer with `status`, for
 * cJSON_Delete. Both fail the test on anything else. */
int http_status(uint16_t port, const char *method, const char *path);
cJSON *http_json(http_answer *answer, int status);

#endif
