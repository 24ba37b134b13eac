/* vkpix serve: the page for photographs and training runs. */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model_options.h"
#include "report.h"
#include "serve/painter.h"
#include "serve/server.h"

/* For all pages together, and for each. */
enum { PORT = 8080, CONNECTIONS = 256, SESSIONS = 256, PICTURES = 200 };

#define FILE_BYTES ((size_t)64 << 20)
#define KEPT_BYTES ((size_t)1 << 30)
#define MAX_PIXELS ((uint64_t)100 * 1000 * 1000)
#define PATIENCE_SECONDS 20.0
#define IDLE_SECONDS 180.0

extern char **environ;

typedef struct serving {
    const vkp_options *options;
    long port;
    vkp_runs *runs;
    vkp_painter *painter;
    vkp_queue *queue;
    vkp_server *server;
} serving;

static vkp_status open_device(void *user, vkp_device **device)
{
    const serving *s = user;
    return vkp_options_device(s->options, device);
}

static void close_device(void *user, vkp_device *device)
{
    (void)user;
    vkp_options_close(device);
}

static vkp_status make_painter(serving *s)
{
    vkp_painter_options painting = {
        .runs = s->runs, .max_pixels = MAX_PIXELS, .open = open_device, .close = close_device, .user = s};
    const char *model;
    for (size_t i = 0; vkp_options_each(s->options, "model", i, &model); i++) {
        if (i == VKP_PAINTER_MODELS - 1)
            return vkp_fail(VKP_USAGE, "too many --model (%zu at most; leave some out)", i);
        painting.models[i] = model;
    }
    return vkp_painter_create(&painting, &s->painter);
}

static vkp_status start(serving *s)
{
    const char *runs = vkp_options_value(s->options, "runs");
    if (runs) VKP_TRY(vkp_runs_open(runs, &s->runs));
    VKP_TRY(make_painter(s));
    const vkp_queue_options queueing = {.bytes = KEPT_BYTES,
                                        .per_session = PICTURES,
                                        .sessions = SESSIONS,
                                        .idle_seconds = IDLE_SECONDS,
                                        .work = vkp_painter_work,
                                        .user = s->painter};
    VKP_TRY(vkp_queue_create(&queueing, &s->queue));
    const vkp_server_options serve = {.address = vkp_options_value(s->options, "listen"),
                                      .port = (uint16_t)s->port,
                                      .connections = CONNECTIONS,
                                      .patience = PATIENCE_SECONDS,
                                      .file_bytes = FILE_BYTES,
                                      .max_pixels = MAX_PIXELS,
                                      .per_session = PICTURES,
                                      .queue = s->queue,
                                      .runs = s->runs,
                                      .device = vkp_painter_device(s->painter),
                                      .models = vkp_painter_models,
                                      .check = vkp_painter_check,
                                      .user = s->painter};
    return vkp_server_start(&serve, &s->server);
}

static void stop(serving *s)
{
    vkp_server_stop(s->server);
    vkp_queue_destroy(s->queue);
    vkp_painter_destroy(s->painter);
    vkp_runs_close(s->runs);
}

/* Has the desktop's browser show the page; where there is none, the line with the address is enough. */
static void open_browser(const char *url)
{
    char *const words[] = {(char[]){"xdg-open"}, (char *)(uintptr_t)url, NULL};
    posix_spawnattr_t how;
    sigset_t none, usual;
    pid_t child;
    /* It is not to inherit which signals this program blocks and ignores. */
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &usual);
    if (posix_spawnp(&child, words[0], NULL, &how, words, environ) != 0)
        vkp_report("no browser was started: xdg-open is missing (package xdg-utils)");
    posix_spawnattr_destroy(&how);
}

static vkp_status announce(const serving *s)
{
    const char *url = vkp_server_url(s->server);
    vkp_report("the page is at %s (Ctrl-C ends it)", url);
    if (*vkp_server_token(s->server))
        vkp_report("other machines can reach it: who has this address can use it, and nothing is encrypted");
    if (vkp_options_given(s->options, "json")) {
        cJSON *document = cJSON_CreateObject();
        cJSON_AddStringToObject(document, "url", url);
        cJSON_AddNumberToObject(document, "port", vkp_server_port(s->server));
        cJSON_AddStringToObject(document, "token", vkp_server_token(s->server));
        VKP_TRY(vkp_print_json(document));
        VKP_TRY(vkp_finish_output());
    }
    if (vkp_options_given(s->options, "open")) open_browser(url);
    return VKP_OK;
}

static vkp_status run(const vkp_options *options)
{
    serving s = {.options = options, .port = PORT};
    int signal_number;
    sigset_t ends;
    VKP_TRY(vkp_options_integer(options, "port", 0, UINT16_MAX, &s.port));
    /* Before any thread is there, so that all leave these to this one. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    vkp_status status = start(&s);
    if (status == VKP_OK) status = announce(&s);
    if (status == VKP_OK) sigwait(&ends, &signal_number);
    /* A second signal ends it as usual, whatever it is still waiting for. */
    pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
    stop(&s);
    return status;
}

static const vkp_option options_taken[] = {
    {"port", "N", "where it listens, 8080 by default; 0: any that is free"},
    {"listen", "ADDRESS",
     "let other machines use it too: 0.0.0.0, or one of this machine's addresses; they "
     "need the token in the address that is printed, and nothing is encrypted"},
    {"runs", "DIR", "show the training runs in this folder too, and offer their networks"},
    {"open", NULL, "show the page in the desktop's browser"},
    VKP_OPTION_MODEL,
    VKP_OPTION_DEVICE,
    VKP_OPTION_VARIANT,
    VKP_OPTION_JSON,
    {0},
};

const vkp_command vkp_command_serve = {
    .name = "serve",
    .synopsis = "[options]",
    .summary = "a page in the browser for photographs and training runs",
    .details = "Serves a page at http://127.0.0.1:8080/ until Ctrl-C: drop photographs, compare, download.\n"
               "Nothing leaves this machine, and nothing is kept after the page is closed. --model may be\n"
               "given several times, for a choice. docs/http.md describes the HTTP interface beneath.\n",
    .options = options_taken,
    .max_arguments = 0,
    .tune_seconds = 0.5,
    .run = run,
};
