/* The feed: crops by where their pixels come from, the network's own input beside the RGB's luma, and that
 * neither threads nor cache nor a resumed epoch changes anything. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/feed.h"
#include "device_fixture.h"
#include "image/crop.h"
#include "ops/tensor.h"
#include "scratch.h"

enum { COUNT = 11, SIZE = 36, BATCH = 4, PITCH = SIZE, PLANE = SIZE * PITCH };

/* Landscape, portrait, square, smaller than a crop, thin, a single pixel. */
static const int sides[COUNT][2] = {{320, 200}, {200, 320}, {150, 150}, {20, 14},  {1, 1},    {3000, 5},
                                    {5, 1500},  {90, 60},   {37, 36},   {500, 90}, {255, 254}};
static char names[COUNT][16];
static const char *paths[COUNT];

/* Red grows with x and green with y from 0 to 1, by pixel centres; blue is noise of the picture's own. */
static void make_pictures(void)
{
    for (int i = 0; i < COUNT; i++) {
        const int w = sides[i][0], h = sides[i][1];
        snprintf(names[i], sizeof names[i], "%02d.png", i);
        paths[i] = names[i];
        vkp_picture p;
        assert_ok(vkp_picture_make(w, h, &p));
        for (int k = 0; k < w * h; k++) {
            p.rgba[4 * k] = (uint8_t)lround((k % w + .5) * 255 / w);
            p.rgba[4 * k + 1] = (uint8_t)lround((k / w + .5) * 255 / h);
            p.rgba[4 * k + 2] = (uint8_t)(vkp_random_u32(7, VKP_RANDOM_TEST, (uint64_t)k) & 255);
        }
        assert_ok(vkp_picture_write(paths[i], &p, 0));
        vkp_picture_free(&p);
    }
}

static vkp_feed_options options(void)
{
    return (vkp_feed_options){.paths = paths, .count = COUNT, .batch = BATCH, .fit = VKP_FIT_STRETCH,
                              .size = SIZE, .flip = .5, .blur = .5, .view_min = 40, .view_max = 75,
                              .seed = 11, .threads = 2};
}

static vkp_feed *open_feed(const vkp_feed_options *o)
{
    vkp_feed *feed;
    if (vkp_feed_create(test_device, o, &feed) != VKP_OK) fail_msg("%s", vkp_error());
    return feed;
}

/* Four planes of a picture: RGB, and the gray or zeros; `pictures` has room for all that were queued. */
typedef struct picture {
    float plane[4][PLANE];
} picture;

static size_t take(vkp_feed *feed, picture *pictures)
{
    const vkp_buffer *gray = vkp_feed_gray(feed);
    for (size_t got = 0;;) {
        vkp_feed_batch batch;
        assert_ok(vkp_feed_next(feed, &batch));
        assert_int_equal(vkQueueWaitIdle(test_device->queue), VK_SUCCESS);
        for (uint32_t i = 0; i < batch.count; i++, got++) {
            const uint64_t plane = sizeof pictures->plane[0];
            memset(&pictures[got], 0, sizeof *pictures);
            assert_ok(vkp_buffer_read(test_device, vkp_feed_rgb(feed), i * 3 * plane, pictures[got].plane,
                                      3 * plane));
            if (gray)
                assert_ok(vkp_buffer_read(test_device, gray, i * plane, pictures[got].plane[3], plane));
        }
        if (!batch.count) return got;
    }
}

static void queue_all(vkp_feed *feed, uint32_t epoch)
{
    size_t order[COUNT];
    for (size_t i = 0; i < COUNT; i++) order[i] = (i * 4 + epoch) % COUNT;
    assert_ok(vkp_feed_queue(feed, order, COUNT, epoch));
}
static size_t queued_as(size_t i, uint32_t epoch) { return (i * 4 + epoch) % COUNT; }

static picture *all_of(vkp_feed_options o, uint32_t epochs)
{
    picture *pictures = calloc((size_t)epochs * COUNT, sizeof *pictures);
    assert_non_null(pictures);
    vkp_feed *feed = open_feed(&o);
    for (uint32_t e = 0; e < epochs; e++) {
        queue_all(feed, e);
        assert_int_equal(take(feed, pictures + (size_t)e * COUNT), COUNT);
    }
    vkp_feed_destroy(feed);
    return pictures;
}

/* Slope and middle of one direction of a plane, in the picture's sides: by pixels near its ends. */
static void measure(const float *plane, int stride, double *slope, double *middle)
{
    const double first = (double)plane[8 * stride], last = (double)plane[(SIZE - 9) * stride];
    *slope = (last - first) / (SIZE - 17);
    *middle = (last + first) / 2;
}

