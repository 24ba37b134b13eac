/* What each address answers; docs/http.md describes it for others. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/version.h"
#include "image/format.h"
#include "image/picture.h"
#include "serve/archive.h"
#include "serve/page.h"
#include "serve/painter.h"
#include "serve/server_parts.h"

enum { PREVIEW_LIMIT = 64 << 20 };

static enum MHD_Result not_found(vkp_request *r)
{
    return vkp_reply_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND",
                           "there is no such picture or session (it was removed, closed, or idle for too "
                           "long; send the picture again)");
}

static enum MHD_Result nothing(vkp_request *r)
{
    return vkp_reply_json(r, MHD_HTTP_OK, cJSON_CreateObject());
}

static enum MHD_Result answer_page(vkp_request *r)
{
    const char *path = r->words[0] ? r->words[0] : "";
    for (const vkp_page_file *f = vkp_page_files; f->path; f++)
        if (strcmp(f->path + 1, path) == 0)
            return vkp_reply_static(r, f->bytes, (size_t)(f->end - f->bytes), f->type);
    return vkp_reply_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND",
                           "there is nothing at this address (see docs/http.md; use another)");
}

static enum MHD_Result answer_info(vkp_request *r)
{
    const vkp_server_options *o = &r->server->options;
    vkp_queue_load load;
    vkp_queue_measure(o->queue, &load);
    cJSON *info = cJSON_CreateObject();
    cJSON_AddStringToObject(info, "version", vkp_version());
    cJSON_AddStringToObject(info, "device", o->device);
    cJSON_AddBoolToObject(info, "local", !*r->server->guard.token);
    cJSON_AddBoolToObject(info, "runs", o->runs != NULL);
    cJSON_AddItemToObject(info, "models", o->models(o->user));
    cJSON *limits = cJSON_AddObjectToObject(info, "limits");
    cJSON_AddNumberToObject(limits, "bytes", (double)o->file_bytes);
    cJSON_AddNumberToObject(limits, "pixels", (double)o->max_pixels);
    cJSON_AddNumberToObject(limits, "pictures", o->per_session);
    cJSON_AddNumberToObject(limits, "size_min", VKP_PAINTER_SMALLEST);
    cJSON_AddNumberToObject(limits, "size_max", VKP_PAINTER_LARGEST);
    cJSON *now = cJSON_AddObjectToObject(info, "load");
    cJSON_AddNumberToObject(now, "sessions", load.sessions);
    cJSON_AddNumberToObject(now, "pictures", load.pictures);
    cJSON_AddNumberToObject(now, "waiting", load.waiting);
    cJSON_AddNumberToObject(now, "bytes", (double)load.bytes);
    return vkp_reply_json(r, MHD_HTTP_OK, info);
}

static cJSON *describe(const vkp_look *look)
{
    static const char *const states[] = {"waiting", "working", "done", "failed"};
    static const char *const stages[] = {"reading", "predicting", "joining", "writing"};
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "id", look->id);
    cJSON_AddStringToObject(p, "name", look->name);
    cJSON_AddStringToObject(p, "state", states[look->state]);
    if (look->state == VKP_STATE_WAITING) cJSON_AddNumberToObject(p, "ahead", look->ahead);
    if (look->state == VKP_STATE_WORKING) cJSON_AddStringToObject(p, "stage", stages[look->stage]);
    cJSON_AddNumberToObject(p, "progress", look->progress);
    if (isnan(look->seconds_left))
        cJSON_AddNullToObject(p, "seconds_left");
    else
        cJSON_AddNumberToObject(p, "seconds_left", look->seconds_left);
    cJSON_AddNumberToObject(p, "version", look->version);
    cJSON_AddNumberToObject(p, "width", look->width);
    cJSON_AddNumberToObject(p, "height", look->height);
    cJSON *settings = cJSON_AddObjectToObject(p, "settings");
    cJSON_AddStringToObject(settings, "model", look->wish.model);
    cJSON_AddNumberToObject(settings, "strength", look->wish.strength);
    cJSON_AddNumberToObject(settings, "size", look->wish.size);
    if (look->state == VKP_STATE_FAILED) {
        cJSON *error = cJSON_AddObjectToObject(p, "error");
        cJSON_AddStringToObject(error, "code", vkp_status_name(look->status));
        cJSON_AddStringToObject(error, "message", look->error);
    }
    return p;
}

static enum MHD_Result answer_begin(vkp_request *r)
{
    char id[VKP_ID_ROOM];
    const vkp_status status = vkp_queue_begin(r->server->options.queue, id);
    if (status != VKP_OK) return vkp_reply_failure(r, status);
    cJSON *session = cJSON_CreateObject();
    cJSON_AddStringToObject(session, "session", id);
    return vkp_reply_json(r, MHD_HTTP_CREATED, session);
}

static enum MHD_Result answer_session(vkp_request *r)
{
    vkp_look *looks;
    size_t count;
    const vkp_status status = vkp_queue_list(r->server->options.queue, r->words[2], &looks, &count);
    if (status == VKP_USAGE) return not_found(r);
    if (status != VKP_OK) return vkp_reply_failure(r, status);
    cJSON *session = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(session, "pictures");
    for (size_t i = 0; i < count; i++) cJSON_AddItemToArray(list, describe(&looks[i]));
    free(looks);
    return vkp_reply_json(r, MHD_HTTP_OK, session);
}

static enum MHD_Result answer_end(vkp_request *r)
{
    return vkp_queue_end(r->server->options.queue, r->words[2]) ? nothing(r) : not_found(r);
}

static enum MHD_Result answer_zip(vkp_request *r)
{
    vkp_blob *zip;
    const vkp_status status =
        vkp_archive_make(r->server->options.queue, r->words[2], &r->server->archives, &zip);
    if (status == VKP_USAGE) return not_found(r);
    if (status != VKP_OK) return vkp_reply_failure(r, status);
    return vkp_reply_blob(r, zip, "application/zip", "vkpix.zip");
}

static vkp_status read_number(const vkp_request *r, const char *name, double *value)
{
    const char *text = vkp_request_argument(r, name);
    if (!text) return VKP_OK;
    char *end;
    *value = strtod(text, &end);
    if (end != text && !*end && isfinite(*value)) return VKP_OK;
    return vkp_fail(VKP_USAGE, "%s cannot be '%s' (a number is needed; see docs/http.md)", name, text);
}

/* The settings in the address. */
static vkp_status read_wish(const vkp_request *r, vkp_wish *wish)
{
    const vkp_server_options *o = &r->server->options;
    const char *model = vkp_request_argument(r, "model");
    double size = 0;
    *wish = (vkp_wish){.strength = 1};
    if (model && strlen(model) >= sizeof wish->model)
        return vkp_fail(VKP_USAGE, "there is no such model (its name is too long; choose one of /api/info)");
    if (model) strcpy(wish->model, model);
    VKP_TRY(read_number(r, "strength", &wish->strength));
    VKP_TRY(read_number(r, "size", &size));
    if (size < 0 || size > VKP_PAINTER_LARGEST || size != floor(size))
        return vkp_fail(VKP_USAGE, "size cannot be %g (a whole number up to %d is needed; see docs/http.md)",
                        size, VKP_PAINTER_LARGEST);
    wish->size = (uint32_t)size;
    return o->check(o->user, wish);
}

