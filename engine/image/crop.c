#include "image/crop.h"

#include <math.h>
#include <stb_image_resize.h>

#include "base/random.h"

static int longer(int w, int h) { return w > h ? w : h; }
static int shorter(int w, int h) { return w < h ? w : h; }

double vkp_crop_length(int w, int h, int size, double length)
{
    const double least = (double)size * longer(w, h) / shorter(w, h);
    return length > least ? length : least;
}

/* A corner in 0 .. side - window; rounding may make the window larger than the side by a little. */
static double place(int side, double window, float u)
{
    return side > window ? (side - window) * (double)u : 0;
}

vkp_crop vkp_crop_draw(int w, int h, int size, uint32_t view_min, uint32_t view_max, uint64_t seed,
                       uint64_t stream, uint64_t index)
{
    const double span = log((double)view_max / view_min);
    const double view = view_min * exp(span * (double)vkp_random_float(seed, stream, 4 * index));
    vkp_crop crop = {.length = vkp_crop_length(w, h, size, view)};
    crop.step = longer(w, h) / crop.length;
    crop.x = place(w, size * crop.step, vkp_random_float(seed, stream, 4 * index + 1));
    crop.y = place(h, size * crop.step, vkp_random_float(seed, stream, 4 * index + 2));
    return crop;
}

vkp_status vkp_crop_reduce(const vkp_picture *picture, double length, vkp_picture *reduced)
{
    *reduced = (vkp_picture){.rgba = NULL};
    const double factor = length / longer(picture->width, picture->height);
    if (!(factor < 1)) return VKP_OK;
    const int w = (int)fmax(1, round(picture->width * factor));
    const int h = (int)fmax(1, round(picture->height * factor));
    VKP_TRY(vkp_picture_make(w, h, reduced));
    reduced->gray = picture->gray;
    reduced->alpha = picture->alpha;
    if (stbir_resize_uint8_generic(picture->rgba, picture->width, picture->height, 0, reduced->rgba, w, h, 0,
                                   4, STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP, STBIR_FILTER_BOX,
                                   STBIR_COLORSPACE_LINEAR, NULL))
        return VKP_OK;
    vkp_picture_free(reduced);
    return vkp_fail(VKP_MEMORY, "no memory to reduce a picture of %dx%d (host memory ran out; close other "
                    "programs)", picture->width, picture->height);
}