static void crops_are_squares_of_the_views_asked_for(void **state)
{
    (void)state;
    enum { EPOCHS = 24 };
    picture *pictures = all_of(options(), EPOCHS);
    double shortest = 1e9, longest = 0, flips = 0;
    for (uint32_t k = 0; k < EPOCHS * COUNT; k++) {
        const size_t index = queued_as(k % COUNT, k / COUNT);
        const int w = sides[index][0], h = sides[index][1];
        if (w < 30 || h < 30) continue; /* their ramps are too coarse to be measured */
        const picture *p = &pictures[k];
        double sx, sy, x, y;
        measure(p->plane[0] + SIZE / 2 * PITCH, 1, &sx, &x);
        measure(p->plane[1] + SIZE / 2, PITCH, &sy, &y);
        flips += sx < 0;
        /* A pixel of the crop is as high as wide, and that many make the long side. */
        const double wide = fabs(sx) * w, high = sy * h, longer = w > h ? w : h, least = w < h ? w : h;
        if (!(fabs(wide / high - 1) < .04)) fail_msg("%zu: pixels of %g x %g", index, wide, high);
        const double length = longer / sqrt(wide * high), forced = SIZE * longer / least;
        if (forced > 75) assert_true(fabs(length / forced - 1) < .03);
        else assert_true(length > .97 * fmax(40, forced) && length < 75 * 1.03);
        if (forced < 40) shortest = fmin(shortest, length), longest = fmax(longest, length);
        /* The whole crop lies in the picture. */
        assert_true(x - fabs(sx) * SIZE / 2 > -.01 && x + fabs(sx) * SIZE / 2 < 1.01);
        assert_true(y - sy * SIZE / 2 > -.01 && y + sy * SIZE / 2 < 1.01);
    }
    free(pictures);
    /* 24 draws of two pictures: both ends of the range are met, and both directions. */
    assert_true(shortest < 46 && longest > 68);
    assert_in_range(flips, 24 * 3, 24 * 5);
}

/* Places are spread over the picture: the red at the middle of crops of the wide picture. */
static void crops_come_from_everywhere(void **state)
{
    (void)state;
    vkp_feed_options o = options();
    o.view_min = o.view_max = 300;
    picture *pictures = all_of(o, 40);
    int fifth[5] = {0};
    for (uint32_t k = 0; k < 40 * COUNT; k++) {
        if (queued_as(k % COUNT, k / COUNT) != 0) continue;
        double slope, x;
        measure(pictures[k].plane[0] + SIZE / 2 * PITCH, 1, &slope, &x);
        fifth[(int)fmin(4, x * 5)]++;
    }
    free(pictures);
    for (int i = 0; i < 5; i++) assert_in_range(fifth[i], 2, 16);
}

/* A view of less than half the picture's pixels: each pixel is a mean, not a sample of the noise. */
static void small_views_do_not_alias(void **state)
{
    (void)state;
    for (uint32_t widest = 40; widest <= 320; widest *= 8) { /* reduced when decoded, and for each view */
        vkp_feed_options o = options();
        o.view_min = 40;
        o.view_max = widest;
        picture *pictures = all_of(o, 6);
        for (uint32_t k = 0; k < 6 * COUNT; k++) {
            if (queued_as(k % COUNT, k / COUNT) != 0) continue;
            double slope, x, sum = 0, squares = 0;
            measure(pictures[k].plane[0] + SIZE / 2 * PITCH, 1, &slope, &x);
            const double step = fabs(slope) * 320;
            for (int i = 0; i < PLANE; i++) {
                const double blue = (double)pictures[k].plane[2][i];
                sum += blue;
                squares += blue * blue;
            }
            const double sigma = sqrt(squares / PLANE - sum / PLANE * sum / PLANE);
            /* Uniform noise has sigma .289; a mean of step x step pixels of it .289 / step. */
            if (!(sigma < (step > 2 ? 1.2 / step : 1) * .289)) fail_msg("step %g: sigma %g", step, sigma);
        }
        free(pictures);
    }
}

static double luma(const picture *p, int i)
{
    return .299 * (double)p->plane[0][i] + .587 * (double)p->plane[1][i] + .114 * (double)p->plane[2][i];
}

/* Where nothing happens to it, the input is the RGB's luma, whole pictures and crops alike. */
static void the_gray_belongs_to_the_rgb(void **state)
{
    (void)state;
    for (int whole = 0; whole < 6; whole++) {
        vkp_feed_options o = options();
        if (whole) o.view_min = o.view_max = 0;
        if (whole) o.fit = (vkp_fit)(whole - 1);
        if (o.fit == VKP_FIT_ROTATE) continue; /* of another size */
        o.jitter = 1e-30;
        picture *pictures = all_of(o, 2);
        for (int k = 0; k < 2 * COUNT; k++)
            for (int i = 0; i < PLANE; i++) {
                const double want = 2 * luma(&pictures[k], i) - 1, got = (double)pictures[k].plane[3][i];
                if (!(fabs(got - want) < 1e-5)) fail_msg("picture %d, %d: %g, not %g", k, i, got, want);
            }
        free(pictures);
    }
}

