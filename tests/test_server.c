/* The server over real connections, with a worker that gives the picture back: its interface, and what people
 * and programs with bad intentions, bad lines or bad luck send it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <zip.h>

#include "base/clock.h"
#include "blob.h"
#include "http.h"
#include "serve/server.h"

enum { FILE_BYTES = 1 << 20, CONNECTIONS = 256 };

/* Seconds: of most tests' server, and of those about waiting for them. */
#define PATIENCE 20.0
#define SHORT_PATIENCE 0.4

typedef struct setup {
    vkp_queue *queue;
    vkp_server *server;
    uint16_t port;
} setup;

static setup local, open_to_all, hasty; /* the second one needs a token, the third has little patience */
static blob png;

static vkp_status work(void *user, const vkp_task *task, vkp_coloured *coloured)
{
    (void)user;
    if (!vkp_queue_stage(task->queue, VKP_STAGE_WRITE))
        return vkp_fail(VKP_INTERRUPTED, "nobody waits (it was removed; ask again)");
    for (int i = VKP_PART_RESULT; i < VKP_PARTS; i++) {
        VKP_TRY(vkp_blob_make(vkp_queue_bank(task->queue), task->original->size, &coloured->parts[i]));
        memcpy(coloured->parts[i]->bytes, task->original->bytes, task->original->size);
    }
    coloured->width = coloured->height = 4;
    return VKP_OK;
}

static cJSON *models(void *user)
{
    (void)user;
    return cJSON_CreateStringArray((const char *const[]){"one", "two"}, 2);
}

static vkp_status check(void *user, const vkp_wish *wish)
{
    (void)user;
    if (strcmp(wish->model, "two") == 0 || !*wish->model) return VKP_OK;
    return vkp_fail(VKP_USAGE, "there is no model %s (it is not in the list; choose another)", wish->model);
}

static void start(const char *address, double patience, setup *s)
{
    const vkp_queue_options queueing = {
        .bytes = 64 << 20, .per_session = 3, .sessions = 300, .idle_seconds = 60, .work = work};
    if (vkp_queue_create(&queueing, &s->queue) != VKP_OK) fail_msg("%s", vkp_error());
    const vkp_server_options serving = {.address = address,
                                        .connections = CONNECTIONS,
                                        .patience = patience,
                                        .file_bytes = FILE_BYTES,
                                        .max_pixels = 10000,
                                        .per_session = 3,
                                        .queue = s->queue,
                                        .device = "none",
                                        .models = models,
                                        .check = check};
    if (vkp_server_start(&serving, &s->server) != VKP_OK) fail_msg("%s", vkp_error());
    s->port = vkp_server_port(s->server);
}

static void stop(setup *s)
{
    vkp_server_stop(s->server);
    vkp_queue_destroy(s->queue);
}

static int enter(void **state)
{
    (void)state;
    uint8_t samples[4 * 4];
    for (size_t i = 0; i < sizeof samples; i++) samples[i] = (uint8_t)(10 * i);
    png = blob_png(4, 4, 1, 8, samples);
    start(NULL, PATIENCE, &local);
    start("0.0.0.0", PATIENCE, &open_to_all);
    start(NULL, SHORT_PATIENCE, &hasty);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    stop(&local);
    stop(&open_to_all);
    stop(&hasty);
    blob_free(&png);
    return 0;
}

static http_answer ask(const char *method, const char *path)
{
    return http_ask(local.port, method, path, "", NULL, 0);
}

static http_answer post(const char *path, const void *body, size_t size)
{
    return http_ask(local.port, "POST", path, "", body, size);
}

/* The answer is an error of this status and code, and says it in vkpix's form. */
static void expect_error(http_answer a, int status, const char *code)
{
    cJSON *document = http_json(&a, status), *error = cJSON_GetObjectItem(document, "error");
    const char *got = cJSON_GetStringValue(cJSON_GetObjectItem(error, "code"));
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(error, "message"));
    if (!got || strcmp(got, code) != 0) fail_msg("code %s, not %s", got, code);
    if (!strchr(text, '(') || !strchr(text, ';') || text[strlen(text) - 1] != ')') fail_msg("%s", text);
    cJSON_Delete(document);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    if (!text) fail_msg("%s is missing", name);
    return text;
}

