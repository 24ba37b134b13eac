/* Elementwise passes: how the groups of a dispatch share a tensor's planes, and how that is told to the
 * shader (shaders/walk.glsl). A group has 64 invocations, each of which takes `each` quadruples of floats of
 * one plane; the dispatch has `groups` of them along x for a plane. */
#ifndef VKP_OPS_WALK_H
#define VKP_OPS_WALK_H

#include "ops/tensor.h"

typedef struct vkp_walk {
    uint32_t each, groups;
    uint32_t row, count; /* quadruples of a row and of a plane */
} vkp_walk;

/* The walk through the planes of t, whose rows are padded: `each` quadruples for an invocation, or more where
 * a plane would need too many groups. */
vkp_walk vkp_walk_of(const vkp_tensor *t, uint32_t each);

/* The same in tiles of side x side quadruples, those at a plane's right and lower edge being cut off. */
vkp_walk vkp_walk_of_tiles(const vkp_tensor *t, uint32_t side, uint32_t each);

/* Adds the walk through the planes of t to the push constants: `struct Walk`, 4 words. */
void vkp_push_walk(vkp_dispatch *dispatch, const vkp_tensor *t, vkp_walk walk);

/* How many pictures, at most those of the first tensor, one dispatch with a group along z for each can take.
 * `tensors` as vkp_pictures_per_binding has them. */
uint32_t vkp_walk_pictures(const vkp_device *device, const vkp_tensor *const *tensors, size_t count);

/* t with all planes of a picture, which follow each other without a gap, as one: for passes that need not
 * know the channels, so that many small planes cost no more than a large one. */
vkp_tensor vkp_walk_one_plane(const vkp_tensor *t);

/* Whether rows have floats that are no elements, so that shaders must mask them. */
static inline bool vkp_has_padding(const vkp_tensor *t) { return t->pitch != t->shape.w; }

#endif
