// y = activation(gamma * (x - mean) / deviation + beta), and its means over blocks of FACTOR x FACTOR pixels.
#include "norm.glsl"
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
QUADS(1, x);
layout(std430, binding = 2) readonly buffer K { vec4 table[]; }; // of norm_affine.comp
layout(std430, binding = 3) writeonly buffer P { vec4 pooled[]; };
layout(push_constant) uniform Push {
    Tensor yt, xt, kt, pt; // in quads
    Walk walk;
    uint h, channels;
} p;

void main()
{
    const uint c = norm_channel(), n = gl_WorkGroupID.z, h = p.h, row = p.xt.pitch;
    if (ALONE && c >= p.channels) return;
    const Walk walk = p.walk;
    const uint to = at(p.yt, n, c, 0, 0), from = at(p.xt, n, c, 0, 0), end = norm_end(walk);
    const uint pooled_to = at(p.pt, n, c, 0, 0), pooled_row = p.pt.pitch;
    const vec4 k = table[at(p.kt, n / PICTURES, c, 0, 0)];
    const float mean = k.x, factor = k.y * k.z, beta = k.w;
    for (Place tile = norm_start(walk); tile.i < end; walk_step(walk, tile)) {
        vec4 sum = vec4(0.0);
        for (uint j = 0; j < FACTOR; j++)
            for (uint i = 0; i < FACTOR; i++) {
                const uint place = tile_quad(tile, i, j, row, h);
                vec4 value = activate((quad(x, from + place) - mean) * factor + beta);
                value = without_padding(tile.x * FACTOR + i, value, walk.w);
                if (WANTED && in_plane(tile, i, j, row, h)) y[to + place] = value;
                if (POOLED)
                    for (uint e = 0; e < 4; e++) sum[(4 * i + e) / FACTOR] += value[e];
            }
        // What the cut off tiles read twice belongs to blocks that are not whole.
        if (POOLED && tile.y < h / FACTOR && tile.x < pooled_row)
            pooled[pooled_to + tile.y * pooled_row + tile.x] =
                keep_columns(tile.x, sum / float(FACTOR * FACTOR), walk.w / FACTOR);
    }
}