static void the_page(void **state)
{
    (void)state;
    static const struct {
        const char *path, *type, *word;
    } files[] = {{"/", "text/html", "<!DOCTYPE html>"},
                 {"/page.css", "text/css", "--accent"},
                 {"/main.js", "text/javascript", "import"},
                 {"/icon.svg", "image/svg+xml", "<svg"},
                 {"/chart.min.js", "text/javascript", "Chart.js"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        http_answer a = ask("GET", files[i].path);
        assert_int_equal(a.status, 200);
        if (!strstr(a.head, files[i].type)) fail_msg("%s: %s", files[i].path, a.head);
        assert_non_null(strstr((char *)a.body, files[i].word));
        assert_non_null(strstr(a.head, "Content-Security-Policy: default-src 'none'"));
        assert_non_null(strstr(a.head, "X-Content-Type-Options: nosniff"));
        assert_non_null(strstr(a.head, "Cache-Control: no-store"));
        http_free(&a);
    }
    http_answer a = ask("GET", "/api/info");
    cJSON *info = http_json(&a, 200);
    assert_string_equal(text_of(info, "device"), "none");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(info, "models")), 2);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(info, "local")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(info, "runs")));
    cJSON_Delete(info);
}

/* Asks until the picture is done. */
static void wait_until_done(const char *id)
{
    char path[80];
    snprintf(path, sizeof path, "/api/pictures/%s", id);
    for (int i = 0; i < 500; i++) {
        http_answer a = ask("GET", path);
        cJSON *picture = http_json(&a, 200);
        const bool done = strcmp(text_of(picture, "state"), "done") == 0;
        cJSON_Delete(picture);
        if (done) return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    fail_msg("%s was not done", id);
}

static void a_picture(void **state)
{
    (void)state;
    char path[256];
    http_answer a = post("/api/pictures?name=..%2Fa%5Cold%0d%0aX%22%25%c3%a4.jpg&model=two&strength=0.5",
                         png.bytes, png.size);
    cJSON *picture = http_json(&a, 202);
    assert_string_equal(text_of(picture, "name"), "old__X\"%\xc3\xa4.jpg");
    const char *id = text_of(picture, "id"), *session = text_of(picture, "session");
    const cJSON *settings = cJSON_GetObjectItem(picture, "settings");
    assert_string_equal(text_of(settings, "model"), "two");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(settings, "strength")) == 0.5);
    wait_until_done(id);
    static const char *const parts[] = {"result", "before", "after"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/api/pictures/%s/%s", id, parts[i]);
        a = ask("GET", path);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.head, "Content-Type: image/png"));
        assert_true(a.size == png.size && memcmp(a.body, png.bytes, png.size) == 0);
        if (!i)
            assert_non_null(strstr(a.head, "attachment; filename=\"old__X____-coloured.png\"; "
                                           "filename*=UTF-8''old__X%22%25%C3%A4-coloured.png\r\n"));
        http_free(&a);
    }
    snprintf(path, sizeof path, "/api/pictures/%s/again?strength=2", id);
    a = post(path, NULL, 0);
    cJSON_Delete(http_json(&a, 200));
    wait_until_done(id);
    snprintf(path, sizeof path, "/api/sessions/%s/zip", session);
    a = ask("GET", path);
    assert_int_equal(a.status, 200);
    assert_true(a.size > png.size && memcmp(a.body, "PK", 2) == 0);
    http_free(&a);
    snprintf(path, sizeof path, "/api/sessions/%s", session);
    a = ask("GET", path);
    cJSON *list = http_json(&a, 200);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(list, "pictures")), 1);
    cJSON_Delete(list);
    /* What a page does when it is closed; then everything is gone, memory too. */
    snprintf(path, sizeof path, "/api/sessions/%s/close", session);
    assert_int_equal(http_status(local.port, "POST", path), 200);
    snprintf(path, sizeof path, "/api/pictures/%s", id);
    expect_error(ask("GET", path), 404, "NOT_FOUND");
    expect_error(ask("DELETE", path), 404, "NOT_FOUND");
    cJSON_Delete(picture);
    vkp_queue_load load;
    vkp_queue_measure(local.queue, &load);
    assert_true(!load.pictures && !load.bytes);
}

