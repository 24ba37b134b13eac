// What the two passes over the gradient share. That of the pooled tensor is spread over the pixels as they
// are read, through texels only.
#include "norm.glsl"
layout(std430, binding = 0) buffer R { vec4 result[]; };
QUADS(1, x);
QUADS(2, dy);
layout(std430, binding = 3) readonly buffer K { vec4 table[]; }; // of norm_affine.comp
#ifdef TEXELS
layout(binding = 4) uniform samplerBuffer d_pooled; // a texel holds two floats where FACTOR is 2, else one
#endif
layout(push_constant) uniform Push {
    Tensor rt, xt, dyt, kt; // in quads
#ifdef TEXELS
    Tensor dpt; // in its texels
#endif
    Walk walk;
    uint h, channels;
} p;

// Where the group's plane of it begins.
uint pooled_plane()
{
#ifdef TEXELS
    return at(p.dpt, gl_WorkGroupID.z, norm_channel(), 0, 0);
#else
    return 0;
#endif
}

#ifdef TEXELS
// The texel with window x of a row, `windows` of which share one; nothing beyond the last whole window.
vec4 pooled_at(uint row, uint x, uint windows)
{
    if (CUT && x >= p.walk.w / FACTOR) return vec4(0.0);
    return texelFetch(d_pooled, int(row + x / windows));
}
#endif

// What the pixels of a quad get of the pooled tensor's gradient. Without loops, which software drivers keep.
vec4 spread(Place place, uint plane)
{
#ifdef TEXELS
    const uint y = place.y / FACTOR, x = 4 * place.x, row = plane + y * p.dpt.pitch;
    if (!POOLED || (CUT && y >= p.h / FACTOR)) return vec4(0.0);
    const float share = 1.0 / float(FACTOR * FACTOR);
    if (FACTOR % 4 == 0) return pooled_at(row, x / FACTOR, 1).xxxx * share;
    if (FACTOR == 2) return pooled_at(row, x / 2, 2).xxyy * share;
    return share * vec4(pooled_at(row, x / FACTOR, 1).x, pooled_at(row, (x + 1) / FACTOR, 1).x,
                        pooled_at(row, (x + 2) / FACTOR, 1).x, pooled_at(row, (x + 3) / FACTOR, 1).x);
#else
    return vec4(0.0);
#endif
}

// The gradient by a quad of y, whose plane begins at `above`.
vec4 gradient_at(Place place, uint above, uint pooled)
{
    const vec4 d = spread(place, pooled);
    return WANTED ? d + quad(dy, above + place.i) : d;
}
