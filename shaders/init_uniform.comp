#version 450
// Uniform numbers: engine/ops/init_uniform.c says which. A turn of the loop makes one block of 4.
#extension GL_GOOGLE_include_directive : require
#include "philox.glsl"
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer Key { float pieces[]; };
layout(push_constant) uniform Push {
    Tensor yt, kt;
    uint count, step;           // elements; invocations that share the blocks
    uint block_low, block_high; // of element 0
    float bound;
} p;

uint word(uint i)
{
    const uint at_piece = p.kt.offset + 2 * i;
    return uint(pieces[at_piece]) | uint(pieces[at_piece + 1]) << 16;
}

void main()
{
    const uint count = p.count, blocks = (count + 3) / 4, step = p.step, to = p.yt.offset;
    const uvec2 key = uvec2(word(0), word(1)), stream = uvec2(word(2), word(3));
    for (uint i = gl_GlobalInvocationID.x; i < blocks; i += step) {
        uint carry;
        const uint low = uaddCarry(p.block_low, i, carry);
        const uvec4 bits = philox4x32(uvec4(low, p.block_high + carry, stream), key);
        const vec4 centred = 2.0 * (vec4(bits >> 8) * (1.0 / 16777216.0)) - 1.0; // exact: 24 bits and a sign
        for (uint k = 0; k < 4; k++)
            if (4 * i + k < count) y[to + 4 * i + k] = centred[k] * p.bound;
    }
}
