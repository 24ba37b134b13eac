/* Chroma as classes (Zhang, Isola and Efros 2016): the classes are the nodes of a k x k grid over Cr and Cb,
 * and logits (n,k*k,h,w) say for each pixel how likely each node is. k is attr.kernel. Node j of an axis lies
 * at -attr.scale + 2 * attr.scale * j / (k - 1), and class r * k + b is node r of Cr with node b of Cb.
 * What soft_classes.c and expected_chroma.c share. */
#ifndef VKP_OPS_CHROMA_CLASSES_H
#define VKP_OPS_CHROMA_CLASSES_H

#include "ops/op.h"

/* SHAPE unless input 0 of the node are logits of such a grid, of 2 x 2 to 64 x 64 nodes. */
VKP_MUST_USE vkp_status vkp_chroma_classes_check(const vkp_node *node);

/* A pass over the logits of a node. Its shader, as shaders/chroma_classes.glsl begins it, gets the tensors in
 * this order, those that are NULL left out; it has invocations for the quadruples of a plane of pixels. */
typedef struct vkp_class_pass {
    vkp_shader shader, texel_shader; /* the latter reads the logits through a texel buffer */
    const vkp_tensor *result;        /* a picture for each of the logits' */
    const vkp_tensor *target;        /* a picture for each of the logits' */
    const vkp_tensor *weights;       /* for all pictures */
    bool weighted, add;              /* specialization constants 1 and 2; constant 0 is k */
    float factor;                    /* the last push constant, whatever the shader takes it for */
} vkp_class_pass;

/* Groups of a pass for each picture of these logits. */
uint32_t vkp_class_pass_groups(const vkp_tensor *logits);
VKP_MUST_USE vkp_status vkp_class_pass_record(vkp_program *program, const vkp_node *node,
                                              const vkp_class_pass *pass);

/* The place of node j of an axis. */
double vkp_chroma_node(const vkp_attr *attr, uint32_t j);

#endif
