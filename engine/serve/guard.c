#include "serve/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Whether `host` is `name`, with the port or, where that is HTTP's own, without. */
static bool is_host(const char *host, const char *name, uint16_t port)
{
    const size_t length = strlen(name);
    if (strncasecmp(host, name, length) != 0) return false;
    char with[8];
    snprintf(with, sizeof with, ":%u", port);
    return strcmp(host + length, with) == 0 || (port == 80 && !host[length]);
}

static bool is_own_host(const vkp_guard *g, const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; host && i < sizeof names / sizeof *names; i++)
        if (is_host(host, names[i], g->port)) return true;
    return false;
}

/* Whether the request was made by another site's page. */
static bool is_foreign(const vkp_visitor *v, bool opening)
{
    static const char scheme[] = "http://";
    const size_t length = sizeof scheme - 1;
    if (v->origin &&
        (strncmp(v->origin, scheme, length) != 0 || !v->host || strcasecmp(v->origin + length, v->host) != 0))
        return true;
    if (!v->fetch_site || strcmp(v->fetch_site, "same-origin") == 0 || strcmp(v->fetch_site, "none") == 0)
        return false;
    return !opening || !v->fetch_mode || strcmp(v->fetch_mode, "navigate") != 0;
}

/* In a time that does not tell how much of it is right. */
static bool is_token(const vkp_guard *g, const char *text, size_t length)
{
    if (length != strlen(g->token)) return false;
    unsigned difference = 0;
    for (size_t i = 0; i < length; i++) difference |= (unsigned)(text[i] ^ g->token[i]);
    return difference == 0;
}

static bool has_cookie(const vkp_guard *g, const char *cookie)
{
    char name[24];
    const int length = snprintf(name, sizeof name, "vkpix_%u=", g->port);
    while (cookie && *cookie) {
        cookie += strspn(cookie, " ;");
        const size_t rest = strcspn(cookie, ";");
        if (strncmp(cookie, name, (size_t)length) == 0 && is_token(g, cookie + length, rest - (size_t)length))
            return true;
        cookie += rest;
    }
    return false;
}

static bool has_authorization(const vkp_guard *g, const char *text)
{
    static const char scheme[] = "Bearer ";
    const size_t length = sizeof scheme - 1;
    return text && strncasecmp(text, scheme, length) == 0 &&
           is_token(g, text + length, strlen(text + length));
}

vkp_verdict vkp_guard_judge(const vkp_guard *g, const vkp_visitor *v, bool opening)
{
    /* With a token any name will do: a browser sends the cookie to none but the one it got it from. */
    if (!*g->token && !is_own_host(g, v->host)) return VKP_VERDICT_FOREIGN_HOST;
    if (is_foreign(v, opening)) return VKP_VERDICT_FOREIGN_SITE;
    if (!*g->token || has_cookie(g, v->cookie) || has_authorization(g, v->authorization))
        return VKP_VERDICT_PASS;
    if (v->token && is_token(g, v->token, strlen(v->token))) return VKP_VERDICT_KNOWN_BY_ADDRESS;
    return VKP_VERDICT_NO_TOKEN;
}
