/* Markers and segments as in ITU-T T.81, annex B. */
#include "image/jpeg.h"

#include <string.h>

enum {
    SOF0 = 0xc0, /* baseline */
    SOF1 = 0xc1, /* extended */
    SOF2 = 0xc2, /* progressive */
    DHT = 0xc4,
    JPG = 0xc8,  /* an extension */
    SOF9 = 0xc9, /* the first of the arithmetic ones */
    DAC = 0xcc,
    SOF15 = 0xcf,
    RST0 = 0xd0,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    APP1 = 0xe1,
    APP2 = 0xe2,
    APP14 = 0xee,
    MOST_SCANS = 500 /* each one costs a walk over all blocks */
};

typedef struct segment {
    uint8_t marker;
    const uint8_t *data; /* behind the length */
    size_t length;
} segment;

/* The next marker from *at on, over entropy-coded data if need be; false when the file ends before it (marker
 * is 0 then), or before its segment does. */
static bool next_segment(const uint8_t *b, size_t size, size_t *at, segment *s)
{
    size_t i = *at;
    *s = (segment){.marker = 0};
    while (!s->marker) {
        const uint8_t *ff = i < size ? memchr(b + i, 0xff, size - i) : NULL;
        if (!ff) return false;
        i = (size_t)(ff - b);
        if (i + 1 >= size) return false;
        uint8_t marker = b[i + 1];
        if (marker == 0xff) {
            i++; /* a fill byte */
        } else if (marker <= 1 || (marker >= RST0 && marker <= SOI)) {
            i += 2; /* a stuffed 0xff, a restart, or another marker without a segment */
        } else {
            s->marker = marker;
            i += 2;
        }
    }
    s->data = b + i;
    *at = i;
    if (s->marker == EOI) return true;
    if (size - i < 2) return false;
    size_t length = (size_t)b[i] << 8 | b[i + 1];
    if (length < 2 || length > size - i) return false;
    s->data += 2;
    s->length = length - 2;
    *at = i + length;
    return true;
}

const uint8_t *vkp_jpeg_exif(const uint8_t *b, size_t size, size_t *length)
{
    size_t at = 2;
    segment s;
    while (next_segment(b, size, &at, &s) && s.marker != SOS && s.marker != EOI) {
        if (s.marker != APP1 || s.length < 6 || memcmp(s.data, "Exif\0\0", 6) != 0) continue;
        *length = s.length;
        return s.data;
    }
    return NULL;
}

size_t vkp_jpeg_icc(const uint8_t *b, size_t size, vkp_jpeg_part parts[VKP_JPEG_MAX_PARTS], bool *found)
{
    static const char name[] = "ICC_PROFILE"; /* its 0 included; then the number and the count */
    enum { HEAD = sizeof name + 2 };
    size_t at = 2, count = 0, have = 0;
    segment s;
    *found = false;
    memset(parts, 0, VKP_JPEG_MAX_PARTS * sizeof *parts);
    while (next_segment(b, size, &at, &s) && s.marker != SOS && s.marker != EOI) {
        if (s.marker != APP2 || s.length < HEAD || memcmp(s.data, name, sizeof name) != 0) continue;
        const size_t number = s.data[HEAD - 2], of = s.data[HEAD - 1];
        if (!*found) count = of;
        *found = true;
        if (of != count || number < 1 || number > count || parts[number - 1].data) return 0;
        parts[number - 1] = (vkp_jpeg_part){s.data + HEAD, s.length - HEAD};
        have++;
    }
    return have == count ? count : 0;
}

/* What has been defined up to some place in the file. */
typedef struct tables {
    bool huffman[2][4]; /* DC, AC */
    bool quantization[4];
    bool frame, progressive;
    int components, scans;
    uint8_t id[4], wanted[4]; /* a component's name and quantization table */
    bool scanned[4];          /* its picture data has begun */
} tables;

static bool read_huffman(const segment *s, tables *t)
{
    for (size_t at = 0; at < s->length;) {
        const uint8_t *d = s->data + at;
        size_t codes = 0;
        if (s->length - at < 17 || d[0] >> 4 > 1 || (d[0] & 15) > 3) return false;
        for (int i = 1; i <= 16; i++) codes += d[i];
        if (codes > 256 || codes > s->length - at - 17) return false;
        t->huffman[d[0] >> 4][d[0] & 15] = true;
        at += 17 + codes;
    }
    return true;
}

static bool read_quantization(const segment *s, tables *t)
{
    for (size_t at = 0; at < s->length;) {
        uint8_t head = s->data[at];
        size_t bytes = head >> 4 ? 128 : 64;
        if (head >> 4 > 1 || (head & 15) > 3 || s->length - at - 1 < bytes) return false;
        t->quantization[head & 15] = true;
        at += 1 + bytes;
    }
    return true;
}

static bool read_frame(const segment *s, tables *t)
{
    if (t->frame || s->length < 6) return false;
    int count = s->data[5], h_max = 1, v_max = 1;
    if (count < 1 || count > 4 || s->length != 6 + 3 * (size_t)count) return false;
    const uint8_t *c = s->data + 6;
    for (int i = 0; i < count; i++) {
        int h = c[3 * i + 1] >> 4, v = c[3 * i + 1] & 15;
        t->id[i] = c[3 * i];
        t->wanted[i] = c[3 * i + 2];
        if (h < 1 || h > 4 || v < 1 || v > 4 || t->wanted[i] > 3) return false;
        if (h > h_max) h_max = h;
        if (v > v_max) v_max = v;
    }
    for (int i = 0; i < count; i++)
        if (h_max % (c[3 * i + 1] >> 4) || v_max % (c[3 * i + 1] & 15)) return false;
    t->frame = true;
    t->progressive = s->marker == SOF2;
    t->components = count;
    return true;
}

