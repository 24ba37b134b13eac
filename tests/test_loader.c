/* The loader: order, bounds, bad pictures, stopping at any time. Built with -DVKPIX_SANITIZE=thread it also
 * shows that the threads do not race. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/random.h"
#include "blob.h"
#include "data/loader.h"
#include "scratch.h"

enum { COUNT = 23 };

static char names[COUNT][16];
static const char *paths[COUNT];

/* Picture i has i+3 columns, 5 rows and i in its first byte; bad ones are texts. */
static void make_files(bool (*is_bad)(int))
{
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%02d.png", i);
        paths[i] = names[i];
        vkp_picture p;
        assert_int_equal(vkp_picture_make(i + 3, 5, &p), VKP_OK);
        p.rgba[0] = (uint8_t)i;
        if (is_bad(i)) assert_int_equal(vkp_file_write(paths[i], "no picture", 10), VKP_OK);
        else assert_int_equal(vkp_picture_write(paths[i], &p, 0), VKP_OK);
        vkp_picture_free(&p);
    }
}

static bool none(int i) { return i < 0; }
static bool some(int i) { return i % 7 == 2; }
static bool all(int i) { return i >= 0; }

static vkp_loader *start(int threads, size_t ahead, size_t max_bytes)
{
    vkp_loader *l;
    vkp_loader_options options = {.threads = threads, .ahead = ahead, .max_bytes = max_bytes};
    if (vkp_loader_make(paths, COUNT, &options, &l) != VKP_OK) fail_msg("%s", vkp_error());
    return l;
}

static void shuffled(size_t *order, uint64_t epoch)
{
    for (size_t i = 0; i < COUNT; i++) order[i] = i;
    vkp_random_shuffle(order, COUNT, 5, epoch);
}

static void check_picture(const vkp_loader_item *item)
{
    assert_false(item->end);
    assert_int_equal(item->status, VKP_OK);
    assert_int_equal(item->picture.width, item->index + 3);
    assert_int_equal(item->picture.rgba[0], item->index);
    assert_string_equal(item->error, "");
}

static void order_is_kept_by_any_number_of_threads(void **state)
{
    (void)state;
    static const size_t cases[][3] = {{1, 1, 0},  {1, 4, 100}, {3, 2, 0},  {4, 9, 200},
                                      {8, 64, 1}, {5, 1, 0},   {2, 3, 400}};
    make_files(none);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        vkp_loader *l = start((int)cases[k][0], cases[k][1], cases[k][2]);
        vkp_loader_item item;
        size_t order[COUNT], next[COUNT];
        shuffled(order, 0);
        assert_int_equal(vkp_loader_queue(l, order, COUNT), VKP_OK);
        for (uint64_t epoch = 1; epoch < 4; epoch++) {
            for (size_t i = 0; i < COUNT; i++) {
                /* The next epoch is queued in the midst of this one. */
                if (i == COUNT / 2) {
                    shuffled(next, epoch);
                    assert_int_equal(vkp_loader_queue(l, next, COUNT), VKP_OK);
                }
                assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
                assert_int_equal(item.index, order[i]);
                check_picture(&item);
                vkp_loader_item_free(&item);
            }
            memcpy(order, next, sizeof order);
        }
        assert_int_equal(vkp_loader_count(l).loaded, 3 * COUNT);
        assert_int_equal(vkp_loader_count(l).bad, 0);
        assert_true(vkp_loader_count(l).wait_seconds >= 0);
        /* The largest picture and its file may come on top, when it is the next one; slots bound the rest. */
        size_t pixels = (COUNT + 2) * 5 * 4, largest = pixels + 100, peak = vkp_loader_count(l).peak_bytes;
        if (cases[k][2]) assert_true(peak <= cases[k][2] + largest);
        assert_in_range(peak, pixels + 50, cases[k][1] * largest);
        vkp_loader_free(l); /* with an epoch begun and not taken */
    }
}

static void bad_pictures_are_reported_once(void **state)
{
    (void)state;
    make_files(some);
    for (int threads = 1; threads < 5; threads++) {
        vkp_loader *l = start(threads, 6, 0);
        size_t order[COUNT], reports[COUNT] = {0}, pictures[COUNT] = {0}, place = 0;
        vkp_loader_item item;
        for (size_t i = 0; i < COUNT; i++) order[i] = i;
        for (int epoch = 0; epoch < 3; epoch++) assert_int_equal(vkp_loader_queue(l, order, COUNT), VKP_OK);
        for (;;) {
            assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
            if (item.end) break;
            while (place % COUNT != item.index) assert_true(some((int)(place++ % COUNT))); /* left out: bad */
            place++;
            if (item.status == VKP_OK) {
                check_picture(&item);
                pictures[item.index]++;
            } else {
                assert_int_equal(item.status, VKP_INPUT);
                assert_non_null(strstr(item.error, names[item.index]));
                assert_null(item.picture.rgba);
                assert_true(place <= COUNT); /* at its first place */
                reports[item.index]++;
            }
            vkp_loader_item_free(&item);
        }
        size_t bad = 0;
        for (int i = 0; i < COUNT; i++) {
            bad += some(i);
            assert_int_equal(reports[i], some(i));
            assert_int_equal(pictures[i], some(i) ? 0 : 3);
        }
        assert_int_equal(vkp_loader_count(l).bad, bad);
        assert_int_equal(vkp_loader_count(l).loaded, 3 * (COUNT - bad));
        vkp_loader_free(l);
    }
}

