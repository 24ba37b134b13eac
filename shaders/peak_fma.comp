#version 450
// Nothing but multiply-adds in registers, to know what the device can do: WIDTH independent vec4 each, so that
// one's latency is another's work. The factors come from a buffer, where no compiler can see them.
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint WIDTH = 4;
layout(std430, binding = 0) writeonly buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer Work { float work[]; }; // turns of 16, factor, addend
const uint UNROLL = 16;

void main()
{
    const uint turns = uint(work[0]);
    const float factor = work[1], addend = work[2];
    vec4 sum[WIDTH];
    for (uint i = 0; i < WIDTH; i++) sum[i] = vec4(gl_GlobalInvocationID.x + i) + vec4(0.0, 0.25, 0.5, 0.75);
    for (uint turn = 0; turn < turns; turn++)
        [[unroll]] for (uint k = 0; k < UNROLL; k++)
            [[unroll]] for (uint i = 0; i < WIDTH; i++) sum[i] = sum[i] * factor + addend;
    vec4 all = vec4(0.0);
    for (uint i = 0; i < WIDTH; i++) all += sum[i];
    y[gl_GlobalInvocationID.x] = (all.x + all.y) + (all.z + all.w);
}
