/* Pictures: read, turned upright, and squared. PNG's checksums, which random bytes never meet, are put
 * right in a second try. */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fuzz.h"
#include "image/crop.h"
#include "image/fit.h"
#include "image/picture.h"

enum { MAX_PIXELS = 1 << 18, SIDE = 32 };

static void square(const vkp_picture *p, int way, bool flip)
{
    vkp_fit_plan there, back;
    vkp_picture reduced;
    fuzz_check(vkp_fit_make((vkp_fit)way, SIDE, p->width, p->height, flip, &there) == VKP_OK);
    const size_t count = (size_t)there.out_w * (size_t)there.out_h;
    float *planes = malloc(3 * count * sizeof *planes);
    fuzz_check(planes && count >= 1);
    vkp_fit_apply(&there, p->rgba, planes);
    for (size_t i = 0; i < 3 * count; i++) fuzz_check(planes[i] >= 0 && planes[i] <= 1);
    fuzz_check(vkp_unfit_make((vkp_fit)way, SIDE, p->width, p->height, flip, &back) == VKP_OK);
    fuzz_check(back.out_w == p->width && back.out_h == p->height);
    vkp_fit_free(&there);
    vkp_fit_free(&back);
    free(planes);
    fuzz_check(vkp_crop_reduce(p, SIDE, &reduced) == VKP_OK);
    vkp_picture_free(&reduced);
}

static void look(const uint8_t *data, size_t size)
{
    vkp_picture p;
    int w, h;
    size_t peak, exif_size;
    uint8_t *exif;
    const vkp_status info = vkp_picture_info_decode(data, size, "fuzz", &w, &h);
    if (info != VKP_OK) fuzz_check_error(info);
    const vkp_status status = vkp_picture_decode(data, size, "fuzz", MAX_PIXELS, &p);
    if (status != VKP_OK) {
        fuzz_check_error(status);
        fuzz_check(!p.rgba && !p.deep && !p.kept.exif && !p.kept.icc);
        return;
    }
    fuzz_check(info == VKP_OK && w == p.width && h == p.height && (uint64_t)w * (uint64_t)h <= MAX_PIXELS);
    fuzz_check(vkp_picture_peak(data, size, "fuzz", MAX_PIXELS, &peak) == VKP_OK);
    fuzz_check(peak + p.kept.exif_size + p.kept.icc_size >= vkp_picture_bytes(&p));
    square(&p, (int)(size % VKP_FIT_COUNT), size / VKP_FIT_COUNT % 2);
    vkp_kept_exif(&p.kept, p.width, p.height, &exif, &exif_size);
    free(exif);
    vkp_picture_free(&p);
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Makes every whole chunk's checksum right. */
static void repair(uint8_t *png, size_t size)
{
    for (size_t at = 8; size - at >= 12;) {
        const uint8_t *b = png + at;
        const size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (length > size - at - 12) return;
        put_be32(png + at + 8 + length, (uint32_t)crc32(0, b + 4, (uInt)length + 4));
        at += length + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look(data, size);
    if (size < 8 || memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0) return 0;
    uint8_t *png = malloc(size);
    fuzz_check(png != NULL);
    memcpy(png, data, size);
    repair(png, size);
    if (memcmp(png, data, size) != 0) look(png, size);
    free(png);
    return 0;
}
