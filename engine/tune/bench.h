/* Benchmarks: how long one operation takes on a device, and what that device can do at best. Times are the
 * device's own (timestamps around each dispatch, where it has them), so the host's work is not in them. */
#ifndef VKP_TUNE_BENCH_H
#define VKP_TUNE_BENCH_H

#include "ops/variant.h"

/* One dispatch of the fastest run. */
typedef struct vkp_bench_dispatch {
    const char *shader; /* static */
    double milliseconds, flop;
} vkp_bench_dispatch;

enum { VKP_BENCH_VARIANTS = 4 };

typedef struct vkp_bench_result {
    double median_ms, min_ms;       /* of the runs, each the sum over its dispatches */
    double flop;                    /* of one run, by the operation's own count; 0: it has none */
    uint64_t bytes;                 /* of all tensors that the direction may read or write, each once */
    vkp_bench_dispatch *dispatches;
    size_t dispatch_count;
    const vkp_variants *variants[VKP_BENCH_VARIANTS]; /* the lists of variants that were chosen from... */
    const char *chosen[VKP_BENCH_VARIANTS];           /* ... and the names; NULL after the last */
} vkp_bench_result;

/* Runs one direction of an operation `runs` times (at least once) after a first run that is not counted, on
 * tensors of its own for the case's shapes, with random values or those of op->fill. Backward makes the
 * gradients of all inputs that can have one. The caller frees *result with vkp_bench_free, after success
 * only. USAGE when the operation has no such direction; SHAPE, DEVICE_MEMORY as the operation has it. */
VKP_MUST_USE vkp_status vkp_bench_op(vkp_device *device, const vkp_op *op, const vkp_case *c,
                                     vkp_direction direction, uint32_t runs, vkp_bench_result *result);
void vkp_bench_free(vkp_bench_result *result);

/* A device's measured peaks: 32-bit multiply-adds in registers (2 operations each), and bytes read plus
 * written by a copy of a buffer larger than caches. */
typedef struct vkp_peak {
    double flop_per_second, bytes_per_second;
} vkp_peak;

/* Measures both, in a few seconds. DEVICE_MEMORY when there is no room for two buffers of 120 MiB. */
VKP_MUST_USE vkp_status vkp_bench_peak(vkp_device *device, vkp_peak *peak);

#endif
