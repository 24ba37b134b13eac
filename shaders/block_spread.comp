#version 450
// Every input, scaled, goes to its FACTOR x FACTOR block of outputs: nearest upsampling, and the gradient of
// average pooling, where outputs beyond the last block get 0. An invocation makes 4 outputs of FACTOR rows.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const uint FACTOR = 2;
layout(constant_id = 1) const bool ADD = false;
layout(std430, binding = 0) buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt;
    uint channels, hy, wy, hx, wx;
    float scale;
} p;

void main()
{
    const uint ox = gl_GlobalInvocationID.x * 4, iy = gl_GlobalInvocationID.y, oy = iy * FACTOR;
    const uint n = gl_WorkGroupID.z / p.channels, c = gl_WorkGroupID.z % p.channels;
    const uint hy = p.hy, pitch = p.yt.pitch / 4;
    if (ox >= p.wy || oy >= hy) return;
    const uint ix = ox / FACTOR, wx = p.wx;
    vec4 value = vec4(0.0);
    if (iy < p.hx && ix < wx) {
        const uint place = at(p.xt, n, c, iy, ix);
        if (FACTOR == 2) {
            value = vec2(x[place], x[place + 1]).xxyy; // at wx, the padding's zero
        } else if (FACTOR == 4) {
            value = vec4(x[place]);
        } else {
            for (uint i = 0; i < 4; i++) {
                const uint column = (ox + i) / FACTOR;
                if (column < wx) value[i] = x[place + column - ix];
            }
        }
        value *= p.scale;
    }
    const uint end = min(oy + FACTOR, hy);
    uint row = at(p.yt, n, c, oy, ox) / 4;
    for (uint i = oy; i < end; i++, row += pitch) y[row] = ADD ? y[row] + value : value;
}
