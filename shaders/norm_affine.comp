#version 450
// What the passes over pixels need of each channel in one place: (mean, 1/deviation, gamma, beta), and zeros
// where norm_grad_merge leaves the means that its gradient needs.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool GAMMA = true;
layout(constant_id = 1) const bool BETA = true;
layout(std430, binding = 0) writeonly buffer K { vec4 table[]; }; // [g][c][2]
layout(std430, binding = 1) readonly buffer S { float stats[]; };
layout(std430, binding = 2) readonly buffer G { float gamma[]; };
layout(std430, binding = 3) readonly buffer B { float beta[]; };
layout(push_constant) uniform Push {
    Tensor kt, st, gt, bt; // kt in quads
    uint channels;
    float eps;
} p;

void main()
{
    const uint c = gl_GlobalInvocationID.x, g = gl_WorkGroupID.y;
    if (c >= p.channels) return;
    const uint place = at(p.kt, g, c, 0, 0), from = at(p.st, g, c, 0, 0);
    table[place] = vec4(stats[from], 1.0 / sqrt(stats[from + 1] + p.eps),
                        GAMMA ? gamma[p.gt.offset + c] : 1.0, BETA ? beta[p.bt.offset + c] : 0.0);
    table[place + 1] = vec4(0.0);
}