static void sessions_have_limits(void **state)
{
    (void)state;
    char path[128];
    http_answer a = post("/api/sessions", NULL, 0);
    cJSON *session = http_json(&a, 201);
    snprintf(path, sizeof path, "/api/pictures?session=%s", text_of(session, "session"));
    for (int i = 0; i < 3; i++) {
        a = post(path, png.bytes, png.size);
        cJSON_Delete(http_json(&a, 202));
    }
    a = post(path, png.bytes, png.size);
    assert_non_null(strstr(a.head, "Retry-After: "));
    expect_error(a, 503, "MEMORY");
    snprintf(path, sizeof path, "/api/sessions/%s", text_of(session, "session"));
    assert_int_equal(http_status(local.port, "DELETE", path), 200);
    assert_int_equal(http_status(local.port, "DELETE", path), 404);
    cJSON_Delete(session);
    expect_error(post("/api/pictures?session=0123", png.bytes, png.size), 404, "NOT_FOUND");
}

static void what_is_no_picture(void **state)
{
    (void)state;
    expect_error(post("/api/pictures?name=notes.txt", "hello", 5), 422, "INPUT");
    expect_error(post("/api/pictures", "", 0), 422, "INPUT");
    blob bomb = blob_png(60000, 60000, 3, 8, NULL);
    expect_error(post("/api/pictures?name=bomb.png", bomb.bytes, bomb.size), 422, "INPUT");
    blob_free(&bomb);
    static const char *const settings[] = {"model=three", "strength=x", "strength=nan", "size=-1",
                                           "size=1.5",    "size=1e99",  "strength="};
    char path[64];
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        snprintf(path, sizeof path, "/api/pictures?%s", settings[i]);
        expect_error(post(path, png.bytes, png.size), 400, "USAGE");
    }
    http_answer a = ask("PUT", "/api/sessions/x");
    assert_non_null(strstr(a.head, "Allow: GET, DELETE\r\n"));
    expect_error(a, 405, "WRONG_METHOD");
    expect_error(ask("GET", "/api/runs"), 404, "NOT_FOUND");
    vkp_queue_load load;
    vkp_queue_measure(local.queue, &load);
    assert_int_equal(load.bytes, 0);
}

/* Sends bytes over a connection of their own; the status of the answer, 0 for none. */
static int status_of(const char *bytes)
{
    const int s = http_connect(local.port);
    http_put(s, bytes, strlen(bytes));
    http_answer a = http_get_answer(s);
    const int status = a.status;
    http_free(&a);
    close(s);
    return status;
}

static int alive(void) { return http_status(local.port, "GET", "/api/info"); }

static void bodies_that_are_too_large(void **state)
{
    (void)state;
    char text[256];
    /* Refused before they come, however large they claim to be. */
    static const char *const lengths[] = {"1048577", "99999999999999999999", "-1", "12x",
                                          "18446744073709551615"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        snprintf(text, sizeof text,
                 "POST /api/pictures HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %s\r\n\r\n",
                 local.port, lengths[i]);
        const int status = status_of(text);
        if (status < 400 || status > 431) fail_msg("length %s: %d", lengths[i], status);
    }
    snprintf(text, sizeof text,
             "POST /api/pictures HTTP/1.1\r\nHost: localhost:%u\r\nTransfer-Encoding: "
             "chunked\r\n\r\n5\r\nhello\r\n"
             "0\r\n\r\n",
             local.port);
    assert_int_equal(status_of(text), 411);
    snprintf(text, sizeof text,
             "POST /api/sessions HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 5000\r\n\r\n", local.port);
    assert_int_equal(status_of(text), 413);
    assert_int_equal(alive(), 200);
}

