// The sum of one value from each of a group's 64 invocations, always in the same order; every invocation of
// the group calls it, invocation 0 gets the sum.
#ifndef GROUP_SUM_GLSL
#define GROUP_SUM_GLSL
shared float group_part[64];

float group_sum(float value)
{
    const uint lane = gl_LocalInvocationID.x;
    group_part[lane] = value;
    for (uint half_count = 32; half_count > 0; half_count /= 2) {
        barrier();
        if (lane < half_count) group_part[lane] += group_part[lane + half_count];
    }
    return group_part[0];
}
#endif
