// How a group of LANES invocations goes through its part of a plane, a quadruple of floats at a time:
// engine/ops/walk.h in GLSL. The row and the place in it are kept by addition, since dividing for each
// quadruple would cost more than the work on it.
#ifndef WALK_GLSL
#define WALK_GLSL
const uint LANES = 64;
struct Walk {
    uint w;     // elements of a row
    uint row;   // quadruples of a row
    uint count; // quadruples of a plane
    uint each;  // quadruples for one invocation
};
struct Place {
    uint i;          // the quadruple's number in the plane
    uint y, x;       // its row, and its number in the row
    uint di, dy, dx; // from a quadruple to this invocation's next
};

Place walk_start(Walk walk)
{
    const uint i = gl_WorkGroupID.x * (LANES * walk.each) + gl_LocalInvocationID.x;
    return Place(i, i / walk.row, i % walk.row, LANES, LANES / walk.row, LANES % walk.row);
}

// The start of an invocation that goes through a whole plane alone.
Place walk_start_alone(Walk walk) { return Place(0, 0, 0, 1, 1 / walk.row, 1 % walk.row); }

void walk_step(Walk walk, inout Place at)
{
    at.i += at.di;
    at.y += at.dy;
    at.x += at.dx;
    if (at.x >= walk.row) {
        at.x -= walk.row;
        at.y++;
    }
}

// The quadruple's elements in columns [from, to), zeros elsewhere. Selected, not multiplied: a NaN outside
// stays outside.
vec4 walk_keep(Place at, vec4 v, float from, float to)
{
    const vec4 column = float(4 * at.x) + vec4(0.0, 1.0, 2.0, 3.0);
    v = mix(vec4(0.0), v, greaterThanEqual(column, vec4(from)));
    return mix(vec4(0.0), v, lessThan(column, vec4(to)));
}
#endif
