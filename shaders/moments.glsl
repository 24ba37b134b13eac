// Moments of a set of numbers: (how many, mean, sum of squared distances from it), and their union
// (Chan, Golub and LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances).
#ifndef MOMENTS_GLSL
#define MOMENTS_GLSL
vec3 merge(vec3 a, vec3 b)
{
    const float count = a.x + b.x, share = b.x / max(count, 1.0), d = b.y - a.y;
    return vec3(count, a.y + d * share, a.z + b.z + d * d * a.x * share);
}
#endif
