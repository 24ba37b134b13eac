/* The optimizer's step: what changes from step to step, for the buffer that vkp_op_adam reads. */
#ifndef VKP_OPS_ADAM_H
#define VKP_OPS_ADAM_H

#include <stdint.h>

#define VKP_ADAM_HYPER 9
/* The place in hyper of the alarm: 0, until a step leaves a parameter or its v infinite or NaN. */
#define VKP_ADAM_ALARM 8

/* Places of vkp_op_adam: in p and g (1,1,1,count), state (1,1,count,2), hyper (1,1,1,VKP_ADAM_HYPER);
 * out p, state and hyper, whose alarm may have changed. All are packed and flat; each row of state is an element's m and v. In training the
 * outputs are the inputs, updated in place; where they are other tensors they are first copied. */
enum { VKP_ADAM_P, VKP_ADAM_G, VKP_ADAM_STATE, VKP_ADAM_HYPER_IN };
enum { VKP_ADAM_P_OUT, VKP_ADAM_STATE_OUT, VKP_ADAM_HYPER_OUT };

/* The values of hyper for step 1, 2, ...: lr / (1 - beta1^step), sqrt(1 - beta2^step), beta1, beta2, eps,
 * 1 - beta1, 1 - beta2, lr * decay, and the alarm at 0; all are rounded once from double, as PyTorch does. `decay` is the
 * decoupled weight decay of torch.optim.AdamW: each step takes lr * decay of a parameter away first; 0: none,
 * torch.optim.Adam. */
void vkp_adam_hyper(double lr, double beta1, double beta2, double eps, double decay, uint64_t step,
                    float hyper[VKP_ADAM_HYPER]);

#endif