/* The file's own name, as far as it is fit to be shown and used. */
static void read_name(const vkp_request *r, char name[VKP_NAME_ROOM])
{
    const char *given = vkp_request_argument(r, "name");
    if (!given) given = "";
    for (const char *c; (c = strpbrk(given, "/\\"));) given = c + 1;
    snprintf(name, VKP_NAME_ROOM, "%s", *given ? given : "picture");
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '_';
    vkp_utf8_mend(name);
}

/* What the file's header tells already: no picture at all, or one that claims too many pixels. */
static vkp_status check_header(const vkp_request *r, const char *name)
{
    int width, height;
    VKP_TRY(vkp_picture_info_decode(r->body->bytes, r->body->size, name, &width, &height));
    if ((uint64_t)width * (uint64_t)height <= r->server->options.max_pixels) return VKP_OK;
    return vkp_fail(VKP_INPUT,
                    "cannot read %s (%dx%d pixels are more than the limit of %llu million; resize the "
                    "picture)",
                    name, width, height, (unsigned long long)(r->server->options.max_pixels / 1000000));
}

static vkp_status add_picture(const vkp_request *r, char session[VKP_ID_ROOM], char id[VKP_ID_ROOM])
{
    vkp_queue *queue = r->server->options.queue;
    const char *given = vkp_request_argument(r, "session");
    char name[VKP_NAME_ROOM];
    vkp_wish wish;
    read_name(r, name);
    VKP_TRY(read_wish(r, &wish));
    VKP_TRY(check_header(r, name));
    if (!given)
        VKP_TRY(vkp_queue_begin(queue, session));
    else
        snprintf(session, VKP_ID_ROOM, "%s", given);
    const vkp_status status = vkp_queue_add(queue, session, name, r->body, &wish, id);
    if (status != VKP_OK && !given) vkp_queue_end(queue, session);
    return status;
}