static void other_sites(void **state)
{
    (void)state;
    char own[96], path[64];
    static const char *const hosts[] = {"Host: evil.example\r\n", "Host: localhost\r\n",
                                        "Host: localhost:1\r\n", "Host: 127.0.0.1.evil.example:80\r\n",
                                        "Host: \r\n"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        http_answer a = http_ask(local.port, "GET", "/api/info", hosts[i], NULL, 0);
        if (a.status != 421 && a.status != 400) fail_msg("%s: %d", hosts[i], a.status);
        http_free(&a);
    }
    snprintf(own, sizeof own, "Host: 127.0.0.1:%u\r\nOrigin: http://127.0.0.1:%u\r\n", local.port,
             local.port);
    http_answer a = http_ask(local.port, "GET", "/api/info", own, NULL, 0);
    cJSON_Delete(http_json(&a, 200));
    static const char *const foreign[] = {
        "Origin: http://evil.example\r\n", "Origin: null\r\n",
        "Origin: https://localhost\r\n",   "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",   "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        a = http_ask(local.port, "POST", "/api/pictures", foreign[i], png.bytes, png.size);
        expect_error(a, 403, "FOREIGN_SITE");
    }
    /* A link from another site may open the page, but nothing else of it. */
    a = http_ask(local.port, "GET", "/", foreign[5], NULL, 0);
    assert_int_equal(a.status, 200);
    http_free(&a);
    a = http_ask(local.port, "GET", "/api/info", foreign[5], NULL, 0);
    expect_error(a, 403, "FOREIGN_SITE");
    a = http_ask(local.port, "GET", "/api/info", "Sec-Fetch-Site: same-origin\r\n", NULL, 0);
    cJSON_Delete(http_json(&a, 200));
    /* Where no token is needed, none does anything. */
    snprintf(path, sizeof path, "/?token=%s", "x");
    assert_int_equal(http_status(local.port, "GET", path), 200);
}

static http_answer ask_open(const char *path, const char *more)
{
    return http_ask(open_to_all.port, "GET", path, more, NULL, 0);
}

static void tokens(void **state)
{
    (void)state;
    const char *token = vkp_server_token(open_to_all.server);
    char more[160], path[96];
    assert_int_equal(strlen(token), 32);
    assert_string_equal(vkp_server_token(local.server), "");
    assert_non_null(strstr(vkp_server_url(open_to_all.server), token));
    expect_error(ask_open("/", ""), 401, "NO_TOKEN");
    expect_error(ask_open("/api/info?token=", ""), 401, "NO_TOKEN");
    expect_error(ask_open("/api/info", "Authorization: Bearer 00000000000000000000000000000000\r\n"), 401,
                 "NO_TOKEN");
    expect_error(ask_open("/api/info", "Cookie: vkpix_1=x; vkpix=; =\r\n"), 401, "NO_TOKEN");
    snprintf(more, sizeof more, "Authorization: Bearer %.31s\r\n", token);
    expect_error(ask_open("/api/info", more), 401, "NO_TOKEN");
    snprintf(more, sizeof more, "Authorization: Bearer %s\r\n", token);
    http_answer a = ask_open("/api/info", more);
    cJSON_Delete(http_json(&a, 200));
    /* The address with the token gives the page a cookie, and leads to the address without it. */
    snprintf(path, sizeof path, "/?token=%s", token);
    a = ask_open(path, "");
    assert_int_equal(a.status, 303);
    snprintf(more, sizeof more, "Set-Cookie: vkpix_%u=%s; Path=/; HttpOnly; SameSite=Lax\r\n",
             open_to_all.port, token);
    assert_non_null(strstr(a.head, more));
    assert_non_null(strstr(a.head, "Location: /\r\n"));
    http_free(&a);
    snprintf(more, sizeof more, "Cookie: other=1; vkpix_%u=%s; more=2\r\n", open_to_all.port, token);
    a = ask_open("/", more);
    assert_int_equal(a.status, 200);
    http_free(&a);
    /* Any name will do, but no other site's page. */
    snprintf(more, sizeof more, "Host: attic.local:1\r\nAuthorization: Bearer %s\r\n", token);
    a = ask_open("/api/info", more);
    cJSON_Delete(http_json(&a, 200));
    snprintf(more, sizeof more, "Origin: http://evil.example\r\nAuthorization: Bearer %s\r\n", token);
    expect_error(ask_open("/api/info", more), 403, "FOREIGN_SITE");
}

