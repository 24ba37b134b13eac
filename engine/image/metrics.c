/* Sums are exact integers where the metric allows it, and double precision elsewhere. */
#include "image/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define WINDOW 11 /* SSIM's, at most */
#define SIGMA 1.5
#define MAPS 4 /* SSIM's filtered planes: a, b, a² + b², ab */

static vkp_status check(int width, int height)
{
    if (width > 0 && height > 0) return VKP_OK;
    return vkp_fail(VKP_SHAPE, "cannot compare pictures of %d x %d (nothing in them; sides are at least 1)",
                    width, height);
}

static size_t pixels(int width, int height) { return (size_t)width * (size_t)height; }

static double decibels(double mean_square) { return 10 * log10(255. * 255. / mean_square); }

vkp_status vkp_metric_psnr(const uint8_t *a, const uint8_t *b, int width, int height, double *out)
{
    VKP_TRY(check(width, height));
    uint64_t sum = 0;
    size_t n = pixels(width, height);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 4 * i; c < 4 * i + 3; c++) sum += (uint64_t)((a[c] - b[c]) * (a[c] - b[c]));
    }
    *out = decibels((double)sum / (3. * (double)n));
    return VKP_OK;
}

vkp_status vkp_metric_l1_rgb(const uint8_t *a, const uint8_t *b, int width, int height, double *out)
{
    VKP_TRY(check(width, height));
    uint64_t sum = 0;
    size_t n = pixels(width, height);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 4 * i; c < 4 * i + 3; c++) sum += (uint64_t)abs(a[c] - b[c]);
    }
    *out = (double)sum / (3. * 255. * (double)n);
    return VKP_OK;
}

/* Chroma is linear: its difference is the chroma of the difference. Levels, in 0..255 for planes in -1..1. */
static void chroma_difference(const uint8_t *a, const uint8_t *b, double *cr, double *cb)
{
    double red = a[0] - b[0], green = a[1] - b[1], blue = a[2] - b[2];
    *cr = .5 * red - .418688 * green - .081312 * blue;
    *cb = -.168736 * red - .331264 * green + .5 * blue;
}

vkp_status vkp_metric_psnr_crcb(const uint8_t *a, const uint8_t *b, int width, int height, double *out)
{
    VKP_TRY(check(width, height));
    double sum = 0, cr, cb;
    size_t n = pixels(width, height);
    for (size_t i = 0; i < n; i++) {
        chroma_difference(a + 4 * i, b + 4 * i, &cr, &cb);
        sum += cr * cr + cb * cb;
    }
    *out = decibels(sum / (2. * (double)n));
    return VKP_OK;
}

vkp_status vkp_metric_l1_crcb(const uint8_t *a, const uint8_t *b, int width, int height, double *out)
{
    VKP_TRY(check(width, height));
    double sum = 0, cr, cb;
    size_t n = pixels(width, height);
    for (size_t i = 0; i < n; i++) {
        chroma_difference(a + 4 * i, b + 4 * i, &cr, &cb);
        sum += fabs(cr) + fabs(cb);
    }
    *out = sum / (2. * 127.5 * (double)n);
    return VKP_OK;
}

/* Chroma in levels, -127.5..127.5 rounded to whole ones (halves up), from -128 on. Halves are common (G = B),
 * so the coefficients are whole millionths here and nothing is left to rounding errors. */
enum { CHROMA_LEVELS = 257, MILLION = 1000000 };

static void count_chroma(const uint8_t *picture, size_t n, uint64_t cr[CHROMA_LEVELS],
                         uint64_t cb[CHROMA_LEVELS])
{
    const int shift = 128 * MILLION + MILLION / 2;
    for (size_t i = 0; i < n; i++) {
        const int r = picture[4 * i], g = picture[4 * i + 1], b = picture[4 * i + 2];
        cr[(500000 * r - 418688 * g - 81312 * b + shift) / MILLION]++;
        cb[(500000 * b - 331264 * g - 168736 * r + shift) / MILLION]++;
    }
}

/* The sum over the levels of |difference of the cumulated histograms|: what crosses each border of levels. */
static uint64_t mass_moved(const uint64_t a[CHROMA_LEVELS], const uint64_t b[CHROMA_LEVELS])
{
    int64_t difference = 0;
    uint64_t moved = 0;
    for (int i = 0; i < CHROMA_LEVELS; i++) {
        difference += (int64_t)a[i] - (int64_t)b[i];
        moved += (uint64_t)(difference < 0 ? -difference : difference);
    }
    return moved;
}

vkp_status vkp_metric_emd_crcb(const uint8_t *a, const uint8_t *b, int width, int height, double *out)
{
    VKP_TRY(check(width, height));
    uint64_t counts[2][2][CHROMA_LEVELS] = {{{0}}}; /* by picture and axis */
    size_t n = pixels(width, height);
    count_chroma(a, n, counts[0][0], counts[0][1]);
    count_chroma(b, n, counts[1][0], counts[1][1]);
    uint64_t moved = mass_moved(counts[0][0], counts[1][0]) + mass_moved(counts[0][1], counts[1][1]);
    *out = (double)moved / (2. * (double)n);
    return VKP_OK;
}