static void only_bad_pictures_are_an_error(void **state)
{
    (void)state;
    make_files(all);
    vkp_loader *l = start(2, 4, 0);
    vkp_loader_item item;
    assert_int_equal(vkp_loader_next(l, &item), VKP_OK); /* nothing queued, nothing wrong */
    assert_true(item.end);
    size_t order[COUNT];
    shuffled(order, 1);
    assert_int_equal(vkp_loader_queue(l, order, COUNT), VKP_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
        assert_int_equal(item.status, VKP_INPUT);
    }
    assert_int_equal(vkp_loader_next(l, &item), VKP_INPUT);
    assert_true(item.end);
    assert_non_null(strstr(vkp_error(), "none of the 23 pictures"));
    vkp_loader_free(l);
}

static void missing_and_too_large_pictures_are_bad(void **state)
{
    (void)state;
    make_files(none);
    const char *const two[] = {"missing.png", "20.png", "03.png"};
    vkp_loader_options options = {.threads = 2, .ahead = 2, .max_pixels = 50};
    vkp_loader *l;
    vkp_loader_item item;
    assert_int_equal(vkp_loader_make(two, 3, &options, &l), VKP_OK);
    assert_int_equal(vkp_loader_queue(l, (size_t[]){0, 1, 2}, 3), VKP_OK);
    assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
    assert_int_equal(item.status, VKP_IO);
    assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
    assert_int_equal(item.status, VKP_INPUT);
    assert_non_null(strstr(item.error, "23x5 pixels are more than the limit"));
    assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
    assert_int_equal(item.status, VKP_OK);
    vkp_loader_item_free(&item);
    vkp_loader_free(l);
}

/* 16-bit pictures hold twice as much, and their decoding twice that. */
static void all_that_is_held_is_counted(void **state)
{
    (void)state;
    enum { W = 8, H = 8, BYTES = W * H * 8 };
    const uint8_t samples[W * H * 8] = {0};
    blob png = blob_png(W, H, 4, 16, samples);
    blob_write(&png, "deep0.png");
    blob_write(&png, "deep1.png");
    const char *const two[] = {"deep0.png", "deep1.png"};
    const vkp_loader_options options = {
        .threads = 1, .ahead = 2, .max_bytes = 1, .cache_bytes = 2 * BYTES - 1};
    vkp_loader *l;
    vkp_loader_item item;
    assert_int_equal(vkp_loader_make(two, 2, &options, &l), VKP_OK);
    assert_int_equal(vkp_loader_queue(l, (size_t[]){0, 1}, 2), VKP_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
        assert_int_equal(item.status, VKP_OK);
        assert_int_equal(item.kept, i == 0);
        vkp_loader_item_free(&item);
    }
    /* With a bound of one byte nothing is held but for the picture that is asked for. */
    assert_int_equal(vkp_loader_count(l).peak_bytes, png.size + 2 * BYTES);
    assert_int_equal(vkp_loader_count(l).kept_bytes, BYTES);
    vkp_loader_free(l);
    blob_free(&png);
}

static void it_stops_at_any_time(void **state)
{
    (void)state;
    make_files(some);
    size_t order[COUNT];
    shuffled(order, 2);
    for (int k = 0; k < 60; k++) {
        vkp_loader *l = start(1 + k % 4, 1 + (size_t)k % 7, k % 3 ? 0 : 150);
        vkp_loader_item item;
        if (k % 10) assert_int_equal(vkp_loader_queue(l, order, COUNT), VKP_OK);
        for (int i = 0; k % 10 && i < k % 15; i++) {
            assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
            vkp_loader_item_free(&item);
        }
        vkp_loader_free(l);
    }
    vkp_loader_free(NULL);
}

static void wrong_options_and_indices_are_refused(void **state)
{
    (void)state;
    static const vkp_loader_options bad[] = {{.threads = 0, .ahead = 1}, {.threads = 257, .ahead = 1},
                                             {.threads = 1, .ahead = 0}, {.threads = -1, .ahead = 1},
                                             {.threads = 1, .ahead = SIZE_MAX}};
    vkp_loader *l;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(vkp_loader_make(paths, COUNT, &bad[i], &l), VKP_USAGE);
        assert_null(l);
    }
    l = start(1, 1, 0);
    assert_int_equal(vkp_loader_queue(l, (size_t[]){0, COUNT}, 2), VKP_INTERNAL);
    vkp_loader_item item;
    assert_int_equal(vkp_loader_next(l, &item), VKP_OK);
    assert_true(item.end);
    vkp_loader_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept_by_any_number_of_threads),
        cmocka_unit_test(bad_pictures_are_reported_once),
        cmocka_unit_test(only_bad_pictures_are_an_error),
        cmocka_unit_test(missing_and_too_large_pictures_are_bad),
        cmocka_unit_test(all_that_is_held_is_counted),
        cmocka_unit_test(it_stops_at_any_time),
        cmocka_unit_test(wrong_options_and_indices_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
