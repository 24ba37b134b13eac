#include "batch.h"

#include <stdlib.h>

#include "dense.h"
#include "device_fixture.h"
#include "image/picture.h"

batch batch_make(uint32_t n, uint32_t channels, uint32_t h, uint32_t w)
{
    batch b = {.layout = vkp_tensor_activation(0, (vkp_shape){n, channels, h, w})};
    assert_ok(vkp_buffer_create(test_device, vkp_extent(&b.layout) * sizeof(float), VKP_MEMORY_HOST,
                                "pictures", &b.buffer));
    return b;
}

void batch_free(batch *b)
{
    vkp_buffer_destroy(test_device, &b->buffer);
    *b = (batch){0};
}

void batch_load(const batch *b, uint32_t i, const char *path)
{
    vkp_picture picture;
    assert_ok(vkp_picture_read(path, 0, &picture));
    const vkp_tensor place = vkp_tensor_pictures(&b->layout, i, 1);
    assert_int_equal(picture.width, place.shape.w);
    assert_int_equal(picture.height, place.shape.h);
    const size_t plane = (size_t)picture.width * (size_t)picture.height;
    float *planes = malloc(3 * plane * sizeof *planes);
    assert_non_null(planes);
    for (size_t c = 0; c < 3; c++)
        for (size_t k = 0; k < plane; k++) planes[c * plane + k] = (float)picture.rgba[4 * k + c] / 255;
    dense_spread(&place, planes, b->buffer.mapped);
    free(planes);
    vkp_picture_free(&picture);
}
