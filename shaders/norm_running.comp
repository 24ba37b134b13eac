#version 450
// Evaluation: the running statistics stand for those of the batch, or of a part of it.
#extension GL_GOOGLE_include_directive : require
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer S { float stats[]; };
layout(std430, binding = 1) readonly buffer M { float running_mean[]; };
layout(std430, binding = 2) readonly buffer V { float running_var[]; };
layout(push_constant) uniform Push {
    Tensor st, mt, vt;
    uint channels;
} p;

void main()
{
    const uint c = gl_GlobalInvocationID.x, g = gl_WorkGroupID.y;
    if (c >= p.channels) return;
    const uint place = at(p.st, g, c, 0, 0);
    stats[place] = running_mean[p.mt.offset + c];
    stats[place + 1] = running_var[p.vt.offset + c];
}
