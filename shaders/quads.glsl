// A tensor read four floats at a time: with TEXELS through a texel buffer, which software drivers read
// several times faster, else through a storage buffer, for devices whose texel buffers are too small.
// The host binds it with vkp_bind_quads; its Tensor is in quads. A shader that wants both is written once
// in a .glsl file, with a .comp file for each.
#ifndef QUADS_GLSL
#define QUADS_GLSL
#ifdef TEXELS
#define QUADS(place, name) layout(binding = place) uniform samplerBuffer name
#define quad(name, i) texelFetch(name, int(i))
#else
#define QUADS(place, name) \
    layout(std430, binding = place) readonly buffer name##_block { vec4 values[]; } name
#define quad(name, i) name.values[i]
#endif
#endif
