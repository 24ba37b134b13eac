#version 450
// Every output is the scaled sum of its FACTOR x FACTOR block of inputs: average pooling, and the gradient of
// nearest upsampling. An invocation makes 4 outputs of a row, whose blocks are FACTOR whole quadruples wide.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const uint FACTOR = 2;
layout(constant_id = 1) const bool ADD = false;
layout(std430, binding = 0) buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt;
    uint channels, hy, wy, hx, wx;
    float scale;
} p;

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }

void main()
{
    const uint quad = gl_GlobalInvocationID.x, oy = gl_GlobalInvocationID.y;
    const uint n = gl_WorkGroupID.z / p.channels, c = gl_WorkGroupID.z % p.channels;
    const uint wy = p.wy;
    if (quad * 4 >= wy || oy >= p.hy) return;
    const uint pitch = p.xt.pitch / 4, first = quad * FACTOR;
    uint row = at(p.xt, n, c, oy * FACTOR, 0) / 4;
    vec4 sum = vec4(0.0);
    for (uint i = 0; i < FACTOR; i++, row += pitch) {
        // Quadruples beyond the row belong to outputs beyond wy alone, which are dropped below.
        if (FACTOR == 2) {
            const vec4 a = x[row + first], b = x[row + min(first + 1, pitch - 1)];
            sum += vec4(a.x + a.y, a.z + a.w, b.x + b.y, b.z + b.w);
        } else if (FACTOR == 4) {
            sum += vec4(total(x[row + first]), total(x[row + min(first + 1, pitch - 1)]),
                        total(x[row + min(first + 2, pitch - 1)]), total(x[row + min(first + 3, pitch - 1)]));
        } else {
            for (uint k = 0; k < 4 * FACTOR; k++)
                sum[k / FACTOR] += x[row + min(first + k / 4, pitch - 1)][k % 4];
        }
    }
    const uint place = at(p.yt, n, c, oy, quad * 4) / 4;
    sum *= p.scale;
    sum = mix(vec4(0.0), sum, lessThan(uvec4(quad * 4) + uvec4(0, 1, 2, 3), uvec4(wy)));
    y[place] = ADD ? y[place] + sum : sum;
}
