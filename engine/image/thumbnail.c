#include "image/thumbnail.h"

/* Of `length` pixels made `small`, those that small pixel i touches: from *begin up to *end. */
static void touched(int i, int length, int small, int *begin, int *end)
{
    *begin = (int)((int64_t)i * length / small);
    *end = (int)(((int64_t)(i + 1) * length + small - 1) / small);
}

static void average(const vkp_picture *picture, int x0, int x1, int y0, int y1, uint8_t *pixel)
{
    uint64_t sums[4] = {0};
    const uint64_t count = (uint64_t)(x1 - x0) * (uint64_t)(y1 - y0);
    for (int y = y0; y < y1; y++) {
        const uint8_t *p = picture->rgba + ((size_t)y * (size_t)picture->width + (size_t)x0) * 4;
        for (int x = x0; x < x1; x++, p += 4)
            for (int c = 0; c < 4; c++) sums[c] += p[c];
    }
    for (int c = 0; c < 4; c++) pixel[c] = (uint8_t)((sums[c] + count / 2) / count);
}

/* `other` as much smaller as `longer` is when it becomes `side`. */
static int in_proportion(int other, int longer, int side)
{
    const int64_t rounded = ((int64_t)other * side + longer / 2) / longer;
    return rounded < 1 ? 1 : (int)rounded;
}

vkp_status vkp_thumbnail(const vkp_picture *picture, int side, vkp_picture *small)
{
    *small = (vkp_picture){0};
    if (side < 1)
        return vkp_fail(VKP_SHAPE, "cannot make a picture of %d pixels (nothing in it; sides are at least 1)",
                        side);
    const int w = picture->width, h = picture->height, longer = w > h ? w : h;
    if (side > longer) side = longer;
    VKP_TRY(vkp_picture_make(in_proportion(w, longer, side), in_proportion(h, longer, side), small));
    small->gray = picture->gray;
    small->alpha = picture->alpha;
    uint8_t *pixel = small->rgba;
    for (int y = 0; y < small->height; y++) {
        int y0, y1, x0, x1;
        touched(y, h, small->height, &y0, &y1);
        for (int x = 0; x < small->width; x++, pixel += 4) {
            touched(x, w, small->width, &x0, &x1);
            average(picture, x0, x1, y0, y1, pixel);
        }
    }
    return VKP_OK;
}
