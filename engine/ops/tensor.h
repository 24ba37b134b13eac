/* Tensors: where the elements of a 4-dimensional array lie in a program's buffer.
 *
 * Layout is NCHW, 32-bit floats. Activations have rows of `pitch` floats, the width rounded up to a
 * multiple of 4, so that a row starts on 16 bytes; the floats from w to pitch are zero in every tensor,
 * always: whoever writes a row writes them. Planes of one picture follow each other without a gap;
 * pictures are stride_n floats apart, which is more than c * plane for a slice of channels.
 * Parameters are packed (pitch = w), as PyTorch and the checkpoint files have them. */
#ifndef VKP_OPS_TENSOR_H
#define VKP_OPS_TENSOR_H

#include "vk/program.h"

typedef struct vkp_shape {
    uint32_t n, c, h, w;
} vkp_shape;

typedef struct vkp_tensor {
    uint32_t buffer;   /* the program's id; 0: no tensor */
    uint32_t pitch;    /* floats from row to row */
    uint64_t offset;   /* floats from the buffer's start to element (0,0,0,0) */
    uint64_t stride_n; /* floats from picture to picture */
    vkp_shape shape;
} vkp_tensor;

static inline uint32_t vkp_pitch(uint32_t w) { return (w + 3) & ~3u; }
static inline uint64_t vkp_shape_count(vkp_shape s) { return (uint64_t)s.n * s.c * s.h * s.w; }
static inline bool vkp_shape_equal(vkp_shape a, vkp_shape b)
{
    return a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w;
}
/* Floats from plane to plane. */
static inline uint64_t vkp_plane(const vkp_tensor *t) { return (uint64_t)t->shape.h * t->pitch; }
/* Floats from the first element to the end of the last picture's last row. */
static inline uint64_t vkp_extent(const vkp_tensor *t)
{
    return (t->shape.n - 1) * t->stride_n + t->shape.c * vkp_plane(t);
}

/* The layout of a whole activation or parameter at the start of a buffer. */
vkp_tensor vkp_tensor_activation(uint32_t buffer, vkp_shape shape);
vkp_tensor vkp_tensor_packed(uint32_t buffer, vkp_shape shape);

/* Channels [c, c + count) or pictures [n, n + count) of a tensor, in place. */
vkp_tensor vkp_tensor_channels(const vkp_tensor *t, uint32_t c, uint32_t count);
vkp_tensor vkp_tensor_pictures(const vkp_tensor *t, uint32_t n, uint32_t count);

/* Adds a planned buffer for a new tensor to a program. */
VKP_MUST_USE vkp_status vkp_tensor_new(vkp_program *program, vkp_shape shape, const char *name,
                                       vkp_tensor *out);
VKP_MUST_USE vkp_status vkp_tensor_new_packed(vkp_program *program, vkp_shape shape, const char *name,
                                              vkp_tensor *out);

/* How many pictures of every given tensor fit one storage binding of the device: at least 1. Operations
 * cut their dispatches into runs of that many. `tensors` holds `count` pointers; NULL ones are skipped. */
uint32_t vkp_pictures_per_binding(const vkp_device *device, const vkp_tensor *const *tensors, size_t count);
/* The same, where a picture also takes `groups` workgroups of the dispatch's third dimension. */
uint32_t vkp_pictures_per_dispatch(const vkp_device *device, const vkp_tensor *const *tensors, size_t count,
                                   uint32_t groups);

/* A tensor as shaders see it: `struct Tensor` of shaders/tensor.glsl, 4 words of push constants. */
typedef struct vkp_tensor_words {
    uint32_t offset; /* floats from the binding's start to element (0,0,0,0) */
    uint32_t stride_n, plane, pitch;
} vkp_tensor_words;

/* Adds a tensor (or parameter) to a dispatch as its next binding and its four words as its next push
 * constants. The binding starts at the aligned place before the tensor; the words hold the rest. */
void vkp_bind(const vkp_device *device, vkp_dispatch *dispatch, const vkp_tensor *tensor, vkp_access access);

/* The same, read through a texel buffer; `format` has `lanes` floats a texel, and offset, strides and
 * pitch arrive in texels, not floats. The tensor's rows must start on whole texels. */
void vkp_bind_texels(const vkp_device *device, vkp_dispatch *dispatch, const vkp_tensor *tensor,
                     VkFormat format, uint32_t lanes);
/* Whether the device allows that binding. */
bool vkp_texels_fit(const vkp_device *device, const vkp_tensor *tensor, uint32_t lanes);

/* The same for shaders that read quads of floats (shaders/quads.glsl), through a texel buffer or a storage
 * buffer: offset, strides and pitch arrive in quads either way. */
void vkp_bind_quads(const vkp_device *device, vkp_dispatch *dispatch, const vkp_tensor *tensor,
                    vkp_access access, bool texels);

/* Adds a 32-bit word, or a float, to the dispatch's push constants. */
void vkp_push(vkp_dispatch *dispatch, uint32_t word);
void vkp_push_float(vkp_dispatch *dispatch, float value);

/* Rounded up division, for numbers of groups. */
static inline uint32_t vkp_groups(uint64_t items, uint32_t size)
{
    return (uint32_t)((items + size - 1) / size);
}

#endif
