/* Samples are read one by one: simple, and fast enough for what is rare. */
#include "image/pnm.h"

#include <stdbool.h>

#include "image/deep.h"

enum { MAX_SIDE = 1 << 24, MAX_SAMPLE = 65535 };

typedef struct cursor {
    const uint8_t *bytes;
    size_t at, size;
} cursor;

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(cursor *c)
{
    while (c->at < c->size) {
        uint8_t b = c->bytes[c->at];
        if (b == '#') {
            while (c->at < c->size && c->bytes[c->at] != '\n') c->at++;
        } else if (is_space(b)) {
            c->at++;
        } else {
            return;
        }
    }
}

/* The next number, or -1: none there, or above `limit`. */
static int read_number(cursor *c, int limit)
{
    skip_space(c);
    int value = -1;
    while (c->at < c->size && c->bytes[c->at] >= '0' && c->bytes[c->at] <= '9') {
        value = (value < 0 ? 0 : value) * 10 + (c->bytes[c->at++] - '0');
        if (value > limit) return -1;
    }
    return value;
}

const char *vkp_pnm_header(const uint8_t *bytes, size_t size, vkp_pnm *pnm)
{
    cursor c = {bytes, 2, size};
    pnm->kind = bytes[1] - '0';
    pnm->channels = pnm->kind % 3 == 0 ? 3 : 1;
    pnm->width = read_number(&c, MAX_SIDE);
    pnm->height = read_number(&c, MAX_SIDE);
    pnm->max = pnm->kind % 3 == 1 ? 1 : read_number(&c, MAX_SAMPLE);
    if (pnm->width < 1 || pnm->height < 1) return "its PNM header has no valid width and height";
    if (pnm->max < 1) return "its PNM header has no valid maximum value";
    /* One white-space byte ends a header; binary samples may look like white space. */
    if (c.at >= size || !is_space(bytes[c.at])) return "its PNM header is cut off";
    pnm->data = c.at + 1;
    return NULL;
}

static size_t row_bytes(const vkp_pnm *p)
{
    size_t samples = (size_t)p->width * (size_t)p->channels;
    if (p->kind == 4) return (samples + 7) / 8;
    return samples * (p->max > 255 ? 2 : 1);
}

const char *vkp_pnm_missing(const vkp_pnm *p, size_t size)
{
    /* ASCII samples take a digit each at least. Sides are below 2^25, so nothing overflows. */
    size_t row = p->kind >= 4 ? row_bytes(p) : (size_t)p->width * (size_t)p->channels;
    return row * (size_t)p->height > size - p->data ? "it is truncated: pixel data is missing" : NULL;
}

/* The next sample of an ASCII file; -1 when there is none. */
static int ascii_sample(cursor *c, const vkp_pnm *p)
{
    if (p->kind != 1) return read_number(c, MAX_SAMPLE);
    skip_space(c);
    if (c->at >= c->size || (c->bytes[c->at] != '0' && c->bytes[c->at] != '1')) return -1;
    return c->bytes[c->at++] - '0'; /* digits of bitmaps need no space between them */
}

static int binary_sample(const uint8_t *row, size_t index, const vkp_pnm *p)
{
    if (p->kind == 4) return row[index / 8] >> (7 - index % 8) & 1;
    if (p->max > 255) return row[2 * index] << 8 | row[2 * index + 1];
    return row[index];
}

/* One pixel's samples, three of them in any case; false: one is missing. */
static bool read_pixel(const vkp_pnm *p, cursor *c, const uint8_t *row, int x, int samples[3])
{
    for (int k = 0; k < p->channels; k++) {
        size_t index = (size_t)x * (size_t)p->channels + (size_t)k;
        int sample = row ? binary_sample(row, index, p) : ascii_sample(c, p);
        if (sample < 0) return false;
        if (sample > p->max) sample = p->max;
        samples[k] = p->kind % 3 == 1 ? 1 - sample : sample; /* in bitmaps 1 is black */
    }
    if (p->channels == 1) samples[1] = samples[2] = samples[0];
    return true;
}

/* A sample at the scale where white is `white`. */
static uint32_t scaled(const vkp_pnm *p, int sample, uint32_t white)
{
    const uint32_t max = (uint32_t)p->max;
    return ((uint32_t)sample * white + max / 2) / max;
}

const char *vkp_pnm_decode(const vkp_pnm *p, const uint8_t *bytes, size_t size, uint8_t *rgba, uint16_t *deep)
{
    cursor c = {bytes, p->data, size};
    for (int y = 0; y < p->height; y++) {
        const uint8_t *row = p->kind >= 4 ? bytes + p->data + (size_t)y * row_bytes(p) : NULL;
        for (int x = 0; x < p->width; x++, rgba += 4) {
            int samples[3] = {0};
            if (!read_pixel(p, &c, row, x, samples)) return "a sample of it is missing or is no number";
            for (int k = 0; k < 3; k++) rgba[k] = (uint8_t)scaled(p, samples[k], 255);
            rgba[3] = 255;
            if (!deep) continue;
            uint16_t wide[3];
            for (int k = 0; k < 3; k++) wide[k] = (uint16_t)scaled(p, samples[k], VKP_DEEP_WHITE);
            *deep++ = vkp_luma16(wide);
            *deep++ = VKP_DEEP_WHITE;
        }
    }
    return NULL;
}
