/* The Gaussian and JPEG's quantization. */
#include <math.h>
#include <string.h>

#include "image/degrade_parts.h"

static int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

/* Weights of -radius..radius; returns the radius. */
static int make_kernel(double sigma, float kernel[2 * VKP_BLUR_MAX_RADIUS + 1])
{
    const int radius = clamp((int)ceil(3 * sigma), 0, VKP_BLUR_MAX_RADIUS);
    double sum = 0;
    for (int k = -radius; k <= radius; k++) sum += radius ? exp(-.5 * k * k / (sigma * sigma)) : 1;
    for (int k = -radius; k <= radius; k++)
        kernel[k + radius] = (float)((radius ? exp(-.5 * k * k / (sigma * sigma)) : 1) / sum);
    return radius;
}

/* One row, by way of a copy with repeated edges. */
static void blur_row(const float *row, int w, const float *kernel, int radius, float *line, float *to)
{
    for (int x = 0; x < radius; x++) line[x] = row[0];
    memcpy(line + radius, row, (size_t)w * sizeof *row);
    for (int x = 0; x < radius; x++) line[radius + w + x] = row[w - 1];
    memset(to, 0, (size_t)w * sizeof *to);
    for (int k = 0; k <= 2 * radius; k++)
        for (int x = 0; x < w; x++) to[x] += kernel[k] * line[x + k];
}

float vkp_blur_plane(float *plane, int w, int h, double sigma, float *work)
{
    float kernel[2 * VKP_BLUR_MAX_RADIUS + 1], squares = 0;
    const int radius = make_kernel(sigma, kernel);
    const size_t pitch = (size_t)w;
    float *line = work + pitch * (size_t)h;
    for (int k = 0; k <= 2 * radius; k++) squares += kernel[k] * kernel[k];
    for (size_t y = 0; y < (size_t)h; y++)
        blur_row(plane + y * pitch, w, kernel, radius, line, work + y * pitch);
    for (int y = 0; y < h; y++) {
        float *to = plane + (size_t)y * pitch;
        memset(to, 0, pitch * sizeof *to);
        for (int k = -radius; k <= radius; k++) {
            const float *from = work + (size_t)clamp(y + k, 0, h - 1) * pitch, weight = kernel[k + radius];
            for (size_t x = 0; x < pitch; x++) to[x] += weight * from[x];
        }
    }
    return squares;
}

/* -- JPEG -- */

/* ITU-T T.81, table K.1. */
static const uint8_t luminance[64] = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  14, 13, 16, 24, 40,  57,
    69, 56, 14, 17, 22,  29,  51,  87,  80, 62, 18, 22, 37,  56,  68,  109, 103, 77, 24, 35, 55, 64,
    81, 104, 113, 92, 49, 64, 78,  87,  103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99};

/* libjpeg's: 5000 / quality percent of the table below 50, 200 - 2 * quality from there on. */
static void make_steps(double quality, float steps[64])
{
    const int q = clamp((int)(quality + .5), 1, 100), percent = q < 50 ? 5000 / q : 200 - 2 * q;
    for (int i = 0; i < 64; i++) steps[i] = (float)clamp((luminance[i] * percent + 50) / 100, 1, 255);
}

/* to = a * b, 8x8 each. */
static void multiply(const float *a, const float *b, float *to)
{
    for (int i = 0; i < 8; i++) {
        float row[8] = {0};
        for (int k = 0; k < 8; k++)
            for (int j = 0; j < 8; j++) row[j] += a[8 * i + k] * b[8 * k + j];
        memcpy(to + 8 * i, row, sizeof row);
    }
}

/* The orthonormal DCT-II and its transpose. */
static void make_dct(float dct[64], float transposed[64])
{
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            dct[8 * i + j] = transposed[8 * j + i] =
                (float)((i ? .5 : sqrt(.125)) * cos((2 * j + 1) * i * acos(-1) / 16));
}

void vkp_jpeg_quantize(float *luma, int w, int h, double quality)
{
    float dct[64], transposed[64], steps[64];
    make_dct(dct, transposed);
    make_steps(quality, steps);
    for (int y0 = 0; y0 < h; y0 += 8) {
        for (int x0 = 0; x0 < w; x0 += 8) {
            float block[64], half[64];
            for (int i = 0; i < 64; i++) {
                const size_t y = (size_t)clamp(y0 + i / 8, 0, h - 1), x = (size_t)clamp(x0 + i % 8, 0, w - 1);
                block[i] = luma[y * (size_t)w + x] * 255 - 128;
            }
            multiply(dct, block, half);
            multiply(half, transposed, block);
            for (int i = 0; i < 64; i++) block[i] = rintf(block[i] / steps[i]) * steps[i];
            multiply(transposed, block, half);
            multiply(half, dct, block);
            for (int i = 0; i < 64 && y0 + i / 8 < h; i++)
                if (x0 + i % 8 < w)
                    luma[(size_t)(y0 + i / 8) * (size_t)w + (size_t)(x0 + i % 8)] =
                        rintf(block[i] + 128) / 255;
        }
    }
}
