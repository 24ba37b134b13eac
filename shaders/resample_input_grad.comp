#version 450
// The gradient of resample by its input: the adjoint of the gather, itself as a gather, so that no two
// invocations add to one place and two runs agree to the bit. An invocation makes 4 pixels of a row and goes
// through all rows of the tables, and through all columns for each row that reads its own: time grows with
// the output's sides, which is fine for what trains through a resize once a step.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const bool ADD = false;
layout(std430, binding = 0) buffer DX { vec4 dx[]; };
layout(std430, binding = 1) readonly buffer DY { float dy[]; };
layout(std430, binding = 2) readonly buffer R { float rows[]; }; // triples: two indices, or -1, and a weight
layout(std430, binding = 3) readonly buffer C { float cols[]; };
layout(push_constant) uniform Push {
    Tensor dxt, dyt, rt, ct;
    uint c, hx, wx, hy, wy;
} p;

void main()
{
    const uint x = gl_GlobalInvocationID.x * 4, y = gl_GlobalInvocationID.y;
    const uint n = gl_WorkGroupID.z / p.c, c = gl_WorkGroupID.z % p.c;
    const uint hy = p.hy, wy = p.wy, rt = p.rt.offset, ct = p.ct.offset;
    if (x >= p.wx || y >= p.hx) return;
    const float own_row = float(y);
    const vec4 own = vec4(x, x + 1, x + 2, x + 3); // places in the padding are in no table: they get 0
    vec4 sum = vec4(0.0);
    for (uint i = 0; i < hy; i++) {
        const float r0 = rows[rt + 3 * i], r1 = rows[rt + 3 * i + 1], rw = rows[rt + 3 * i + 2];
        if (r0 != own_row && r1 != own_row) continue;
        const uint row = at(p.dyt, n, c, i, 0);
        vec4 line = vec4(0.0);
        for (uint j = 0; j < wy; j++) {
            const float c0 = cols[ct + 3 * j], c1 = cols[ct + 3 * j + 1], cw = cols[ct + 3 * j + 2];
            const vec4 weight = mix(vec4(0.0), vec4(1.0 - cw), equal(own, vec4(c0))) +
                                mix(vec4(0.0), vec4(cw), equal(own, vec4(c1)));
            line += weight * dy[row + j];
        }
        sum += ((r0 == own_row ? 1.0 - rw : 0.0) + (r1 == own_row ? rw : 0.0)) * line;
    }
    const uint place = at(p.dxt, n, c, y, x) / 4;
    dx[place] = ADD ? dx[place] + sum : sum;
}