static vkp_status colorfulness(const uint8_t *picture, int width, int height, bool absolute, double *out)
{
    VKP_TRY(check(width, height));
    int64_t rg_sum = 0, rg_squares = 0, yb_sum = 0, yb_squares = 0; /* of 2 yb, to stay whole */
    size_t n = pixels(width, height);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = picture + 4 * i;
        int rg = p[0] - p[1], yb = p[0] + p[1] - 2 * p[2];
        rg_sum += absolute ? abs(rg) : rg, rg_squares += rg * rg;
        yb_sum += absolute ? abs(yb) : yb, yb_squares += yb * yb;
    }
    double count = (double)n, rg_mean = (double)rg_sum / count, yb_mean = .5 * (double)yb_sum / count;
    double rg_variance = (double)rg_squares / count - rg_mean * rg_mean;
    double yb_variance = .25 * (double)yb_squares / count - yb_mean * yb_mean;
    /* Of a constant picture, rounding may leave less than nothing. */
    *out = sqrt(fmax(0, rg_variance + yb_variance)) + .3 * sqrt(rg_mean * rg_mean + yb_mean * yb_mean);
    return VKP_OK;
}

vkp_status vkp_metric_colorfulness(const uint8_t *picture, int width, int height, double *out)
{
    return colorfulness(picture, width, height, false, out);
}

vkp_status vkp_metric_colorfulness_abs(const uint8_t *picture, int width, int height, double *out)
{
    return colorfulness(picture, width, height, true, out);
}

/* The separable window: weights[0..size), summing to 1. Returns its size. */
static int make_window(int width, int height, double weights[WINDOW])
{
    int side = width < height ? width : height;
    int size = side >= WINDOW ? WINDOW : side - (side + 1) % 2;
    double sum = 0;
    for (int i = 0; i < size; i++) {
        double d = i - size / 2;
        weights[i] = exp(-d * d / (2 * SIGMA * SIGMA));
        sum += weights[i];
    }
    for (int i = 0; i < size; i++) weights[i] /= sum;
    return size;
}

/* One row of one channel, filtered along the row: maps[m * places + x]. `plane` has room for the row's
 * `width` products. */
static void filter_row(const uint8_t *a, const uint8_t *b, int width, const double *weights, int size,
                       double *plane, double *maps)
{
    int places = width - size + 1;
    for (int m = 0; m < MAPS; m++) {
        for (int x = 0; x < width; x++) {
            double p = a[4 * x], q = b[4 * x];
            plane[x] = m == 0 ? p : m == 1 ? q : m == 2 ? p * p + q * q : p * q;
        }
        double *map = maps + (size_t)m * (size_t)places;
        for (int x = 0; x < places; x++) map[x] = weights[0] * plane[x];
        for (int k = 1; k < size; k++) {
            for (int x = 0; x < places; x++) map[x] += weights[k] * plane[x + k];
        }
    }
}

/* The sum of the index over one row of places, from the filtered means. */
static double similarity_row(const double *maps, int places)
{
    const double c1 = .01 * 255 * .01 * 255, c2 = .03 * 255 * .03 * 255;
    const double *a = maps, *b = a + places, *squares = b + places, *products = squares + places;
    double sum = 0;
    for (int x = 0; x < places; x++) {
        double ab = a[x] * b[x], aa_bb = a[x] * a[x] + b[x] * b[x];
        double variances = squares[x] - aa_bb, covariance = products[x] - ab;
        sum += (2 * ab + c1) * (2 * covariance + c2) / ((aa_bb + c1) * (variances + c2));
    }
    return sum;
}

/* One channel's sum over all places. `ring` keeps the last `size` rows' filtered maps, `row` one row's worth
 * of them, `plane` one row of pixels. */
static double similarity_sum(const uint8_t *a, const uint8_t *b, int width, int height, const double *weights,
                             int size, double *ring, double *row, double *plane)
{
    int places = width - size + 1;
    size_t stride = (size_t)MAPS * (size_t)places, offset = (size_t)width * 4;
    double sum = 0;
    for (int y = 0; y < height; y++) {
        filter_row(a + offset * (size_t)y, b + offset * (size_t)y, width, weights, size, plane,
                   ring + stride * (size_t)(y % size));
        if (y + 1 < size) continue;
        for (size_t i = 0; i < stride; i++) row[i] = 0;
        for (int k = 0; k < size; k++) {
            const double *from = ring + stride * (size_t)((y + 1 + k) % size);
            for (size_t i = 0; i < stride; i++) row[i] += weights[k] * from[i];
        }
        sum += similarity_row(row, places);
    }
    return sum;
}

vkp_status vkp_metric_ssim(const uint8_t *a, const uint8_t *b, int width, int height, double *out)
{
    VKP_TRY(check(width, height));
    double weights[WINDOW], sum = 0;
    int size = make_window(width, height, weights);
    size_t places = (size_t)(width - size + 1), stride = MAPS * places;
    double *memory = calloc(stride * (size_t)(size + 1) + (size_t)width, sizeof *memory);
    if (!memory) {
        return vkp_fail(VKP_MEMORY, "no memory for SSIM (%d x %d; close other programs)", width, height);
    }
    double *row = memory + stride * (size_t)size, *plane = row + stride;
    for (int c = 0; c < 3; c++) {
        sum += similarity_sum(a + c, b + c, width, height, weights, size, memory, row, plane);
    }
    free(memory);
    *out = sum / (3. * (double)places * (double)(height - size + 1));
    return VKP_OK;
}
