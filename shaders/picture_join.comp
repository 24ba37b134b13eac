#version 450
// A tile of a picture, packed RGBA8, in place: its luma stays, its chroma becomes that of the two planes,
// bilinear by the tables. An invocation makes 4 columns of 4 rows, so that the columns' part of the tables is
// read once for four rows.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
#include "taps.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(std430, binding = 0) buffer Pixels { uvec4 pixels[]; };
layout(std430, binding = 1) readonly buffer Chroma { float chroma[]; }; // Cr, then Cb
layout(push_constant) uniform Push {
    Tensor pt, ct, tt;
    uint tile; // the tile's side, and the number of taps that either table has room for
} p;

// What the tables start with. The scale is half the saturation: the planes' range is twice BT.601's.
struct Head {
    uint width, height; // what there is of the tile
    uint plane;         // floats from Cr to Cb
    float scale;
};

Head head()
{
    const uint t = p.tt.offset;
    return Head(table[t], table[t + 1], table[t + 2], uintBitsToFloat(table[t + 3]));
}

// Cr and Cb of a row at a column's taps.
vec2 across(uint row, uint plane, Tap c)
{
    const uint i0 = row + c.i0, i1 = row + c.i1;
    return c.w0 * vec2(chroma[i0], chroma[i0 + plane]) + c.w1 * vec2(chroma[i1], chroma[i1 + plane]);
}

// BT.601, full range; Cr and Cb between -1/2 and 1/2.
vec3 join(vec3 original, vec2 crcb)
{
    const float luma = dot(original, vec3(0.299, 0.587, 0.114));
    return vec3(luma + 1.402 * crcb.x, luma - 0.714136 * crcb.x - 0.344136 * crcb.y, luma + 1.772 * crcb.y);
}

void main()
{
    const Head tile = head();
    const uint x = gl_GlobalInvocationID.x * 4, first = gl_GlobalInvocationID.y * 4;
    if (x >= tile.width || first >= tile.height) return;
    const uint rows = p.tt.offset + 4, cols = rows + 3 * p.tile, pitch = p.tile, chroma_start = p.ct.offset;
    Tap col[4];
    for (uint i = 0; i < 4; i++) col[i] = tap(cols + 3 * min(x + i, tile.width - 1));
    const uint end = min(first + 4, tile.height);
    for (uint y = first; y < end; y++) {
        const Tap row = tap(rows + 3 * y);
        const uint top = chroma_start + row.i0, bottom = chroma_start + row.i1;
        const vec2 weights = tile.scale * vec2(row.w0, row.w1);
        const uint place = (p.pt.offset + y * pitch + x) / 4;
        uvec4 quad = pixels[place];
        for (uint i = 0; i < 4; i++) {
            const vec2 crcb = weights.x * across(top, tile.plane, col[i]) +
                              weights.y * across(bottom, tile.plane, col[i]);
            const vec3 rgb = clamp(join(unpackUnorm4x8(quad[i]).rgb, crcb), 0.0, 1.0);
            const uvec3 bits = uvec3(rgb * 255.0 + 0.5);
            quad[i] = bits.r | bits.g << 8 | bits.b << 16 | (quad[i] & 0xff000000u);
        }
        pixels[place] = quad;
    }
}
