/* The key of vkp_op_init_uniform's random numbers. */
#ifndef VKP_OPS_INIT_UNIFORM_H
#define VKP_OPS_INIT_UNIFORM_H

#include <stdint.h>

#define VKP_INIT_KEY 8

/* Splits seed and stream (base/random.h) into pieces of 16 bits, least significant first, seed before stream:
 * each is exact as a float. */
void vkp_init_key(uint64_t seed, uint64_t stream, float key[VKP_INIT_KEY]);

#endif
