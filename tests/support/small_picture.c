#include "small_picture.h"

#include <string.h>

#include "base/random.h"
#include "device_fixture.h"

void small_picture_write(const char *path, int w, int h, int seed)
{
    vkp_picture p;
    assert_ok(vkp_picture_make(w, h, &p));
    for (int i = 0; i < w * h; i++) {
        p.rgba[4 * i] = (uint8_t)(60 + i % w * 130 / w);
        p.rgba[4 * i + 1] = (uint8_t)(70 + (i / w * 120 / h + 13 * seed) % 120);
        p.rgba[4 * i + 2] = (uint8_t)(160 - i % w * 90 / w);
    }
    assert_ok(vkp_picture_write(path, &p, 95));
    vkp_picture_free(&p);
}

vkp_picture small_picture_random(int w, int h, uint64_t seed)
{
    vkp_picture picture;
    assert_ok(vkp_picture_make(w, h, &picture));
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++) {
        const uint32_t word = vkp_random_u32(seed, VKP_RANDOM_TEST, i);
        memcpy(picture.rgba + 4 * i, &word, sizeof word);
    }
    picture.alpha = true;
    return picture;
}

vkp_picture small_picture_read(const char *path)
{
    vkp_picture p;
    assert_ok(vkp_picture_read(path, 0, &p));
    return p;
}
