/* Random: numbers that are a pure function of (seed, stream, counter), so a run resumed at (epoch, index)
 * needs no stored generator state, and threads and shaders get the same numbers in any order.
 *
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). The inline part uses only 32-bit unsigned arithmetic and the 32x32->64 bit product, which is
 * umulExtended() in GLSL, so that a shader can mirror it word for word. */
#ifndef VKP_BASE_RANDOM_H
#define VKP_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is for; a purpose never shares its numbers with another. Part of the file format of a
 * run: changing a value changes what --resume continues. */
enum vkp_random_purpose {
    VKP_RANDOM_FOLDS = 1,
    VKP_RANDOM_ORDER,
    VKP_RANDOM_FLIP,
    VKP_RANDOM_BLUR,
    VKP_RANDOM_INIT,
    VKP_RANDOM_TEST,
    VKP_RANDOM_VIEW = 16, /* crops: image/crop.h */
    VKP_RANDOM_JITTER,
    VKP_RANDOM_DEGRADE
};

typedef struct vkp_philox {
    uint32_t v[4];
} vkp_philox;

/* The block of four words for a 128-bit counter and a 64-bit key; word 0 is the least significant. */
static inline vkp_philox vkp_philox4x32(vkp_philox counter, uint32_t key0, uint32_t key1)
{
    vkp_philox c = counter;
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c.v[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c.v[2];
        vkp_philox next = {{(uint32_t)(p1 >> 32) ^ c.v[1] ^ key0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c.v[3] ^ key1, (uint32_t)p0}};
        c = next;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

/* The stream of a purpose in an epoch (or layer, or fold run). */
static inline uint64_t vkp_random_stream(enum vkp_random_purpose purpose, uint32_t epoch)
{
    return (uint64_t)purpose << 32 | epoch;
}

/* Word counter%4 of block counter/4; key = seed, upper half of Philox's counter = stream. */
static inline uint32_t vkp_random_u32(uint64_t seed, uint64_t stream, uint64_t counter)
{
    uint64_t block = counter >> 2;
    vkp_philox c = {{(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    return vkp_philox4x32(c, (uint32_t)seed, (uint32_t)(seed >> 32)).v[counter & 3];
}

/* Uniform in [0,1): a multiple of 2^-24, so exact in a float and never 1. */
static inline float vkp_random_float(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return (float)(vkp_random_u32(seed, stream, counter) >> 8) * 0x1p-24f;
}

/* Uniform in 0..n-1 by multiply and shift (Lemire 2019, without the rejection step, as one counter gives
 * one number): no value is off its share by more than n/2^32. n = 0 gives 0. */
static inline uint32_t vkp_random_below(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t n)
{
    return (uint32_t)((uint64_t)vkp_random_u32(seed, stream, counter) * n >> 32);
}

/* Shuffles items[0..count-1] in place: Fisher-Yates from the end, the draw for position i has counter i.
 * count is at most UINT32_MAX. */
void vkp_random_shuffle(size_t *items, size_t count, uint64_t seed, uint64_t stream);

#endif
