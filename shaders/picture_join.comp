#version 450
// A tile of a picture, packed RGBA8: its luma stays, its chroma becomes what the chroma lines (engine/image/
// chroma_lines.h), bilinear by the tables, give for the luma's mean over a few pixels. Chroma that the luma
// leaves no room for fades towards gray, so that neither hue nor luma changes. An invocation makes 4 columns
// of 8 rows, so that tables and lines are read once for several rows.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "tensor.glsl"
#include "taps.glsl"
layout(local_size_x = 8, local_size_y = 8) in;

// Cr and Cb in that order.
struct Line {
    vec4 chroma; // C0 and C1: the chroma is C0 + C1 * luma,
    vec4 range;  // but not below the first two and not above the others
};

layout(std430, binding = 0) writeonly buffer Joined { uvec4 joined[]; };
layout(std430, binding = 1) readonly buffer Lines { Line lines[]; };
layout(std430, binding = 3) readonly buffer Pixels { uvec4 pixels[]; }; // with HALO more on all four sides
layout(push_constant) uniform Push {
    Tensor jt, lt, tt, pt;
    uint tile; // the tile's side, and the number of taps that either table has room for
} p;

const uint ROWS = 8, HALO = 2; // as in engine/image/joiner.c

// What the tables start with. The scale is half the saturation: the planes' range is twice BT.601's. The
// weights are of the mean along an axis: the middle pixel's, its neighbours', the next ones'.
struct Head {
    uint width, height; // what there is of the tile
    float scale;
    vec3 across, down;
};

vec3 read_weights(uint place)
{
    return uintBitsToFloat(uvec3(table[place], table[place + 1], table[place + 2]));
}

Head head()
{
    const uint t = p.tt.offset;
    return Head(table[t], table[t + 1], uintBitsToFloat(table[t + 2]), read_weights(t + 3),
                read_weights(t + 6));
}

float luma(uint pixel) { return dot(unpackUnorm4x8(pixel).rgb, vec3(0.299, 0.587, 0.114)); }

// Four pixels of a row, their luma, and its mean along the row.
struct Row {
    uvec4 own;
    vec4 luma, mean;
};

// Row y counts from the halo's first; x, a multiple of 4, from the tile's.
Row read_row(uint x, uint y, vec3 across)
{
    const uint place = (p.pt.offset + y * (p.tile + 2 * HALO) + x) / 4;
    const uvec4 left = pixels[place], right = pixels[place + 1];
    const vec4 a = vec4(luma(left.x), luma(left.y), luma(left.z), luma(left.w));
    const vec4 b = vec4(luma(right.x), luma(right.y), luma(right.z), luma(right.w));
    const vec4 middle = vec4(a.zw, b.xy);
    return Row(uvec4(left.zw, right.xy), middle,
               across.x * middle + across.y * (vec4(a.yzw, b.x) + vec4(a.w, b.xyz)) + across.z * (a + b));
}

Line blend(float w0, Line a, float w1, Line b)
{
    return Line(w0 * a.chroma + w1 * b.chroma, w0 * a.range + w1 * b.range);
}

Line across(uint row, Tap c)
{
    const uint place = p.lt.offset / 8 + row;
    return blend(c.w0, lines[place + c.i0], c.w1, lines[place + c.i1]);
}

void read_lines(Tap row, Tap col[4], out Line top[4], out Line bottom[4])
{
    [[unroll]] for (uint c = 0; c < 4; c++) {
        top[c] = across(row.i0, col[c]);
        bottom[c] = across(row.i1, col[c]);
    }
}

// How much of its offsets from gray a luma has room for, so that R, G and B stay within 0..1.
float room(float luma, vec3 offset)
{
    const vec3 safe = mix(offset, vec3(1e-6), lessThan(abs(offset), vec3(1e-6)));
    const vec3 most = max((1.0 - luma) / safe, -luma / safe);
    return min(min(most.r, most.g), min(most.b, 1.0));
}

// BT.601, full range; Cr and Cb between -1/2 and 1/2.
uint join(uint original, float luma, vec2 crcb)
{
    const vec3 offset = vec3(1.402 * crcb.x, -0.714136 * crcb.x - 0.344136 * crcb.y, 1.772 * crcb.y);
    const vec3 rgb = luma + room(luma, offset) * offset;
    const uvec3 bits = uvec3(clamp(rgb, 0.0, 1.0) * 255.0 + 0.5);
    return bits.r | bits.g << 8 | bits.b << 16 | (original & 0xff000000u);
}

void main()
{
    const Head tile = head();
    const uint x = gl_GlobalInvocationID.x * 4, first = gl_GlobalInvocationID.y * ROWS;
    if (x >= tile.width || first >= tile.height) return;
    const uint rows = p.tt.offset + 9, cols = rows + 3 * p.tile;
    Tap col[4];
    [[unroll]] for (uint i = 0; i < 4; i++) col[i] = tap(cols + 3 * min(x + i, tile.width - 1));
    Row near[5];
    [[unroll]] for (uint i = 1; i < 5; i++) near[i] = read_row(x, first + i - 1, tile.across);
    Tap row = tap(rows + 3 * first);
    Line top[4], bottom[4]; // the lines at the row's taps
    read_lines(row, col, top, bottom);
    for (uint i = 0; i < ROWS && first + i < tile.height; i++) {
        [[unroll]] for (uint k = 0; k < 4; k++) near[k] = near[k + 1];
        near[4] = read_row(x, first + i + 4, tile.across);
        const vec4 mean = tile.down.x * near[2].mean + tile.down.y * (near[1].mean + near[3].mean) +
                          tile.down.z * (near[0].mean + near[4].mean);
        const Tap next = tap(rows + 3 * (first + i));
        // Pictures are mostly many times larger than what was predicted: next rows share their taps.
        if (next.i0 != row.i0 || next.i1 != row.i1) read_lines(next, col, top, bottom);
        row = next;
        uvec4 quad;
        [[unroll]] for (uint c = 0; c < 4; c++) {
            const Line line = blend(row.w0, top[c], row.w1, bottom[c]);
            const vec2 crcb = clamp(line.chroma.xy + mean[c] * line.chroma.zw, line.range.xy, line.range.zw);
            quad[c] = join(near[2].own[c], near[2].luma[c], tile.scale * crcb);
        }
        joined[(p.jt.offset + (first + i) * p.tile + x) / 4] = quad;
    }
}
