#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

/* A bar stands on the terminal's line: whoever writes a line clears it first. */
static bool bar_stands;

static void clear_bar(void)
{
    if (bar_stands) fputs("\r\033[K", stderr);
    bar_stands = false;
}

/* A message stays one line, whatever a file is called. */
static void make_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = '?';
}

void vkp_one_line(const char *name, char *line, size_t room)
{
    snprintf(line, room, "%s", name);
    make_one_line(line);
}

void vkp_report(const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    make_one_line(text);
    clear_bar();
    fprintf(stderr, "vkpix: %s\n", text);
}

void vkp_report_error(const char *text) { vkp_report("error: %s", text); }

vkp_status vkp_print_json(cJSON *document)
{
    char *text = document ? cJSON_Print(document) : NULL;
    cJSON_Delete(document);
    if (!text)
        return vkp_fail(VKP_MEMORY,
                        "no memory for the JSON document (host memory ran out; close other programs)");
    vkp_utf8_mend(text);
    puts(text);
    cJSON_free(text);
    return VKP_OK;
}

vkp_status vkp_finish_output(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return VKP_OK;
    return vkp_fail(VKP_IO, "cannot write to standard output (%s; check where it leads)",
                    errno ? strerror(errno) : "a write failed");
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void draw_bar(size_t done, size_t total, const char *text)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    const size_t filled = total ? done * WIDTH / total : WIDTH;
    memset(bar, '.', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = 0;
    fprintf(stderr, "\r\033[K[%s] %.100s", bar, text);
    fflush(stderr);
    bar_stands = true;
}

void vkp_progress_show(vkp_progress *p, size_t done, const char *note)
{
    const bool terminal = isatty(STDERR_FILENO);
    const double now = seconds(), interval = terminal ? 0.1 : 5;
    if (p->started <= 0) {
        p->started = now;
        p->shown = terminal ? 0 : now;
    }
    if (done < p->total && now - p->shown < interval) return;
    p->shown = now;
    char text[512];
    int n = snprintf(text, sizeof text, "%zu of %zu %s", done, p->total, p->unit);
    if (done && done < p->total)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %.0f s left",
                      (now - p->started) / (double)done * (double)(p->total - done));
    if (*note) snprintf(text + n, sizeof text - (size_t)n, ", %s", note);
    make_one_line(text);
    if (!terminal) vkp_report("%s", text);
    else if (done < p->total) draw_bar(done, p->total, text);
    else clear_bar();
}
