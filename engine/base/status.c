#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KEPT = 500, LONGEST = 16384 };

/* Room for the first and the last KEPT bytes and what stands between them. */
static _Thread_local char error_text[2 * KEPT + 4];

/* What is wrong stands at the start of a text, why and what to do at its end. */
static void cut_middle(char *text)
{
    const size_t length = strlen(text);
    if (length <= 2 * KEPT) return;
    memcpy(text + KEPT, "...", 3);
    memmove(text + KEPT + 3, text + length - KEPT, KEPT + 1);
}

vkp_status vkp_fail(vkp_status code, const char *format, ...)
{
    /* Formatted beside first: an argument may be vkp_error() itself. */
    char text[LONGEST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cut_middle(text);
    size_t i = 0;
    for (; text[i]; i++) error_text[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    error_text[i] = 0;
    return code;
}

const char *vkp_error(void) { return error_text; }

void vkp_error_what(char *text, size_t room)
{
    const char *reason = strstr(error_text, " (");
    const size_t length = reason ? (size_t)(reason - error_text) : strlen(error_text);
    snprintf(text, room, "%.*s", (int)length, error_text);
}

const char *vkp_status_name(vkp_status code)
{
    static const char *const names[] = {
#define X(name, text) #name,
        VKP_STATUS_MAP(X)
#undef X
    };
    return (unsigned)code < sizeof names / sizeof *names ? names[code] : "unknown";
}

const char *vkp_status_meaning(vkp_status code)
{
    static const char *const meanings[] = {
#define X(name, text) text,
        VKP_STATUS_MAP(X)
#undef X
    };
    return (unsigned)code < sizeof meanings / sizeof *meanings ? meanings[code] : "unknown";
}
