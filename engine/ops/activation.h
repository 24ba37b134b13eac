/* Activations inside other operations: what they share with the operation activation. */
#ifndef VKP_OPS_ACTIVATION_H
#define VKP_OPS_ACTIVATION_H

#include "ops/op.h"

/* Adds attr's activation and slope as the dispatch's next two specialization constants: those that
 * shaders/activation.glsl takes. */
void vkp_activation_spec(vkp_dispatch *dispatch, const vkp_attr *attr);

/* SHAPE when the gradient of attr's activation cannot be found from its result: LeakyReLU of a negative slope
 * or none at all. `what` names the operation that asks. */
VKP_MUST_USE vkp_status vkp_activation_check(const vkp_attr *attr, const char *what);

/* Writes down dx = dy * activation'(x), the derivative found from y = activation(x); with `add` to what dx
 * holds. All are activations of one shape. */
VKP_MUST_USE vkp_status vkp_activation_backward(vkp_program *program, const vkp_attr *attr,
                                                const vkp_tensor *y, const vkp_tensor *dy,
                                                const vkp_tensor *dx, bool add);

/* The plain definition in double precision, for references. */
double vkp_activation_reference(const vkp_attr *attr, double x);

#endif
