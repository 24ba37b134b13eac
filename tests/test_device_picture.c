/* Pictures to the device: the stage against vkp_fit_apply for every way to fit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "device_fixture.h"
#include "image/device_picture.h"
#include "small_picture.h"

#define POISON 0x7fc0deadu /* a NaN */
#define GUARD 64u          /* floats of poison around the tensor and between its pictures */

/* A stage, the tensor that it fills (a slice, poison around it) and the program that does it. */
typedef struct fitting {
    vkp_picture_stage stage;
    vkp_buffer buffer;
    vkp_tensor rgb;
    vkp_program *program;
    vkp_arena arena;
} fitting;

/* The program points into *f, which must stay where it is. */
static void make_fitting(vkp_fit way, int size, uint32_t batch, fitting *f)
{
    int w, h;
    vkp_fit_output(way, size, 1, 1, &w, &h);
    *f = (fitting){.program = NULL};
    assert_ok(vkp_picture_stage_create(test_device, batch, (uint32_t)w, (uint32_t)h, &f->stage));
    f->rgb = vkp_tensor_activation(0, (vkp_shape){batch, 3, (uint32_t)h, (uint32_t)w});
    f->rgb.stride_n += GUARD;
    f->rgb.offset = GUARD;
    const uint64_t bytes = (2 * GUARD + vkp_extent(&f->rgb)) * 4;
    assert_ok(vkp_buffer_create(test_device, bytes, VKP_MEMORY_HOST, "rgb", &f->buffer));
    assert_ok(vkp_program_create(test_device, &f->program));
    assert_ok(vkp_program_external(f->program, &f->buffer, 0, bytes, "rgb", &f->rgb.buffer));
    assert_ok(vkp_picture_stage_record(f->program, &f->stage, &f->rgb));
    assert_ok(vkp_program_build(f->program, &f->arena));
}

static void destroy_fitting(fitting *f)
{
    vkp_program_destroy(f->program);
    vkp_arena_destroy(test_device, &f->arena);
    vkp_picture_stage_destroy(&f->stage);
    vkp_buffer_destroy(test_device, &f->buffer);
}

static void run_fitting(fitting *f)
{
    uint32_t *words = f->buffer.mapped;
    for (uint64_t i = 0; i < f->buffer.bytes / 4; i++) words[i] = POISON;
    assert_ok(vkp_program_run(f->program, 0, 1));
}

/* Marks a picture's floats as seen and compares them with the reference; padding must be 0. */
static void check_slot(const fitting *f, uint32_t slot, const float *want, unsigned char *seen)
{
    const vkp_shape s = f->rgb.shape;
    const float *data = f->buffer.mapped;
    for (uint32_t row = 0; row < 3 * s.h; row++) {
        for (uint32_t x = 0; x < f->rgb.pitch; x++) {
            const uint64_t place = f->rgb.offset + slot * f->rgb.stride_n + row * f->rgb.pitch + x;
            const double value = x < s.w ? (double)want[row * s.w + x] : 0;
            if (!(fabs((double)data[place] - value) <= 1e-6))
                fail_msg("slot %u row %u column %u of %ux%u: %g, not %g", slot, row, x, s.w, s.h,
                         (double)data[place], value);
            seen[place] = 1;
        }
    }
}

/* Fills the slots with random pictures of the sizes given (0: leave it empty), runs and checks them. */
static void check_batch(fitting *f, vkp_fit way, int size, const int (*sizes)[2], bool flip)
{
    const size_t plane = (size_t)f->stage.out_w * f->stage.out_h;
    float *want = calloc(f->stage.batch * 3 * plane, sizeof *want);
    unsigned char *seen = calloc(f->buffer.bytes / 4, 1);
    assert_true(want && seen);
    vkp_picture_stage_clear(&f->stage);
    for (uint32_t i = 0; i < f->stage.batch; i++) {
        if (!sizes[i][0]) continue;
        vkp_picture picture = small_picture_random(sizes[i][0], sizes[i][1], i);
        vkp_fit_plan plan;
        /* Flipped and not in one batch. */
        assert_ok(vkp_fit_make(way, size, picture.width, picture.height, flip == (i % 2 == 0), &plan));
        assert_ok(vkp_picture_stage_add(&f->stage, i, &picture, &plan));
        vkp_fit_apply(&plan, picture.rgba, want + i * 3 * plane);
        vkp_fit_free(&plan);
        vkp_picture_free(&picture);
    }
    run_fitting(f);
    for (uint32_t i = 0; i < f->stage.batch; i++)
        if (sizes[i][0]) check_slot(f, i, want + i * 3 * plane, seen);
    const uint32_t *words = f->buffer.mapped;
    for (uint64_t i = 0; i < f->buffer.bytes / 4; i++)
        if (!seen[i] && words[i] != POISON) fail_msg("float %llu was written", (unsigned long long)i);
    free(want);
    free(seen);
}

