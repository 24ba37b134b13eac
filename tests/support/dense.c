#include "dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device_fixture.h"

vkp_safetensors *dense_open(const char *path)
{
    vkp_safetensors *file;
    assert_ok(vkp_safetensors_read(path, &file));
    return file;
}

float *dense_from_file(const vkp_safetensors *file, const char *name, uint64_t count)
{
    const vkp_safetensor *t = vkp_safetensors_find(file, name);
    if (!t) fail_msg("the file has no tensor %s", name);
    if (t->dtype != VKP_SAFETENSORS_F32 || t->bytes != count * sizeof(float))
        fail_msg("%s has %zu bytes, not %llu floats", name, t->bytes, (unsigned long long)count);
    float *values = malloc(t->bytes);
    assert_non_null(values);
    memcpy(values, t->data, t->bytes);
    return values;
}

static uint64_t row_at(const vkp_tensor *t, uint64_t row)
{
    const vkp_shape s = t->shape;
    return row / s.h / s.c * t->stride_n + row / s.h % s.c * vkp_plane(t) + row % s.h * t->pitch;
}

static uint64_t row_count(const vkp_tensor *t) { return (uint64_t)t->shape.n * t->shape.c * t->shape.h; }

float *dense_read(vkp_program *program, const vkp_tensor *t)
{
    const uint64_t bytes = vkp_extent(t) * sizeof(float);
    float *padded = malloc(bytes), *dense = malloc(vkp_shape_count(t->shape) * sizeof *dense);
    assert_true(padded && dense);
    assert_ok(vkp_program_read(program, t->buffer, t->offset * sizeof(float), padded, bytes));
    for (uint64_t row = 0; row < row_count(t); row++)
        memcpy(dense + row * t->shape.w, padded + row_at(t, row), t->shape.w * sizeof *dense);
    free(padded);
    return dense;
}

void dense_spread(const vkp_tensor *t, const float *dense, float *memory)
{
    for (uint64_t row = 0; row < row_count(t); row++) {
        float *to = memory + t->offset + row_at(t, row);
        memset(to, 0, t->pitch * sizeof *to);
        memcpy(to, dense + row * t->shape.w, t->shape.w * sizeof *to);
    }
}

dense_error dense_compare(const float *got, const float *want, uint64_t count, double least)
{
    double error = 0, power = 0, worst = 0;
    for (uint64_t i = 0; i < count; i++) {
        const double off = (double)got[i] - (double)want[i];
        error += off * off;
        power += (double)want[i] * (double)want[i];
        if (!(fabs(off) <= worst)) worst = fabs(off);
    }
    if (!isfinite(error)) return (dense_error){NAN, NAN};
    double scale = fmax(sqrt(power / (double)count), least);
    if (scale == 0) scale = 1;
    return (dense_error){sqrt(error / (double)count) / scale, worst / scale};
}
