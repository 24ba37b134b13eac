/* Walks the structure of picture files without decoding them. PNG: W3C PNG, 5; BMP: Microsoft's
 * BITMAPINFOHEADER; TGA: Truevision TGA 2.0. JPEG has a file of its own. */
#include "image/format.h"

#include <stdbool.h>
#include <string.h>

#include <zlib.h>

#include "image/jpeg.h"

static uint32_t le16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t le32(const uint8_t *p) { return le16(p) | le16(p + 2) << 16; }
static uint32_t be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t be32(const uint8_t *p) { return be16(p) << 16 | be16(p + 2); }

static bool is_tga(const uint8_t *b, size_t size)
{
    if (size < 18 || b[1] > 1) return false;
    uint8_t type = b[2] & 7, bits = b[16];
    if ((b[2] & ~8) != type || type < 1 || type > 3) return false;
    if (type == 1 && b[1] != 1) return false; /* indices need their colour map */
    if (bits != 8 && bits != 15 && bits != 16 && bits != 24 && bits != 32) return false;
    return le16(b + 12) > 0 && le16(b + 14) > 0;
}

vkp_picture_format vkp_format_of(const uint8_t *b, size_t size)
{
    if (size >= 3 && !memcmp(b, "\xff\xd8\xff", 3)) return VKP_PICTURE_JPEG;
    if (size >= 8 && !memcmp(b, "\x89PNG\r\n\x1a\n", 8)) return VKP_PICTURE_PNG;
    if (size >= 2 && !memcmp(b, "BM", 2)) return VKP_PICTURE_BMP;
    if (size >= 3 && b[0] == 'P' && b[1] >= '1' && b[1] <= '6' && (strchr(" \t\r\n#", b[2]) && b[2]))
        return VKP_PICTURE_PNM;
    return is_tga(b, size) ? VKP_PICTURE_TGA : VKP_PICTURE_NONE;
}

