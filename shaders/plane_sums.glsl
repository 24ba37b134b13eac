// The sum of a slice of each plane of a, scaled, and that of a times b. Padding is zero and adds nothing.
#include "group_sum.glsl"
#include "quads.glsl"
#include "tensor.glsl"
layout(local_size_x = 64) in;
layout(constant_id = 0) const bool ALONE = false; // an invocation takes a plane, not a group a slice
layout(constant_id = 1) const bool PRODUCTS = false;
layout(constant_id = 2) const bool ADD = false;
layout(std430, binding = 0) buffer S { vec4 sums[]; }; // [n][c][slice]
layout(std430, binding = 1) buffer T { vec4 products[]; };
QUADS(2, a);
QUADS(3, b);
layout(push_constant) uniform Push {
    Tensor st, tt, at, bt; // in quads
    uint slice;            // quads
    uint channels;
    float scale;
} p;

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }

void main()
{
    const uint lane = gl_LocalInvocationID.x, n = gl_WorkGroupID.z, slice = gl_WorkGroupID.x;
    const uint c = ALONE ? gl_WorkGroupID.y * 64 + lane : gl_WorkGroupID.y;
    if (ALONE && c >= p.channels) return;
    const uint first = slice * p.slice, end = min(first + p.slice, p.at.plane);
    const uint from_a = at(p.at, n, c, 0, 0), from_b = at(p.bt, n, c, 0, 0);
    vec4 sum = vec4(0.0), product = vec4(0.0);
    for (uint i = first + (ALONE ? 0 : lane); i < end; i += ALONE ? 1 : 64) {
        const vec4 v = quad(a, from_a + i);
        sum += v;
        if (PRODUCTS) product += v * quad(b, from_b + i);
    }
    float all = total(sum), all_products = total(product);
    if (!ALONE) {
        all = group_sum(all);
        barrier(); // read before the next begins
        if (PRODUCTS) all_products = group_sum(all_products);
        if (lane != 0) return;
    }
    all *= p.scale;
    all_products *= p.scale;
    const uint to = at(p.st, n, c, slice, 0), to_products = at(p.tt, n, c, slice, 0);
    if (ADD) all += sums[to].x;
    sums[to] = vec4(all, 0.0, 0.0, 0.0);
    if (PRODUCTS) {
        if (ADD) all_products += products[to_products].x;
        products[to_products] = vec4(all_products, 0.0, 0.0, 0.0);
    }
}