static void paths_that_lead_elsewhere(void **state)
{
    (void)state;
    static const char *const paths[] = {"/../../../../etc/passwd",
                                        "/..%2f..%2f..%2fetc%2fpasswd",
                                        "/%2e%2e/%2e%2e/etc/passwd",
                                        "//etc/passwd",
                                        "/./page.css",
                                        "/page.css/",
                                        "/page.css/..",
                                        "/api",
                                        "/api/",
                                        "/api/pictures/../info",
                                        "/api/pictures//result",
                                        "/api/runs/..",
                                        "/api/runs/%2e%2e/previews/1",
                                        "/api/runs/..%2f..%2fetc/previews/1",
                                        "/%00/etc/passwd",
                                        "/page.css%00.html",
                                        "/\\..\\..\\etc\\passwd",
                                        "/a/b/c/d/e/f/g",
                                        "/%",
                                        "/%zz",
                                        "/api/pictures/%s%n%s",
                                        "/index.html",
                                        "/C:/Windows/win.ini"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        http_answer a = ask("GET", paths[i]);
        const bool cut = strstr(paths[i], "%00"); /* libmicrohttpd ends an address there */
        if (a.status != 404 && a.status != 400 && !(cut && a.status == 200))
            fail_msg("%s: %d", paths[i], a.status);
        if (a.body && strstr((char *)a.body, "root:")) fail_msg("%s shows a file", paths[i]);
        http_free(&a);
    }
    char path[2000] = "/";
    memset(path + 1, 'a', sizeof path - 2);
    path[sizeof path - 1] = 0;
    assert_int_equal(http_status(local.port, "GET", path), 404);
}

static void what_is_no_request(void **state)
{
    (void)state;
    static const char *const requests[] = {"\r\n\r\n",
                                           "hello\r\n\r\n",
                                           "GET\r\n\r\n",
                                           "GET / HTTP/9.9\r\n\r\n",
                                           "GET / HTTP/1.1\r\n\r\n",
                                           "GET / HTTP/1.1\r\nHost\r\n\r\n",
                                           "POST /api/pictures HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                                           "GET / HTTP/1.1\nHost: x\n\n",
                                           "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const int s = http_connect(local.port);
        http_put(s, requests[i], strlen(requests[i]));
        shutdown(s, SHUT_WR);
        http_answer a = http_get_answer(s);
        if (a.status == 200) fail_msg("request %zu was answered", i);
        http_free(&a);
        close(s);
    }
    /* Headers without end, and one that is too long. */
    const int s = http_connect(local.port);
    const char *start = "GET / HTTP/1.1\r\nX: ";
    char many[4096];
    memset(many, 'x', sizeof many);
    http_put(s, start, strlen(start));
    for (int i = 0; i < 64; i++)
        if (http_put(s, many, sizeof many) < sizeof many) break;
    close(s);
    assert_int_equal(alive(), 200);
}

/* Seconds until the other side closes a connection to which a byte is sent now and then. */
static double drip(const char *start)
{
    const double began = vkp_clock();
    const int s = http_connect(hasty.port);
    char byte;
    http_put(s, start, strlen(start));
    while (vkp_clock() - began < 6) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        if (http_put(s, "x", 1) != 1 || recv(s, &byte, 1, MSG_DONTWAIT) == 0) break;
    }
    close(s);
    return vkp_clock() - began;
}

static void slow_clients(void **state)
{
    (void)state;
    char text[200];
    const double headers = drip("GET / HTTP/1.1\r\nX-Slow: ");
    if (headers > SHORT_PATIENCE + 2) fail_msg("headers could drip for %.1f s", headers);
    snprintf(text, sizeof text,
             "POST /api/pictures HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 50000\r\n\r\n",
             hasty.port);
    const double body = drip(text);
    if (body > SHORT_PATIENCE + 3) fail_msg("a body could drip for %.1f s", body);
    /* One that says nothing at all. */
    const double began = vkp_clock();
    const int s = http_connect(hasty.port);
    char byte;
    assert_int_equal(recv(s, &byte, 1, 0), 0);
    assert_true(vkp_clock() - began < SHORT_PATIENCE + 2);
    close(s);
    vkp_queue_load load;
    vkp_queue_measure(hasty.queue, &load);
    assert_int_equal(load.bytes, 0); /* what the half body had taken */
}

