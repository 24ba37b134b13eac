/* What the degradations of image/degrade.h are made of; for image/degrade*.c only. */
#ifndef VKP_IMAGE_DEGRADE_PARTS_H
#define VKP_IMAGE_DEGRADE_PARTS_H

#include <stddef.h>
#include <stdint.h>

enum { VKP_BLUR_MAX_RADIUS = 144 };

/* The numbers of one kind for one picture: counter `next` on of (seed, stream), 2^28 of them. */
typedef struct vkp_draws {
    uint64_t seed, stream, next;
} vkp_draws;

/* One degradation under way. */
typedef struct vkp_damage {
    float *luma; /* w x h, 0..1; need not be clamped by the kind */
    float *work; /* room for 2 * w * h + w + 2 * VKP_BLUR_MAX_RADIUS more */
    int w, h;
    double scale, strength;
    vkp_draws draws;
} vkp_damage;

/* Uniform in low..high. */
float vkp_draw(vkp_draws *draws, float low, float high);
/* Whether an event of this probability happens. */
int vkp_draw_chance(vkp_draws *draws, float probability);
/* Mean 0, sigma 1: sums of four bytes, so never beyond 3.5. */
void vkp_draw_normals(vkp_draws *draws, float *out, size_t count);

/* Gaussian of `sigma` pixels, cut at 3 sigma (VKP_BLUR_MAX_RADIUS at most), edges repeated. `work` has room
 * for w * h + w + 2 * VKP_BLUR_MAX_RADIUS. Returns the sum of the kernel's squares in one direction: what is
 * left of white noise's sigma. */
float vkp_blur_plane(float *plane, int w, int h, double sigma, float *work);

/* Quantizes the plane's 8x8 blocks as a JPEG file of this quality does (libjpeg's scaling of T.81's table
 * K.1), and rounds it to 8 bits. Blocks over the edges repeat them. */
void vkp_jpeg_quantize(float *luma, int w, int h, double quality);

/* Where strength, draws and scale say, on the plane. */
void vkp_draw_scratches(vkp_damage *d);
void vkp_draw_border(vkp_damage *d);

#endif
