#include "base/utf8.h"

#include <stddef.h>

/* Bytes of a UTF-8 sequence that starts here, or 0 when none does (RFC 3629, without its finer rules). */
static size_t utf8_length(const unsigned char *s)
{
    const size_t length = *s < 0x80                ? 1
                          : *s >= 0xc2 && *s < 0xe0 ? 2
                          : *s >= 0xe0 && *s < 0xf0 ? 3
                          : *s >= 0xf0 && *s < 0xf5 ? 4
                                                    : 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return length;
}

void vkp_utf8_mend(char *text)
{
    while (*text) {
        const size_t length = utf8_length((unsigned char *)text);
        if (!length) *text = '?';
        text += length ? length : 1;
    }
}
