// Sums the output gradient of a convolution of an input upsampled by 4 over the outputs that the phases of
// its weight gradient treat alike. Of the 4 rows of an input pixel those are the first, all, and the last;
// of the 4 columns the same; so 9 planes a channel, rows by columns, at the input's resolution. An invocation
// makes 4 pixels of every plane.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer P { vec4 planes[]; };
QUADS(1, dy);
layout(push_constant) uniform Push {
    Tensor pt, dyt; // in quads
} p;

void main()
{
    const uint i = gl_GlobalInvocationID.x, c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    if (i >= p.pt.plane) return;
    const uint row = i / p.pt.pitch, column = i % p.pt.pitch * 4;
    vec4 sums[9];
    [[unroll]] for (uint k = 0; k < 9; k++) sums[k] = vec4(0.0);
    [[unroll]] for (uint r = 0; r < 4; r++) {
        const uint line = at(p.dyt, n, c, row * 4 + r, 0);
        vec4 first, all, last;
        [[unroll]] for (uint k = 0; k < 4; k++) {
            const bool inside = column + k < p.dyt.pitch;
            vec4 v = quad(dy, inside ? line + column + k : line);
            if (!inside) v = vec4(0.0);
            first[k] = v.x;
            all[k] = (v.x + v.y) + (v.z + v.w);
            last[k] = v.w;
        }
        if (r == 0) sums[0] = first, sums[1] = all, sums[2] = last;
        sums[3] += first;
        sums[4] += all;
        sums[5] += last;
        if (r == 3) sums[6] = first, sums[7] = all, sums[8] = last;
    }
    const uint place = p.pt.offset + n * p.pt.stride_n + c * 9 * p.pt.plane + i;
    [[unroll]] for (uint k = 0; k < 9; k++) planes[place + k * p.pt.plane] = sums[k];
}