static void many_connections(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    int sockets[COUNT];
    char text[128];
    const int length =
        snprintf(text, sizeof text, "GET /api/info HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", local.port);
    for (int i = 0; i < COUNT; i++) sockets[i] = http_connect(local.port);
    for (int round = 0; round < 2; round++) { /* kept alive in between */
        for (int i = 0; i < COUNT; i++) assert_int_equal(http_put(sockets[i], text, (size_t)length), length);
        for (int i = 0; i < COUNT; i++) {
            http_answer a = http_get_answer(sockets[i]);
            assert_int_equal(a.status, 200);
            http_free(&a);
        }
    }
    for (int i = 0; i < COUNT; i++) close(sockets[i]);
    /* More than there are places, all silent: they lose theirs, and others get in. */
    int silent[CONNECTIONS + 50];
    for (int i = 0; i < CONNECTIONS + 50; i++) silent[i] = http_connect(hasty.port);
    assert_int_equal(http_status(hasty.port, "GET", "/api/info"), 200);
    for (int i = 0; i < CONNECTIONS + 50; i++) close(silent[i]);
}

/* 200 uploads at once, each in a session of its own: all are coloured, or told why not. */
static void many_uploads(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    int sockets[COUNT], taken = 0;
    char head[160];
    const int length = snprintf(
        head, sizeof head, "POST /api/pictures HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %zu\r\n\r\n",
        local.port, png.size);
    for (int i = 0; i < COUNT; i++) {
        sockets[i] = http_connect(local.port);
        http_put(sockets[i], head, (size_t)length);
    }
    for (int i = 0; i < COUNT; i++) http_put(sockets[i], png.bytes, png.size);
    for (int i = 0; i < COUNT; i++) {
        http_answer a = http_get_answer(sockets[i]);
        cJSON *picture = http_json(&a, 202);
        wait_until_done(text_of(picture, "id"));
        taken++;
        assert_true(vkp_queue_end(local.queue, text_of(picture, "session")));
        cJSON_Delete(picture);
        close(sockets[i]);
    }
    assert_int_equal(taken, COUNT);
    vkp_queue_load load;
    vkp_queue_measure(local.queue, &load);
    assert_int_equal(load.bytes, 0);
}

/* Clients that go in the middle of an upload or a download leave nothing behind. */
static void clients_that_go(void **state)
{
    (void)state;
    char text[200];
    for (int i = 0; i < 20; i++) {
        const int s = http_connect(local.port);
        const int length =
            snprintf(text, sizeof text,
                     "POST /api/pictures HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %d\r\n\r\n",
                     local.port, FILE_BYTES);
        http_put(s, text, (size_t)length);
        http_put(s, png.bytes, png.size);
        close(s);
    }
    for (const double end = vkp_clock() + 5; vkp_clock() < end;) {
        vkp_queue_load load;
        vkp_queue_measure(local.queue, &load);
        if (!load.bytes) return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    fail_msg("uploads that were cut off still take memory");
}

static void where_it_cannot_listen(void **state)
{
    (void)state;
    vkp_server *second;
    vkp_server_options options = {.port = local.port, .connections = 10, .patience = 1, .queue = local.queue};
    assert_int_equal(vkp_server_start(&options, &second), VKP_IO);
    assert_null(second);
    assert_non_null(strstr(vkp_error(), "--port"));
    options.port = 0;
    static const char *const addresses[] = {"localhost", "nowhere", "300.1.1.1", "", "1.2.3.4:5"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        options.address = addresses[i];
        if (vkp_server_start(&options, &second) != VKP_USAGE) fail_msg("'%s': %s", addresses[i], vkp_error());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page),
        cmocka_unit_test(a_picture),
        cmocka_unit_test(sessions_have_limits),
        cmocka_unit_test(what_is_no_picture),
        cmocka_unit_test(bodies_that_are_too_large),
        cmocka_unit_test(other_sites),
        cmocka_unit_test(tokens),
        cmocka_unit_test(paths_that_lead_elsewhere),
        cmocka_unit_test(what_is_no_request),
        cmocka_unit_test(slow_clients),
        cmocka_unit_test(many_connections),
        cmocka_unit_test(many_uploads),
        cmocka_unit_test(clients_that_go),
        cmocka_unit_test(where_it_cannot_listen),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
