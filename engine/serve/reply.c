/* Answers: documents, errors, files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "serve/server_parts.h"

/* What a client must at least take a second of an answer: slower ones are cut off. */
#define BYTES_A_SECOND (32.0 * 1024)

/* Nothing of the page comes from elsewhere, none of it may be shown within another, and nothing is kept. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"},
};

/* Sends the response and lets it go. */
static enum MHD_Result answer_with(vkp_request *r, unsigned code, struct MHD_Response *response, size_t size)
{
    if (!response) return MHD_NO;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info)
        vkp_lifeline_renew(r->server->lifelines, info->socket_context,
                           r->server->options.patience + (double)size / BYTES_A_SECOND);
    const enum MHD_Result result = MHD_queue_response(r->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result vkp_reply_json(vkp_request *r, unsigned code, cJSON *document)
{
    char *text = document ? cJSON_PrintUnformatted(document) : NULL;
    cJSON_Delete(document);
    if (!text) return MHD_NO;
    vkp_utf8_mend(text);
    const size_t size = strlen(text);
    struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (code == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "10");
    if (code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->allowed);
    return answer_with(r, code, response, size);
}

enum MHD_Result vkp_reply_error(vkp_request *r, unsigned http, const char *code, const char *text)
{
    cJSON *document = cJSON_CreateObject(), *error = cJSON_AddObjectToObject(document, "error");
    cJSON_AddStringToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", text);
    return vkp_reply_json(r, http, document);
}

enum MHD_Result vkp_reply_failure(vkp_request *r, vkp_status status)
{
    unsigned http = MHD_HTTP_INTERNAL_SERVER_ERROR;
    if (status == VKP_USAGE) http = MHD_HTTP_BAD_REQUEST;
    if (status == VKP_INPUT || status == VKP_FORMAT || status == VKP_SHAPE)
        http = MHD_HTTP_UNPROCESSABLE_CONTENT;
    if (status == VKP_MEMORY) http = MHD_HTTP_SERVICE_UNAVAILABLE;
    return vkp_reply_error(r, http, vkp_status_name(status), vkp_error());
}

/* name in an attachment's header: plain ASCII for old clients, and RFC 5987's form for all others. */
static void add_disposition(struct MHD_Response *response, const char *name)
{
    char text[4 * VKP_NAME_ROOM + 64];
    int length = snprintf(text, sizeof text, "attachment; filename=\"");
    for (const char *c = name; *c; c++)
        text[length++] = *c >= ' ' && *c < 0x7f && *c != '"' && *c != '\\' && *c != '%' ? *c : '_';
    length += snprintf(text + length, sizeof text - (size_t)length, "\"; filename*=UTF-8''");
    for (const char *c = name; *c && length + 4 < (int)sizeof text; c++) {
        const unsigned char byte = (unsigned char)*c;
        const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= '0' && byte <= '9') || strchr("-._~", byte);
        if (plain)
            text[length++] = *c;
        else
            length += sprintf(text + length, "%%%02X", byte);
    }
    text[length] = 0;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, text);
}

static void let_go(void *blob) { vkp_blob_drop(blob); }

enum MHD_Result vkp_reply_blob(vkp_request *r, vkp_blob *blob, const char *type, const char *save_as)
{
    const size_t size = blob->size;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(size, blob->bytes, let_go, blob);
    if (!response) {
        vkp_blob_drop(blob);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (save_as) add_disposition(response, save_as);
    return answer_with(r, MHD_HTTP_OK, response, size);
}

enum MHD_Result vkp_reply_static(vkp_request *r, const void *bytes, size_t size, const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
    if (response) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return answer_with(r, MHD_HTTP_OK, response, size);
}

enum MHD_Result vkp_reply_welcome(vkp_request *r)
{
    char cookie[128];
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    /* Lax: a link from elsewhere may open the page, and nothing else. */
    snprintf(cookie, sizeof cookie, "vkpix_%u=%s; Path=/; HttpOnly; SameSite=Lax", r->server->guard.port,
             r->server->guard.token);
    MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, cookie);
    MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, "/");
    return answer_with(r, MHD_HTTP_SEE_OTHER, response, 0);
}
