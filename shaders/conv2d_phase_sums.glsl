// Sums the rows of the output gradient of a convolution of an upsampled input that belong to one row of the
// input, for the part of its weight gradient by phases that needs them all. What a tile of that shader reads
// lies together: [picture][row][quad of columns][first, all, last][channel][4 columns]. An invocation takes a
// quad of columns of 4 channels, so that what it writes is whole lines of a cache.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const int UPSAMPLE = 4;
#include "conv2d_phase_columns.glsl"
layout(std430, binding = 0) writeonly buffer S { vec4 sums[]; };
QUADS(1, dy);
layout(push_constant) uniform Push {
    Tensor st, dyt; // in quads
    uint height, wide, channels; // wide: quads of a row of the input
} p;

void main()
{
    const Tensor st = p.st, dyt = p.dyt;
    const uint i = gl_GlobalInvocationID.x, n = gl_WorkGroupID.z, wide = p.wide, channels = p.channels;
    if (i >= p.height * wide) return;
    const uint y = i / wide, x = i % wide, last = min(gl_WorkGroupID.y * 4 + 4, channels);
    for (uint c = gl_WorkGroupID.y * 4; c < last; c++) {
        vec4 quads[4] = vec4[](vec4(0.0), vec4(0.0), vec4(0.0), vec4(0.0)), columns[3];
        [[unroll]] for (int k = 0; k < UPSAMPLE * UPSAMPLE; k++) {
            const uint q = k % UPSAMPLE, gx = x * UPSAMPLE + q;
            const vec4 v = quad(dy, at(dyt, n, c, y * UPSAMPLE + k / UPSAMPLE, gx < dyt.pitch ? gx : 0));
            quads[q] += gx < dyt.pitch ? v : vec4(0.0);
        }
        phase_columns(quads, columns);
        const uint place = at(st, n, 0, y, x * 3 * channels + c);
        [[unroll]] for (uint k = 0; k < 3; k++) sums[place + k * channels] = columns[k];
    }
}
