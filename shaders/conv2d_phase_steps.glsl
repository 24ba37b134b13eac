// What the gradient by the input of nearest upsampling by UPSAMPLE and a 3x3 'same' convolution needs of the
// output's gradient. Along an axis with weights w0, w1, w2 and their sum S let F be the gradient of the first
// output of an input pixel, L that of the last, T the sum of all. Turned around, the three products of
// conv2d_forward_phases.glsl are
//   dx[y] = w0 (F[y+1] - F[y]) + S T[y] + w2 (L[y-1] - L[y]),
// nine for both axes. This makes the nine factors beside the weights, at the input's resolution, so that what
// a tile of conv2d_input_grad_phases fetches lies together: [picture][tile][channel][product][TILE quads].
// The factors of pixels that only pad a row are zero. An invocation makes those of one quad.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const int UPSAMPLE = 4; // 2 to 4
layout(constant_id = 1) const int TILE = 8;
#include "conv2d_phase_columns.glsl"
layout(std430, binding = 0) writeonly buffer S { vec4 steps[]; };
QUADS(1, dy);
layout(push_constant) uniform Push {
    Tensor st, dyt;              // in quads
    uint channels, height, wide; // of the input; wide: quads of a row
    uint width;
} p;

// The columns' three factors in a row of the output's gradient.
void row_of(uint start, uint pitch, uint x, bool inside, out vec4 v[3])
{
    vec4 quads[4], columns[3];
    [[unroll]] for (int q = 0; q < UPSAMPLE; q++) {
        const uint gx = x * UPSAMPLE + q;
        quads[q] = quad(dy, start + (gx < pitch ? gx : 0));
        if (!inside || gx >= pitch) quads[q] = vec4(0.0);
    }
    const uint next = x * UPSAMPLE + UPSAMPLE;
    const float before = quad(dy, start + (x > 0 ? x * UPSAMPLE - 1 : 0)).w;
    const float after = quad(dy, start + (next < pitch ? next : 0)).x;
    phase_columns(quads, columns);
    const vec4 first = columns[0], last = columns[2];
    v[0] = vec4(first.yzw, inside && next < pitch ? after : 0.0) - first;
    v[1] = columns[1];
    v[2] = vec4(inside && x > 0 ? before : 0.0, last.xyz) - last;
}

void main()
{
    const Tensor st = p.st, dyt = p.dyt;
    const uint height = p.height, wide = p.wide, quads = height * wide, n = gl_WorkGroupID.z;
    const uint c = gl_GlobalInvocationID.x / quads, i = gl_GlobalInvocationID.x % quads;
    if (c >= p.channels) return;
    const uint y = i / wide, x = i % wide, plane = at(dyt, n, c, 0, 0), pitch = dyt.pitch;
    vec4 before[3], first[3], all[3], last[3], after[3];
    row_of(plane + (y > 0 ? y * UPSAMPLE - 1 : 0) * pitch, pitch, x, y > 0, before);
    row_of(plane + y * UPSAMPLE * pitch, pitch, x, true, first);
    all = first;
    [[unroll]] for (int k = 1; k < UPSAMPLE; k++) {
        row_of(plane + (y * UPSAMPLE + k) * pitch, pitch, x, true, last);
        [[unroll]] for (int b = 0; b < 3; b++) all[b] += last[b];
    }
    row_of(plane + (y + 1 < height ? (y + 1) * UPSAMPLE : 0) * pitch, pitch, x, y + 1 < height, after);

    const bvec4 is_pixel = lessThan(uvec4(x * 4) + uvec4(0, 1, 2, 3), uvec4(p.width));
    const uint place = at(st, n, i / TILE, c, i % TILE);
    [[unroll]] for (int b = 0; b < 3; b++) {
        steps[place + b * TILE] = mix(vec4(0.0), after[b] - first[b], is_pixel);
        steps[place + (3 + b) * TILE] = mix(vec4(0.0), all[b], is_pixel);
        steps[place + (6 + b) * TILE] = mix(vec4(0.0), before[b] - last[b], is_pixel);
    }
}
