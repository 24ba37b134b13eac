/* The guard: whether a request comes from somebody who may ask.
 *
 * Any site that a person looks at can have the browser send requests to this machine. They are told by their
 * headers: a foreign name in Host (a name of the attacker's that was made to point here), an Origin that is
 * not the page's own, or Sec-Fetch-Site. Where other machines can reach the server there is a token besides,
 * which the page keeps as a cookie. */
#ifndef VKP_SERVE_GUARD_H
#define VKP_SERVE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum { VKP_TOKEN_ROOM = 33 };

typedef struct vkp_guard {
    uint16_t port;
    char token[VKP_TOKEN_ROOM]; /* "": none is needed, and only this machine's own names are served */
} vkp_guard;

/* A request's headers; NULL where one is missing. */
typedef struct vkp_visitor {
    const char *host, *origin, *fetch_site, *fetch_mode, *authorization, *cookie;
    const char *token; /* of the address, as in /?token=... */
} vkp_visitor;

typedef enum vkp_verdict {
    VKP_VERDICT_PASS,
    VKP_VERDICT_KNOWN_BY_ADDRESS, /* passes by the address's token: give the cookie, show another address */
    VKP_VERDICT_FOREIGN_HOST,
    VKP_VERDICT_FOREIGN_SITE,
    VKP_VERDICT_NO_TOKEN
} vkp_verdict;

/* `opening`: it only shows the page, which another site may link to. The token is taken from the cookie
 * vkpix_PORT, from "Authorization: Bearer TOKEN", or from the address. */
vkp_verdict vkp_guard_judge(const vkp_guard *guard, const vkp_visitor *visitor, bool opening);

#endif
