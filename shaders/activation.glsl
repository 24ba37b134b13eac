// The activations by vkp_activation of engine/ops/op.h. Takes specialization constants ACTIVATION_ID, which
// is 0 unless defined before, and the next.
#ifndef ACTIVATION_GLSL
#define ACTIVATION_GLSL
#ifndef ACTIVATION_ID
#define ACTIVATION_ID 0
#endif
layout(constant_id = ACTIVATION_ID) const uint ACTIVATION = 0;
layout(constant_id = ACTIVATION_ID + 1) const float SLOPE = 0.0;
const uint LINEAR = 0, RELU = 1, LEAKY_RELU = 2, TANH = 3;

// Good to the last bits for small arguments too, where the quotient of exponentials cancels. tanh(u) for
// |u| < 0.25 is the series to u^9 (the next term is below 1e-8 of it).
vec4 accurate_tanh(vec4 x)
{
    const vec4 u = abs(x), s = u * u;
    const vec4 tail = 2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0));
    const vec4 series = u + u * s * (-1.0 / 3.0 + s * tail);
    const vec4 quotient = 1.0 - 2.0 / (exp(2.0 * min(u, vec4(20.0))) + 1.0);
    const vec4 value = mix(quotient, series, lessThan(u, vec4(0.25))) * sign(x);
    return mix(value, x, isnan(x)); // sign(), exp() and min() need not pass a NaN on
}

vec4 activate(vec4 x)
{
    if (ACTIVATION == RELU) return mix(x, vec4(0.0), lessThan(x, vec4(0.0)));
    if (ACTIVATION == LEAKY_RELU) return mix(x, SLOPE * x, lessThan(x, vec4(0.0)));
    if (ACTIVATION == TANH) return accurate_tanh(x);
    return x;
}

// The gradient by the activation's argument from that by its result y. ReLU and LeakyReLU ask only
// for y's sign, which their argument has too. At 0 the derivatives are PyTorch's: 0 and the slope.
vec4 activation_grad(vec4 y, vec4 dy)
{
    if (ACTIVATION == RELU) return mix(vec4(0.0), dy, greaterThan(y, vec4(0.0)));
    if (ACTIVATION == LEAKY_RELU) return mix(SLOPE * dy, dy, greaterThan(y, vec4(0.0)));
    if (ACTIVATION == TANH) return dy * (1.0 - y * y);
    return dy;
}
#endif