static enum MHD_Result answer_add(vkp_request *r)
{
    char session[VKP_ID_ROOM], id[VKP_ID_ROOM];
    const char *given = vkp_request_argument(r, "session");
    vkp_look look;
    if (given && !vkp_queue_knows(r->server->options.queue, given)) return not_found(r);
    const vkp_status status = add_picture(r, session, id);
    if (status != VKP_OK) return vkp_reply_failure(r, status);
    if (!vkp_queue_look(r->server->options.queue, id, &look)) return not_found(r);
    cJSON *picture = describe(&look);
    cJSON_AddStringToObject(picture, "session", session);
    return vkp_reply_json(r, MHD_HTTP_ACCEPTED, picture);
}

static enum MHD_Result answer_picture(vkp_request *r)
{
    vkp_look look;
    if (!vkp_queue_look(r->server->options.queue, r->words[2], &look)) return not_found(r);
    return vkp_reply_json(r, MHD_HTTP_OK, describe(&look));
}

static enum MHD_Result answer_again(vkp_request *r)
{
    vkp_wish wish;
    const vkp_status status = read_wish(r, &wish);
    if (status != VKP_OK) return vkp_reply_failure(r, status);
    return vkp_queue_again(r->server->options.queue, r->words[2], &wish) ? answer_picture(r) : not_found(r);
}

static enum MHD_Result answer_remove(vkp_request *r)
{
    return vkp_queue_remove(r->server->options.queue, r->words[2]) ? nothing(r) : not_found(r);
}

static enum MHD_Result answer_part(vkp_request *r, vkp_part part)
{
    vkp_look look;
    char name[VKP_NAME_ROOM];
    vkp_queue *queue = r->server->options.queue;
    if (!vkp_queue_look(queue, r->words[2], &look)) return not_found(r);
    vkp_blob *blob = vkp_queue_part(queue, r->words[2], part);
    if (!blob)
        return vkp_reply_error(r, MHD_HTTP_CONFLICT, "NOT_DONE",
                               "the picture is not coloured (it waits, or failed; ask for its state)");
    const bool jpeg = vkp_format_of(blob->bytes, blob->size) == VKP_PICTURE_JPEG;
    vkp_result_name(look.name, blob, name);
    return vkp_reply_blob(r, blob, jpeg ? "image/jpeg" : "image/png", part == VKP_PART_RESULT ? name : NULL);
}

static enum MHD_Result answer_result(vkp_request *r) { return answer_part(r, VKP_PART_RESULT); }
static enum MHD_Result answer_before(vkp_request *r) { return answer_part(r, VKP_PART_BEFORE); }
static enum MHD_Result answer_after(vkp_request *r) { return answer_part(r, VKP_PART_AFTER); }

static enum MHD_Result reply_run(vkp_request *r, vkp_status status, cJSON *document)
{
    if (status == VKP_USAGE) return vkp_reply_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND", vkp_error());
    if (status != VKP_OK) return vkp_reply_failure(r, status);
    return vkp_reply_json(r, MHD_HTTP_OK, document);
}

static vkp_status need_runs(const vkp_request *r)
{
    if (r->server->options.runs) return VKP_OK;
    return vkp_fail(VKP_USAGE,
                    "no runs are shown (vkpix serve was started without --runs; start it with one)");
}

static enum MHD_Result answer_runs(vkp_request *r)
{
    cJSON *list = NULL;
    vkp_status status = need_runs(r);
    if (status == VKP_OK) status = vkp_runs_list(r->server->options.runs, &list);
    return reply_run(r, status, list);
}

