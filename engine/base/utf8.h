/* Texts whose bytes came from outside. */
#ifndef VKP_BASE_UTF8_H
#define VKP_BASE_UTF8_H

/* File names may hold any bytes, JSON only UTF-8 (RFC 3629, without its finer rules): what is none of it
 * becomes '?', byte by byte. */
void vkp_utf8_mend(char *text);

#endif
