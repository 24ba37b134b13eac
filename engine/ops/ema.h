/* The exponential moving average of parameters: the places of vkp_op_ema. */
#ifndef VKP_OPS_EMA_H
#define VKP_OPS_EMA_H

/* In average and p (1,1,1,count), packed and flat, and rest (1,1,1,1), which holds 1 - decay: 1 takes p as it
 * is (how an average of zeros starts), 0 leaves the average. Out average, which may be the input itself: then
 * the step is taken in place, as in training. */
enum { VKP_EMA_AVERAGE, VKP_EMA_P, VKP_EMA_REST, VKP_EMA_AVERAGE_OUT = 0 };

#endif
