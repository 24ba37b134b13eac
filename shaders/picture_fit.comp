#version 450
// A batch of pictures of any sizes, packed RGBA8, into an RGB tensor of 0..1: each output pixel from two rows
// and two columns of its picture, by that picture's tables. An invocation makes 4 columns of 4 rows.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#include "taps.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer Pixels { uint pixels[]; };
layout(push_constant) uniform Push {
    Tensor yt, pt, tt; // pixels and tables: one "row" a picture
    uint h, w;
} p;

vec3 blend(uint row, Tap c)
{
    return c.w0 * unpackUnorm4x8(pixels[row + c.i0]).rgb + c.w1 * unpackUnorm4x8(pixels[row + c.i1]).rgb;
}

void main()
{
    const uint ox = gl_GlobalInvocationID.x * 4, first = gl_GlobalInvocationID.y * 4, n = gl_WorkGroupID.z;
    const uint h = p.h, w = p.w;
    const uint own_table = at(p.tt, n, 0, 0, 0), own_pixels = at(p.pt, n, 0, 0, 0);
    // An empty slot leaves what the tensor holds.
    if (ox >= w || first >= h || table[own_table] == 0) return;
    const uint rows = own_table + 1, cols = rows + 3 * h;
    Tap col[4];
    for (uint i = 0; i < 4; i++) col[i] = tap(cols + 3 * min(ox + i, w - 1));
    const uint end = min(first + 4, h);
    for (uint oy = first; oy < end; oy++) {
        const Tap row = tap(rows + 3 * oy);
        const uint top = own_pixels + row.i0, bottom = own_pixels + row.i1;
        vec4 r, g, b;
        for (uint i = 0; i < 4; i++) {
            vec3 rgb = row.w0 * blend(top, col[i]) + row.w1 * blend(bottom, col[i]);
            if (ox + i >= w) rgb = vec3(0.0);
            r[i] = rgb.r;
            g[i] = rgb.g;
            b[i] = rgb.b;
        }
        y[at(p.yt, n, 0, oy, ox) / 4] = r;
        y[at(p.yt, n, 1, oy, ox) / 4] = g;
        y[at(p.yt, n, 2, oy, ox) / 4] = b;
    }
}
