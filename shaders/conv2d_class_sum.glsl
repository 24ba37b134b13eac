// Sums the output gradient of a convolution of an upsampled input over the rows and columns that see the
// same inputs (vkp_conv2d_class_sums in engine/ops/conv2d.h). An invocation makes 4 pixels of every class.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "tensor.glsl"
#include "quads.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint UPSAMPLE = 4; // 2 or 4
layout(std430, binding = 0) writeonly buffer P { vec4 planes[]; };
QUADS(1, dy);
layout(push_constant) uniform Push {
    Tensor pt, dyt; // in quads
    uint w;         // of the planes
} p;
const uint SIDE = UPSAMPLE == 2 ? 2 : 3; // classes of rows, and of columns

void main()
{
    const uint i = gl_GlobalInvocationID.x, c = gl_WorkGroupID.y, n = gl_WorkGroupID.z;
    if (i >= p.pt.plane) return;
    const uint row = i / p.pt.pitch, column = i % p.pt.pitch;
    vec4 sums[SIDE * SIDE];
    [[unroll]] for (uint k = 0; k < SIDE * SIDE; k++) sums[k] = vec4(0.0);
    [[unroll]] for (uint r = 0; r < UPSAMPLE; r++) {
        const uint line = at(p.dyt, n, c, row * UPSAMPLE + r, column * UPSAMPLE);
        vec4 v[UPSAMPLE];
        [[unroll]] for (uint k = 0; k < UPSAMPLE; k++) {
            const bool inside = (column * UPSAMPLE + k) * 4 < p.w * UPSAMPLE;
            v[k] = quad(dy, inside ? line + k : line);
            if (!inside) v[k] = vec4(0.0);
        }
        const uint rows = r == 0 ? 0 : r == UPSAMPLE - 1 ? SIDE - 1 : 1;
        [[unroll]] for (uint k = 0; k < 4; k++) {
            const vec4 u = v[k * UPSAMPLE / 4];
            if (UPSAMPLE == 2) {
                sums[rows * SIDE][k] += k % 2 == 0 ? u.x : u.z;
                sums[rows * SIDE + 1][k] += k % 2 == 0 ? u.y : u.w;
            } else {
                sums[rows * SIDE][k] += u.x;
                sums[rows * SIDE + 1][k] += u.y + u.z;
                sums[rows * SIDE + 2][k] += u.w;
            }
        }
    }
    const uint place = p.pt.offset + n * p.pt.stride_n + c * SIDE * SIDE * p.pt.plane + i;
    [[unroll]] for (uint k = 0; k < SIDE * SIDE; k++) planes[place + k * p.pt.plane] = sums[k];
}
