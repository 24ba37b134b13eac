#include "small_model.h"

#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"
#include "nn/networks.h"

void small_model_make(vkp_params *generator)
{
    *generator = (vkp_params){0};
    assert_ok(vkp_generator_declare(generator, VKP_CONFIG_UNET));
    assert_ok(vkp_params_allocate(generator, test_device, false));
    assert_ok(vkp_params_initialize(generator, 11, 0));
    for (uint32_t i = 0; i < generator->count; i++) {
        const vkp_param *p = &generator->list[i];
        if (strcmp(p->name, "dec4.0.weight") != 0) continue;
        const uint64_t count = vkp_shape_count(p->shape);
        float *values = malloc(count * sizeof *values);
        assert_non_null(values);
        assert_ok(vkp_buffer_read(test_device, &generator->values, p->offset * 4, values, count * 4));
        for (uint64_t k = 0; k < count; k++) values[k] *= 6;
        assert_ok(vkp_buffer_write(test_device, &generator->values, p->offset * 4, values, count * 4));
        free(values);
        return;
    }
    fail_msg("no last layer");
}

void small_model_write(const char *path)
{
    vkp_params generator;
    small_model_make(&generator);
    assert_ok(vkp_params_save(&generator, path));
    vkp_params_free(&generator);
}
