#include "upsample_bilinear.glsl"
layout(std430, binding = 0) writeonly buffer Y { vec4 y[]; };
QUADS(1, x);

// Row `row` of the strip's columns, as wide as the output: FACTOR quadruples for the strip's one.
void widen(uint plane, int row, int q, out vec4 wide[FACTOR])
{
    const uint start = plane + clamp(row, 0, int(p.h) - 1) * p.from.pitch;
    const int w = int(p.w), last = int(p.from.pitch) - 1;
    const vec4 own = quad(x, start + q);
    float near[6]; // columns 4q - 1 to 4q + 4
    near[0] = q > 0 ? quad(x, start + max(q - 1, 0)).w : own.x;
    for (int i = 0; i < 4; i++) near[1 + i] = own[i];
    near[5] = quad(x, start + min(q + 1, last)).x;
    for (int i = 1; i < 6; i++)
        if (4 * q + i - 1 >= w) near[i] = near[i - 1];
    for (int i = 0; i < 4 * FACTOR; i++) {
        const int k = (i + BEFORE) / FACTOR;
        const float v = near[k] + weight((i + BEFORE) % FACTOR) * (near[k + 1] - near[k]);
        wide[i / 4][i % 4] = 4 * q * FACTOR + i < w * FACTOR ? v : 0.0;
    }
}

void main()
{
    const uint n = gl_WorkGroupID.y, items = p.items, step = p.step;
    const int h = int(p.h), pitch = int(p.to.pitch);
    for (uint i = gl_GlobalInvocationID.x; i < items; i += step) {
        const Strip s = strip_of(i, p.from.pitch);
        const uint from = at(p.from, n, s.c, 0, 0), to = at(p.to, n, s.c, 0, 0) + s.q * FACTOR;
        vec4 above[FACTOR], below[FACTOR];
        widen(from, s.y - 1, s.q, above);
        // One interval of rows more than rows; of the first and last, only the outputs of this strip.
        for (int k = -1; k < HIGH && s.y + k < h; k++) {
            widen(from, s.y + k + 1, s.q, below);
            for (int t = 0; t < FACTOR; t++) {
                const int row = FACTOR * (s.y + k) + FIRST + t;
                if (row < FACTOR * s.y || row >= FACTOR * min(s.y + HIGH, h)) continue;
                for (int j = 0; j < FACTOR; j++)
                    if (s.q * FACTOR + j < pitch)
                        y[to + row * pitch + j] = above[j] + weight(t) * (below[j] - above[j]);
            }
            for (int j = 0; j < FACTOR; j++) above[j] = below[j];
        }
    }
}
