#version 450
// A picture's planes filtered by the picture's 3x3 kernel, edges repeated outwards. An invocation makes 4
// columns of 4 rows and keeps the three rows that it needs while it goes down.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer K { float kernel[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, kt;
    uint c, h, w;
} p;

// Four pixels of a row with those to their left and right.
struct Row {
    vec4 left, mid, right;
};

// `quad` is the place of the four; `rest` counts the pixels from their first to the row's end.
Row load(uint quad, bool first, uint rest)
{
    vec4 v = x[quad];
    v = rest > 3 ? v : rest == 3 ? v.xyzz : rest == 2 ? v.xyyy : v.xxxx;
    const float before = first ? v.x : x[quad - 1].w;
    const float after = rest > 4 ? x[quad + 1].x : v.w;
    return Row(vec4(before, v.xyz), v, vec4(v.yzw, after));
}

vec4 filtered(Row r, vec3 k) { return k.x * r.left + k.y * r.mid + k.z * r.right; }

void main()
{
    const uint ox = gl_GlobalInvocationID.x * 4, first = gl_GlobalInvocationID.y * 4;
    const uint n = gl_WorkGroupID.z / p.c, c = gl_WorkGroupID.z % p.c;
    const uint h = p.h, rest = p.w - ox, pitch = p.xt.pitch / 4;
    if (ox >= p.w || first >= h) return;
    const uint k = p.kt.offset + n * p.kt.stride_n;
    const vec3 k0 = vec3(kernel[k], kernel[k + 1], kernel[k + 2]);
    const vec3 k1 = vec3(kernel[k + 3], kernel[k + 4], kernel[k + 5]);
    const vec3 k2 = vec3(kernel[k + 6], kernel[k + 7], kernel[k + 8]);
    const uint column = at(p.xt, n, c, 0, ox) / 4, last = h - 1, end = min(first + 4, h);
    Row above = load(column + (first > 0 ? first - 1 : 0) * pitch, ox == 0, rest);
    Row here = load(column + first * pitch, ox == 0, rest);
    for (uint oy = first; oy < end; oy++) {
        const Row below = load(column + min(oy + 1, last) * pitch, ox == 0, rest);
        const vec4 sum = filtered(above, k0) + filtered(here, k1) + filtered(below, k2);
        y[at(p.yt, n, c, oy, ox) / 4] = mix(vec4(0.0), sum, lessThan(uvec4(0, 1, 2, 3), uvec4(rest)));
        above = here;
        here = below;
    }
}
