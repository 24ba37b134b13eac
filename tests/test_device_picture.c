/* Pictures to the device and back: the stage against vkp_fit_apply for every way to fit, and the joiner
 * against the colour formulas in double precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device_fixture.h"
#include "image/device_picture.h"

#define POISON 0x7fc0deadu /* a NaN */
#define GUARD 64u          /* floats of poison around the tensor and between its pictures */

static vkp_picture random_picture(int w, int h, uint64_t seed)
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

/* -- stage -- */

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
        vkp_picture picture = random_picture(sizes[i][0], sizes[i][1], i);
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
    vkp_picture picture = random_picture(9, 8, 1);
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

/* -- joiner -- */

static float *random_chroma(size_t count, uint64_t seed)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = 2 * vkp_random_float(seed, VKP_RANDOM_TEST, i) - 1;
    return values;
}

static int to_level(double value) { return (int)floor(fmin(fmax(value, 0), 1) * 255 + 0.5); }

/* Colours `from` by the definition; chroma holds Cr and Cb at the picture's own size. */
static void join_pixel(const uint8_t *from, double cr, double cb, int level[4])
{
    const double y = (0.299 * from[0] + 0.587 * from[1] + 0.114 * from[2]) / 255;
    level[0] = to_level(y + 1.402 * cr / 2);
    level[1] = to_level(y - 0.714136 * cr / 2 - 0.344136 * cb / 2);
    level[2] = to_level(y + 1.772 * cb / 2);
    level[3] = from[3];
}

/* At most one level apart, and that at few places: where the exact value lies between two levels. */
static void check_joined(const vkp_picture *original, const vkp_picture *colored, const float *crcb,
                         const vkp_fit_plan *plan, double saturation)
{
    const size_t count = (size_t)original->width * (size_t)original->height;
    float *full = malloc(2 * count * sizeof *full);
    assert_non_null(full);
    vkp_plan_apply_planes(plan, crcb, 2, full);
    size_t apart = 0;
    for (size_t i = 0; i < count; i++) {
        int level[4];
        const double cr = (double)full[i], cb = (double)full[count + i];
        join_pixel(original->rgba + 4 * i, saturation * cr, saturation * cb, level);
        for (size_t c = 0; c < 4; c++) {
            const int got = colored->rgba[4 * i + c], d = abs(level[c] - got);
            if (d > (c < 3)) fail_msg("pixel %zu channel %zu: %d, not %d", i, c, got, level[c]);
            apart += (size_t)d;
        }
    }
    free(full);
    if (apart > 1 + count / 1000) fail_msg("%zu of %zu values are a level off", apart, 3 * count);
}

static void check_join(vkp_joiner *joiner, vkp_fit way, int size, int w, int h, bool flip, float saturation)
{
    vkp_picture original = random_picture(w, h, (uint64_t)w), colored;
    vkp_fit_plan plan;
    assert_ok(vkp_unfit_make(way, size, w, h, flip, &plan));
    float *crcb = random_chroma(2 * (size_t)plan.src_w * (size_t)plan.src_h, (uint64_t)h);
    assert_ok(vkp_joiner_run(joiner, &original, crcb, &plan, saturation, &colored));
    assert_int_equal(colored.width, w);
    assert_int_equal(colored.height, h);
    assert_true(colored.alpha && !colored.gray);
    check_joined(&original, &colored, crcb, &plan, (double)saturation);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_picture_free(&original);
    vkp_picture_free(&colored);
}

static void joins_every_way_in_small_tiles(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 1, 16},  {3, 5, 16},  {8, 8, 16},  {17, 9, 48}, {33, 20, 16},
                                   {20, 33, 7}, {64, 47, 5}, {1, 50, 16}, {50, 1, 32}, {96, 64, 48}};
    vkp_joiner *joiner;
    assert_ok(vkp_joiner_create(test_device, 13, &joiner)); /* tiles of 16 */
    for (int way = 0; way < VKP_FIT_ASPECT; way++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            const int *s = sizes[k];
            check_join(joiner, (vkp_fit)way, s[2], s[0], s[1], k % 2, 0.25f * (float)(k + 1));
        }
    vkp_joiner_destroy(joiner);
}

static void joins_large_pictures(void **state)
{
    (void)state;
    vkp_joiner *joiner;
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    check_join(joiner, VKP_FIT_WRAP, 64, 1, 1, false, 1);
    check_join(joiner, VKP_FIT_WRAP, 320, 3000, 2000, false, 1);
    check_join(joiner, VKP_FIT_ROTATE, 320, 1023, 1031, true, 1.5f);
    vkp_joiner_destroy(joiner);
}

static void gray_without_chroma_stays_as_it_is(void **state)
{
    (void)state;
    vkp_picture original, colored;
    assert_ok(vkp_picture_make(16, 16, &original));
    for (int i = 0; i < 256; i++) memset(original.rgba + 4 * i, i, 3);
    original.gray = true;
    vkp_fit_plan plan;
    assert_ok(vkp_unfit_make(VKP_FIT_STRETCH, 16, 16, 16, false, &plan));
    float *crcb = random_chroma(2 * 16 * 16, 1);
    vkp_joiner *joiner;
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    assert_ok(vkp_joiner_run(joiner, &original, crcb, &plan, 0, &colored));
    assert_memory_equal(original.rgba, colored.rgba, 4 * 256);
    assert_false(colored.alpha);
    vkp_joiner_destroy(joiner);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_picture_free(&original);
    vkp_picture_free(&colored);
}

static void refuses_bad_chroma_and_plans(void **state)
{
    (void)state;
    vkp_picture original = random_picture(20, 10, 1), colored;
    vkp_fit_plan plan, other;
    assert_ok(vkp_unfit_make(VKP_FIT_WRAP, 16, 20, 10, false, &plan));
    assert_ok(vkp_unfit_make(VKP_FIT_WRAP, 16, 10, 20, false, &other));
    float *crcb = random_chroma(2 * 16 * 16, 1);
    vkp_joiner *joiner;
    assert_int_equal(vkp_joiner_create(test_device, 5000, &joiner), VKP_INTERNAL);
    assert_ok(vkp_joiner_create(test_device, 0, &joiner));
    assert_int_equal(vkp_joiner_run(joiner, &original, crcb, &other, 1, &colored), VKP_INTERNAL);
    assert_int_equal(vkp_joiner_run(joiner, &original, crcb, &plan, NAN, &colored), VKP_NOT_FINITE);
    crcb[511] = INFINITY;
    assert_int_equal(vkp_joiner_run(joiner, &original, crcb, &plan, 1, &colored), VKP_NOT_FINITE);
    assert_null(colored.rgba);
    vkp_joiner_destroy(joiner);
    vkp_joiner_destroy(NULL);
    free(crcb);
    vkp_fit_free(&plan);
    vkp_fit_free(&other);
    vkp_picture_free(&original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_every_way_as_the_reference),
        cmocka_unit_test(fits_large_pictures),
        cmocka_unit_test(fits_batches_larger_than_a_binding),
        cmocka_unit_test(refuses_what_does_not_fit_the_stage),
        cmocka_unit_test(joins_every_way_in_small_tiles),
        cmocka_unit_test(joins_large_pictures),
        cmocka_unit_test(gray_without_chroma_stays_as_it_is),
        cmocka_unit_test(refuses_bad_chroma_and_plans),
    };
    return cmocka_run_group_tests(tests, open_test_device, close_test_device);
}