static enum MHD_Result answer_run(vkp_request *r)
{
    cJSON *run = NULL;
    vkp_status status = need_runs(r);
    if (status == VKP_OK) status = vkp_runs_describe(r->server->options.runs, r->words[2], &run);
    return reply_run(r, status, run);
}

/* Reads the preview file of the request's run and epoch. */
static vkp_status read_preview(vkp_request *r, vkp_blob **blob)
{
    char *path, *end;
    void *bytes;
    size_t size;
    errno = 0;
    const unsigned long epoch = strtoul(r->words[4], &end, 10);
    VKP_TRY(need_runs(r));
    if (errno || *end || end == r->words[4] || epoch > UINT32_MAX)
        return vkp_fail(VKP_USAGE, "there is no such preview (a number of an epoch is needed; see the run)");
    VKP_TRY(vkp_runs_preview(r->server->options.runs, r->words[2], (unsigned)epoch, &path));
    vkp_status status = VKP_OK;
    if (!vkp_file_exists(path))
        status =
            vkp_fail(VKP_USAGE, "there is no preview of epoch %lu (none was written; see the run)", epoch);
    if (status == VKP_OK) status = vkp_file_read(path, PREVIEW_LIMIT, &bytes, &size);
    free(path);
    VKP_TRY(status);
    return vkp_blob_adopt(&r->server->archives, bytes, size, blob);
}

static enum MHD_Result answer_preview(vkp_request *r)
{
    vkp_blob *blob = NULL;
    const vkp_status status = read_preview(r, &blob);
    return status == VKP_OK ? vkp_reply_blob(r, blob, "image/png", NULL) : reply_run(r, status, NULL);
}

static const vkp_route routes[] = {
    {"GET", "", false, answer_page},
    {"GET", "*", false, answer_page},
    {"GET", "api/info", false, answer_info},
    {"POST", "api/sessions", false, answer_begin},
    {"GET", "api/sessions/*", false, answer_session},
    {"DELETE", "api/sessions/*", false, answer_end},
    {"POST", "api/sessions/*/close", false, answer_end},
    {"GET", "api/sessions/*/zip", false, answer_zip},
    {"POST", "api/pictures", true, answer_add},
    {"GET", "api/pictures/*", false, answer_picture},
    {"DELETE", "api/pictures/*", false, answer_remove},
    {"POST", "api/pictures/*/again", false, answer_again},
    {"GET", "api/pictures/*/result", false, answer_result},
    {"GET", "api/pictures/*/before", false, answer_before},
    {"GET", "api/pictures/*/after", false, answer_after},
    {"GET", "api/runs", false, answer_runs},
    {"GET", "api/runs/*", false, answer_run},
    {"GET", "api/runs/*/previews/*", false, answer_preview},
};

/* Whether the path's words are the pattern's. */
static bool fits(const vkp_request *r, const char *pattern)
{
    for (size_t i = 0; i < VKP_PATH_WORDS && r->words[i]; i++) {
        const size_t length = strcspn(pattern, "/");
        if (!length) return false;
        const bool any = length == 1 && *pattern == '*';
        const bool same = strlen(r->words[i]) == length && memcmp(r->words[i], pattern, length) == 0;
        if (!any && !same) return false;
        pattern += length;
        pattern += *pattern == '/';
    }
    return !*pattern;
}

/* Cuts the path into words; false: it has none of the form "/word/word". */
static bool cut(vkp_request *r)
{
    char *at = r->path;
    if (*at++ != '/') return false;
    for (size_t i = 0; *at; i++) {
        if (i == VKP_PATH_WORDS) return false;
        r->words[i] = at;
        at += strcspn(at, "/");
        if (at == r->words[i] || (*at && !at[1])) return false;
        if (*at) *at++ = 0;
    }
    return true;
}

const vkp_route *vkp_route_find(vkp_request *r, const char *method)
{
    const size_t room = sizeof r->allowed;
    if (!cut(r)) return NULL;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!fits(r, routes[i].pattern)) continue;
        if (strcmp(routes[i].method, method) == 0) return &routes[i];
        const size_t length = strlen(r->allowed);
        snprintf(r->allowed + length, room - length, "%s%s", length ? ", " : "", routes[i].method);
    }
    return NULL;
}
