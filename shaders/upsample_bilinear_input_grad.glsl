// The transpose: every pixel sums the outputs of the two intervals that it ends.
#include "upsample_bilinear.glsl"
layout(std430, binding = 0) buffer DX { vec4 dx[]; };
QUADS(1, dy);
const int LEFT = (BEFORE + 3) / 4, RIGHT = (FIRST + 3) / 4; // quadruples beside the strip's own FACTOR

// What row `row` of dy gives to the four columns of the strip.
vec4 gather(uint plane, int row, int q)
{
    const uint start = plane + row * p.from.pitch;
    const int pitch = int(p.from.pitch), w = int(p.w);
    vec4 near[LEFT + FACTOR + RIGHT];
    for (int i = 0; i < LEFT + FACTOR + RIGHT; i++) {
        const int column = q * FACTOR + i - LEFT;
        const bool inside = column >= 0 && column < pitch;
        near[i] = mix(vec4(0.0), quad(dy, start + (inside ? column : 0)), bvec4(inside));
    }
    float low[5], high[5]; // what intervals 4q - 1 to 4q + 3 give to their first and their second pixel
    for (int i = 0; i < 5; i++) {
        low[i] = high[i] = 0.0;
        for (int t = 0; t < FACTOR; t++) {
            const int k = 4 * LEFT - BEFORE + i * FACTOR + t;
            const float v = near[k / 4][k % 4];
            low[i] += (1.0 - weight(t)) * v;
            high[i] += weight(t) * v;
        }
    }
    vec4 sum;
    for (int i = 0; i < 4; i++) sum[i] = 4 * q + i < w ? low[i + 1] + high[i] : 0.0;
    if (q == 0) sum.x += low[0];
    for (int i = 0; i < 4; i++)
        if (4 * q + i == w - 1) sum[i] += high[i + 1];
    return sum;
}

void main()
{
    const uint n = gl_WorkGroupID.y, items = p.items, step = p.step;
    const int h = int(p.h);
    for (uint i = gl_GlobalInvocationID.x; i < items; i += step) {
        const Strip s = strip_of(i, p.to.pitch);
        const uint from = at(p.from, n, s.c, 0, 0), to = at(p.to, n, s.c, 0, 0) + s.q;
        vec4 above = vec4(0.0); // what the interval above gives to row s.y + k
        for (int k = -1; k < HIGH && s.y + k < h; k++) {
            vec4 low = vec4(0.0), high = vec4(0.0);
            for (int t = 0; t < FACTOR; t++) {
                const int row = FACTOR * (s.y + k) + FIRST + t;
                if (row < 0 || row >= FACTOR * h) continue;
                const vec4 v = gather(from, row, s.q);
                low += (1.0 - weight(t)) * v;
                high += weight(t) * v;
            }
            if (k >= 0) {
                vec4 sum = above + low;
                if (s.y + k == h - 1) sum += high;
                const uint place = to + (s.y + k) * p.to.pitch;
                dx[place] = ADD ? dx[place] + sum : sum;
            }
            above = s.y + k < 0 ? low + high : high;
        }
    }
}