/* One curve for the whole picture: where luma is equal the input is, and it never falls. */
static void jitter_is_one_rising_curve(void **state)
{
    (void)state;
    vkp_feed_options o = options();
    o.jitter = 1;
    picture *pictures = all_of(o, 1);
    int darker = 0, changed = 0;
    for (int k = 0; k < COUNT; k++) {
        const picture *p = &pictures[k];
        double apart = 0;
        for (int i = 1; i < PLANE; i++) {
            const double a = luma(p, i), b = luma(p, i - 1), ga = (double)p->plane[3][i],
                         gb = (double)p->plane[3][i - 1];
            if (a > b + 1e-6) assert_true(ga >= gb);
            if (a < b - 1e-6) assert_true(ga <= gb);
            apart += ga - (2 * a - 1);
        }
        changed += fabs(apart / PLANE) > 1e-3;
        darker += apart < 0;
    }
    free(pictures);
    assert_in_range(changed, COUNT - 2, COUNT);
    assert_in_range(darker, 1, COUNT - 1);
}

static void threads_and_cache_change_nothing(void **state)
{
    (void)state;
    static const struct {
        int threads;
        size_t cache;
    } ways[] = {{4, 0}, {1, 1 << 26}, {3, 1 << 26}, {2, 60000}, {8, 20000}, {1, 1}};
    vkp_feed_options o = options();
    o.jitter = o.degrade = .6;
    for (int whole = 0; whole < 2; whole++) {
        if (whole) o.view_min = o.view_max = 0;
        o.threads = 1;
        o.cache_bytes = 0;
        picture *want = all_of(o, 3);
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            o.threads = ways[i].threads;
            o.cache_bytes = ways[i].cache;
            picture *got = all_of(o, 3);
            assert_memory_equal(got, want, 3 * COUNT * sizeof *got);
            free(got);
        }
        free(want);
    }
}

static void a_resumed_epoch_goes_on_as_it_would_have(void **state)
{
    (void)state;
    vkp_feed_options o = options();
    o.jitter = o.degrade = .6;
    o.cache_bytes = 60000;
    picture *want = all_of(o, 2), got[COUNT];
    for (size_t skip = 0; skip <= COUNT; skip += BATCH) {
        vkp_feed *feed = open_feed(&o);
        queue_all(feed, 1);
        assert_ok(vkp_feed_skip(feed, skip));
        assert_int_equal(take(feed, got), COUNT - skip);
        assert_memory_equal(got, want + COUNT + skip, (COUNT - skip) * sizeof *got);
        vkp_feed_destroy(feed);
    }
    free(want);
}

static void the_cache_keeps_what_fits(void **state)
{
    (void)state;
    static const size_t bounds[] = {0, 1, 5000, 20000, 60000, 1 << 26};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        vkp_feed_options o = options();
        o.cache_bytes = bounds[i];
        picture pictures[COUNT];
        vkp_feed *feed = open_feed(&o);
        for (uint32_t e = 0; e < 4; e++) {
            queue_all(feed, e);
            assert_int_equal(take(feed, pictures), COUNT);
        }
        const vkp_loader_totals totals = vkp_feed_count(feed);
        vkp_feed_destroy(feed);
        assert_true(totals.kept_bytes <= bounds[i]);
        assert_int_equal(totals.loaded, 4 * COUNT);
        if (i < 2) assert_int_equal(totals.decoded, 4 * COUNT);
        else if (i < 5) assert_in_range(totals.decoded, COUNT + 3, 4 * COUNT - 3);
        else assert_int_equal(totals.decoded, COUNT);
        /* 75 pixels are all that a view needs: of the 320 x 200 picture 75 x 47. */
        if (i == 5) assert_true(totals.kept_bytes < 4 * (75 * 47 * 2 + 75 * 75 * 2 + 90 * 60 + 37 * 36 +
                                                         200 * 36 + 21600 + 5 * 1500 + 3000 * 5 + 1000));
    }
}

static void views_out_of_order_are_refused(void **state)
{
    (void)state;
    static const uint32_t views[][2] = {{0, 10}, {10, 0}, {11, 10}};
    for (size_t i = 0; i < 3; i++) {
        vkp_feed_options o = options();
        o.view_min = views[i][0];
        o.view_max = views[i][1];
        vkp_feed *feed;
        assert_int_equal(vkp_feed_create(test_device, &o, &feed), VKP_USAGE);
    }
}

static void without_jitter_and_damage_there_is_no_gray(void **state)
{
    (void)state;
    vkp_feed_options o = options();
    vkp_feed *feed = open_feed(&o);
    assert_null(vkp_feed_gray(feed));
    vkp_feed_destroy(feed);
}

static int begin(void **state)
{
    if (scratch_enter(state) || open_test_device(state)) return -1;
    make_pictures();
    return 0;
}

static int end(void **state) { return close_test_device(state) | scratch_leave(state); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_are_squares_of_the_views_asked_for),
        cmocka_unit_test(crops_come_from_everywhere),
        cmocka_unit_test(small_views_do_not_alias),
        cmocka_unit_test(the_gray_belongs_to_the_rgb),
        cmocka_unit_test(jitter_is_one_rising_curve),
        cmocka_unit_test(threads_and_cache_change_nothing),
        cmocka_unit_test(a_resumed_epoch_goes_on_as_it_would_have),
        cmocka_unit_test(the_cache_keeps_what_fits),
        cmocka_unit_test(views_out_of_order_are_refused),
        cmocka_unit_test(without_jitter_and_damage_there_is_no_gray),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
