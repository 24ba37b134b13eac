// Nothing but multiply-adds in registers, to know what a device can do: several independent vec4 each, so
// that one's latency is another's work. The factors come from a buffer, where no compiler can see them. It is
// written out because not every compiler sees through arrays, loops or branches on constants.
layout(local_size_x = 64) in;
layout(std430, binding = 0) writeonly buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer Work { float work[]; }; // turns of 16, factor, addend
#define THREE a = a * factor + addend; b = b * factor + addend; c = c * factor + addend;
#if WIDTH == 3
#define ONCE THREE
#else
#define ONCE THREE d = d * factor + addend; e = e * factor + addend; f = f * factor + addend; \
    g = g * factor + addend; h = h * factor + addend;
#endif
#define FOUR_TIMES ONCE ONCE ONCE ONCE

void main()
{
    const uint turns = uint(work[0]);
    const float factor = work[1], addend = work[2];
    vec4 a = vec4(gl_GlobalInvocationID.x) + vec4(0.0, 0.25, 0.5, 0.75);
    vec4 b = a + 1.0, c = a + 2.0, d = a + 3.0, e = a + 4.0, f = a + 5.0, g = a + 6.0, h = a + 7.0;
    for (uint turn = 0; turn < turns; turn++) { FOUR_TIMES FOUR_TIMES FOUR_TIMES FOUR_TIMES }
    const vec4 sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    y[gl_GlobalInvocationID.x] = (sum.x + sum.y) + (sum.z + sum.w);
}