static void fits_every_way_as_the_reference(void **state)
{
    (void)state;
    static const int some[][2] = {{7, 5}, {1, 1}, {97, 64}, {20, 33}, {64, 64}};
    static const int others[][2] = {{500, 1}, {0, 0}, {1, 500}, {37, 36}, {200, 301}};
    static const int outputs[] = {1, 16, 37, 50};
    for (int way = 0; way < VKP_FIT_ASPECT; way++) {
        for (size_t k = 0; k < sizeof outputs / sizeof *outputs; k++) {
            fitting f;
            make_fitting((vkp_fit)way, outputs[k], 5, &f);
            check_batch(&f, (vkp_fit)way, outputs[k], some, false);
            check_batch(&f, (vkp_fit)way, outputs[k], others, true);
            destroy_fitting(&f);
        }
    }
}

static void fits_large_pictures(void **state)
{
    (void)state;
    static const int sizes[][2] = {{3000, 2000}, {20000, 3}};
    fitting f;
    make_fitting(VKP_FIT_WRAP, 320, 2, &f);
    check_batch(&f, VKP_FIT_WRAP, 320, sizes, true);
    destroy_fitting(&f);
}

static void fits_batches_larger_than_a_binding(void **state)
{
    (void)state;
    /* Slots of 32x32 take 16 KiB; 128 MiB, the smallest limit, hold 8191 beside the alignment's room. */
    const uint32_t batch = 8200;
    int(*sizes)[2] = calloc(batch, sizeof *sizes);
    assert_non_null(sizes);
    const uint32_t filled[] = {0, 8189, 8190, 8191, 8192, 8199};
    for (size_t i = 0; i < sizeof filled / sizeof *filled; i++)
        sizes[filled[i]][0] = sizes[filled[i]][1] = 40;
    fitting f;
    make_fitting(VKP_FIT_WRAP, 32, batch, &f);
    const size_t dispatches = vkp_program_dispatch_count(f.program);
    assert_true(test_device->info.limits.storage_range > 128 << 20 || dispatches == 2);
    check_batch(&f, VKP_FIT_WRAP, 32, (const int(*)[2])sizes, false);
    destroy_fitting(&f);
    free(sizes);
}

static void refuses_what_does_not_fit_the_stage(void **state)
{
    (void)state;
    vkp_picture_stage stage;
    assert_int_equal(vkp_picture_stage_create(test_device, 1, 60000, 60000, &stage), VKP_SHAPE);
    assert_int_equal(vkp_picture_stage_create(test_device, 1, 0, 16, &stage), VKP_SHAPE);
    assert_ok(vkp_picture_stage_create(test_device, 2, 16, 16, &stage));
    vkp_picture picture = small_picture_random(9, 8, 1);
    vkp_fit_plan plan, larger, other;
    assert_ok(vkp_fit_make(VKP_FIT_WRAP, 16, 9, 8, false, &plan));
    assert_ok(vkp_fit_make(VKP_FIT_WRAP, 32, 9, 8, false, &larger));
    assert_ok(vkp_fit_make(VKP_FIT_WRAP, 16, 8, 9, false, &other));
    assert_ok(vkp_picture_stage_add(&stage, 1, &picture, &plan));
    assert_int_equal(vkp_picture_stage_add(&stage, 2, &picture, &plan), VKP_INTERNAL);
    assert_int_equal(vkp_picture_stage_add(&stage, 0, &picture, &larger), VKP_INTERNAL);
    assert_int_equal(vkp_picture_stage_add(&stage, 0, &picture, &other), VKP_INTERNAL);
    vkp_program *program;
    assert_ok(vkp_program_create(test_device, &program));
    vkp_tensor rgb;
    assert_ok(vkp_tensor_new(program, (vkp_shape){3, 3, 16, 16}, "rgb", &rgb));
    assert_int_equal(vkp_picture_stage_record(program, &stage, &rgb), VKP_SHAPE);
    vkp_program_destroy(program);
    vkp_fit_free(&plan);
    vkp_fit_free(&larger);
    vkp_fit_free(&other);
    vkp_picture_free(&picture);
    vkp_picture_stage_destroy(&stage);
    vkp_picture_stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_every_way_as_the_reference),
        cmocka_unit_test(fits_large_pictures),
        cmocka_unit_test(fits_batches_larger_than_a_binding),
        cmocka_unit_test(refuses_what_does_not_fit_the_stage),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