const char *vkp_format_foreign(const uint8_t *b, size_t size)
{
    static const struct {
        size_t at, length;
        const char *magic, *words;
    } known[] = {{0, 4, "GIF8", " but a GIF"},
                 {8, 4, "WEBP", " but a WebP picture"},
                 {0, 4, "II*\0", " but a TIFF or a camera's raw file"},
                 {0, 4, "MM\0*", " but a TIFF or a camera's raw file"},
                 {4, 8, "ftypavif", " but an AVIF picture"},
                 {4, 5, "ftyph", " but a HEIF picture"},
                 {4, 6, "ftypmi", " but a HEIF picture"},
                 {4, 4, "jP  ", " but a JPEG 2000 picture"},
                 {4, 4, "JXL ", " but a JPEG XL picture"},
                 {0, 2, "\xff\x0a", " but a JPEG XL picture"},
                 {0, 4, "8BPS", " but a Photoshop file"},
                 {0, 4, "%PDF", " but a PDF"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const size_t at = known[i].at, length = known[i].length;
        if (size >= at + length && !memcmp(b + at, known[i].magic, length)) return known[i].words;
    }
    return "";
}

/* stb_image knows neither these two bits nor colour maps that begin with another colour than the first. */
static const char *tga_unsupported(const uint8_t *b)
{
    enum { FROM_RIGHT = 0x10, INTERLEAVED = 0xc0 };
    if (b[17] & FROM_RIGHT) return "it is a TGA with rows from right to left";
    if (b[17] & INTERLEAVED) return "it is a TGA with interleaved rows";
    return b[1] && le16(b + 3) ? "it is a TGA with a part of a colour map" : NULL;
}

const char *vkp_format_unsupported(vkp_picture_format format, const uint8_t *bytes, size_t size)
{
    if (format == VKP_PICTURE_JPEG) return vkp_jpeg_unsupported(bytes, size);
    return format == VKP_PICTURE_TGA ? tga_unsupported(bytes) : NULL;
}

void vkp_format_png_size(const uint8_t *b, size_t size, int *width, int *height)
{
    *width = *height = 0;
    if (size < 24 || memcmp(b + 12, "IHDR", 4) != 0) return;
    uint32_t w = be32(b + 16), h = be32(b + 20);
    if (w > 1 << 24 || h > 1 << 24) return;
    *width = (int)w;
    *height = (int)h;
}

/* The first chunk of this type, from its length on; NULL when there is none that is whole. */
static const uint8_t *find_chunk(const uint8_t *b, size_t size, const char *type)
{
    for (size_t at = 8; size - at >= 12;) {
        size_t length = be32(b + at);
        if (length > size - at - 12) break;
        if (!memcmp(b + at + 4, type, 4)) return b + at;
        if (!memcmp(b + at + 4, "IEND", 4)) break;
        at += length + 12;
    }
    return NULL;
}

const uint8_t *vkp_format_png_chunk(const uint8_t *b, size_t size, const char *type, size_t *length,
                                    bool *found)
{
    const uint8_t *chunk = find_chunk(b, size, type);
    *found = chunk;
    *length = chunk ? be32(chunk) : 0;
    if (!chunk || crc32(0, chunk + 4, (uInt)*length + 4) != be32(chunk + 8 + *length)) return NULL;
    return chunk + 8;
}

bool vkp_format_is_animated(const uint8_t *b, size_t size) { return find_chunk(b, size, "acTL"); }

bool vkp_format_png_is_deep(const uint8_t *b, size_t size) { return size > 24 && b[24] == 16; }

static const char pixels_missing[] = "it is truncated: pixel data is missing";

/* Bits of a pixel by IHDR. */
static uint64_t png_pixel_bits(const uint8_t *b)
{
    const uint8_t channels[] = {1, 1, 3, 1, 2, 1, 4};
    return (uint64_t)b[24] * (b[25] < sizeof channels ? channels[b[25]] : 1);
}

/* Deflate makes at most 1032 bytes of one: a header that claims more is found out before memory is asked
 * for. */
static const char *png_missing(const uint8_t *b, size_t size)
{
    int width, height;
    uint64_t packed = 0;
    vkp_format_png_size(b, size, &width, &height);
    for (size_t at = 8; size - at >= 12;) {
        const uint8_t *chunk = b + at, *type = chunk + 4;
        const size_t length = be32(chunk);
        if (length > size - at - 12) break;
        at += length + 12;
        if (!memcmp(type, "IDAT", 4)) packed += length;
        if (memcmp(type, "IEND", 4) != 0) continue;
        const uint64_t pixels = (uint64_t)width * (uint64_t)height;
        return pixels && pixels * png_pixel_bits(b) / 8 > packed * 1032 ? pixels_missing : NULL;
    }
    return "it is truncated: its IEND chunk is missing";
}

static const char *bmp_missing(const uint8_t *b, size_t size)
{
    if (size < 26) return "it is truncated: its header is missing";
    bool old = le32(b + 14) == 12;
    if (!old && size < 34) return "it is truncated: its header is missing";
    uint64_t w = old ? le16(b + 18) : le32(b + 18), h = old ? le16(b + 20) : le32(b + 22);
    uint64_t bits = le16(b + (old ? 24 : 28));
    if (h > INT32_MAX) h = (uint64_t)UINT32_MAX + 1 - h; /* negative: rows from top to bottom */
    uint32_t compression = old ? 0 : le32(b + 30);
    /* Run-length coded and absurd ones are the decoder's to refuse. */
    if (compression == 1 || compression == 2 || w > 1 << 24 || h > 1 << 24 || h == 0 || bits > 32)
        return NULL;
    uint64_t stride = (w * bits + 31) / 32 * 4;
    uint64_t need = le32(b + 10) + stride * (h - 1) + (w * bits + 7) / 8;
    return need > size ? pixels_missing : NULL;
}

static const char *tga_missing(const uint8_t *b, size_t size)
{
    uint64_t pixels = (uint64_t)le16(b + 12) * le16(b + 14), bytes = (b[16] + 7u) / 8;
    uint64_t at = 18u + b[0];
    if (b[1]) at += le16(b + 5) * ((b[7] + 7u) / 8);
    if (!(b[2] & 8)) return at + pixels * bytes > size ? pixels_missing : NULL;
    for (uint64_t done = 0; done < pixels;) {
        if (at >= size) return pixels_missing;
        uint64_t run = (b[at] & 0x7fu) + 1u;
        at += 1 + (b[at] & 0x80 ? bytes : run * bytes);
        done += run;
    }
    return at > size ? pixels_missing : NULL;
}

const char *vkp_format_png_problem(const uint8_t *b, size_t size)
{
    /* Without these a picture's pixels are the same. */
    static const char beside[] = "acTL bKGD cHRM eXIf fcTL fdAT gAMA hIST iCCP iTXt oFFs pCAL pHYs sBIT sCAL "
                                 "sPLT sRGB sTER tEXt tIME zTXt ";
    enum { LOWER_CASE = 0x20 };
    for (size_t at = 8; size - at >= 12;) {
        const uint8_t *chunk = b + at;
        const size_t length = be32(chunk);
        if (length > size - at - 12 || !memcmp(chunk + 4, "IEND", 4)) break;
        at += length + 12;
        if (!(chunk[4] & LOWER_CASE)) continue;
        bool matters = true;
        for (const char *known = beside; *known; known += 5) matters &= memcmp(chunk + 4, known, 4) != 0;
        if (matters && crc32(0, chunk + 4, (uInt)length + 4) != be32(chunk + 8 + length))
            return "the checksum of a chunk is wrong";
    }
    return NULL;
}

const char *vkp_format_missing(vkp_picture_format format, const uint8_t *bytes, size_t size)
{
    switch (format) {
    case VKP_PICTURE_JPEG: return vkp_jpeg_missing(bytes, size);
    case VKP_PICTURE_PNG: return png_missing(bytes, size);
    case VKP_PICTURE_BMP: return bmp_missing(bytes, size);
    case VKP_PICTURE_TGA: return tga_missing(bytes, size);
    default: return NULL;
    }
}
