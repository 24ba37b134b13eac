// How shaders find a tensor's elements: engine/ops/tensor.h in GLSL. All in floats (or texels).
#ifndef TENSOR_GLSL
#define TENSOR_GLSL
struct Tensor {
    uint offset;   // from the binding's start to element (0,0,0,0)
    uint stride_n; // from picture to picture
    uint plane;    // from channel to channel
    uint pitch;    // from row to row
};
uint at(Tensor t, uint n, uint c, uint y, uint x)
{
    return t.offset + n * t.stride_n + c * t.plane + y * t.pitch + x;
}
#endif