static bool check_scan(const segment *s, tables *t)
{
    t->scans++;
    if (!t->frame) return true; /* of a kind that stb_image refuses by itself */
    size_t count = s->length ? s->data[0] : 0;
    if (s->length != 4 + 2 * count) return false;
    /* Spectral selection and successive approximation: the first scan of DC uses DC tables, its refinements
     * none, and all scans of AC use AC tables. */
    uint8_t from = s->data[1 + 2 * count], refined = s->data[3 + 2 * count] >> 4;
    bool dc = !t->progressive || (from == 0 && refined == 0), ac = !t->progressive || from > 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t used = s->data[2 + 2 * i];
        if (used >> 4 > 3 || (used & 15) > 3) return false;
        for (int k = 0; k < t->components; k++) {
            if (t->id[k] != s->data[1 + 2 * i]) continue;
            if (!t->quantization[t->wanted[k]]) return false;
            t->scanned[k] |= dc;
        }
        if ((dc && !t->huffman[0][used >> 4]) || (ac && !t->huffman[1][used & 15])) return false;
    }
    return true;
}

const char *vkp_jpeg_problem(const uint8_t *b, size_t size)
{
    static const char damaged[] = "its tables are damaged";
    tables t = {.frame = false};
    size_t at = 2;
    segment s;
    while (next_segment(b, size, &at, &s) && s.marker != EOI) {
        bool good = true;
        if (s.marker == DHT) good = read_huffman(&s, &t);
        if (s.marker == DQT) good = read_quantization(&s, &t);
        if (s.marker == SOF0 || s.marker == SOF1 || s.marker == SOF2) good = read_frame(&s, &t);
        if (s.marker == SOS) good = check_scan(&s, &t);
        if (!good) return damaged;
        if (t.scans > MOST_SCANS) return "it has more than 500 scans";
    }
    if (s.marker == DHT) return damaged; /* one that is cut off would still be read */
    for (int i = 0; s.marker == EOI && t.scans && i < t.components; i++)
        if (!t.scanned[i]) return "one of its colour components has no data";
    return NULL;
}

static bool is_frame(const segment *s)
{
    const uint8_t m = s->marker;
    return m >= SOF0 && m <= SOF15 && m != DHT && m != JPG && m != DAC;
}

bool vkp_jpeg_is_progressive(const uint8_t *b, size_t size)
{
    size_t at = 2;
    segment s;
    while (next_segment(b, size, &at, &s) && s.marker != SOS && s.marker != EOI)
        if (is_frame(&s)) return s.marker == SOF2;
    return false;
}

/* Every block takes a bit at least, and the component with the most blocks has a quarter of the possible
 * number at least: a header that claims more is found out before memory is asked for. */
static size_t least_size(const segment *frame)
{
    const uint8_t *d = frame->data;
    if (frame->length < 5) return 0;
    return ((size_t)d[1] << 8 | d[2]) * ((size_t)d[3] << 8 | d[4]) / (8 * 8 * 8 * 4);
}

const char *vkp_jpeg_missing(const uint8_t *b, size_t size)
{
    size_t at = 2;
    bool scanned = false;
    segment s;
    while (next_segment(b, size, &at, &s)) {
        if (is_frame(&s) && size < least_size(&s)) return "it is truncated: pixel data is missing";
        if (s.marker == SOS) scanned = true;
        if (s.marker == EOI) return scanned ? NULL : "it holds no picture data";
    }
    return "it is truncated: its end-of-image marker is missing";
}

/* By the frame's header: T.81, B.2.2. */
static const char *unsupported_frame(const segment *s)
{
    if (s->marker > SOF2 && s->marker % 4 == 3) return "it is a lossless JPEG";
    if (s->marker >= SOF9) return "it is a JPEG with arithmetic coding";
    if (s->marker > SOF2) return "it is a hierarchical JPEG";
    if (s->length >= 1 && s->data[0] != 8) return "it is a JPEG with other than 8 bits a sample";
    if (s->length >= 3 && !s->data[1] && !s->data[2]) return "it is a JPEG whose height is not in its header";
    return s->length >= 6 && s->data[5] == 2 ? "it is a JPEG with two colour components" : NULL;
}

const char *vkp_jpeg_unsupported(const uint8_t *b, size_t size)
{
    enum { CMYK = 0, YCCK = 2, UNKNOWN = -1 };
    size_t at = 2;
    segment s;
    int transform = UNKNOWN;
    bool four = false;
    while (next_segment(b, size, &at, &s) && s.marker != EOI) {
        if (s.marker == APP14 && s.length >= 12 && !memcmp(s.data, "Adobe", 6)) transform = s.data[11];
        if (!is_frame(&s)) continue;
        const char *reason = unsupported_frame(&s);
        if (reason) return reason;
        four |= s.length >= 6 && s.data[5] == 4;
    }
    /* Without Adobe's word nobody knows whether the inks are stored inverted. */
    if (four && transform != CMYK && transform != YCCK) return "it is a JPEG with four unknown colours";
    return NULL;
}
