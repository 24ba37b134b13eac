#version 450
// x scaled where it is kept, 0 elsewhere; engine/ops/dropout.c says which. A picture's planes are one here.
#extension GL_GOOGLE_include_directive : require
#include "philox.glsl"
#include "tensor.glsl"
#include "walk.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer Y { vec4 y[]; };
layout(std430, binding = 1) readonly buffer X { vec4 x[]; };
layout(std430, binding = 2) readonly buffer State { uint words[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, st; // yt, xt in quads
    Walk walk;
    uint first, rows; // the dispatch's first picture; rows of a picture
    float dropped, gain;
} p;

// The words of elements i to i + 3, which may lie in two blocks.
uvec4 random_words(uint i, uvec2 key, uvec2 stream)
{
    const uvec4 a = philox4x32(uvec4(i / 4, 0, stream), key);
    if (i % 4 == 0) return a;
    const uvec4 b = philox4x32(uvec4(i / 4 + 1, 0, stream), key);
    return i % 4 == 1 ? uvec4(a.yzw, b.x) : i % 4 == 2 ? uvec4(a.zw, b.xy) : uvec4(a.w, b.xyz);
}

void main()
{
    const uint n = gl_WorkGroupID.z, state = p.st.offset;
    const Walk walk = p.walk;
    const uvec2 key = uvec2(words[state], words[state + 1]);
    const uvec2 stream = uvec2(words[state + 2], words[state + 3]);
    const uint to = at(p.yt, n, 0, 0, 0), from = at(p.xt, n, 0, 0, 0), row = (p.first + n) * p.rows;
    Place place = walk_start(walk);
    for (uint k = 0; k < walk.each && place.i < walk.count; k++, walk_step(walk, place)) {
        const uvec4 bits = random_words((row + place.y) * walk.w + 4 * place.x, key, stream);
        const bvec4 kept = greaterThanEqual(vec4(bits >> 8) * (1.0 / 16777216.0), vec4(p.dropped));
        const vec4 v = x[from + place.i] * mix(vec4(0.0), vec4(p.gain), kept); // padding is zero and stays so
        y[to + place.i] = ADD ? y[to + place.i] + v : v;
    }
}
