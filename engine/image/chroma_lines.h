/* Chroma lines: at each point of the network's rectangle, chroma as a straight line over the luma.
 *
 * Brought to full size and asked for the luma there, the lines give chroma that changes where the luma does,
 * so colours end at the edges of things; interpolated chroma alone would run over them. This is guided
 * upsampling (He, Sun and Tang, "Guided Image Filtering", 2010), with two differences: a line goes through
 * what was predicted at its own point, where the guided filter gives a mean of neighbouring lines, so that
 * nothing is blurred; and the predicted values are taken for what they are, means of an area (see below). */
#ifndef VKP_IMAGE_CHROMA_LINES_H
#define VKP_IMAGE_CHROMA_LINES_H

#include "image/fit.h"
#include "image/picture.h"

/* What there is of a point: chroma = C0 + C1 * luma, kept within what was predicted around it. */
enum {
    VKP_LINE_CR0, VKP_LINE_CB0, VKP_LINE_CR1, VKP_LINE_CB1,
    VKP_LINE_CR_LOW, VKP_LINE_CB_LOW, VKP_LINE_CR_HIGH, VKP_LINE_CB_HIGH,
    VKP_LINE_VALUES
};

typedef struct vkp_chroma_lines {
    float *points;        /* src_h x src_w x VKP_LINE_VALUES; malloc'd */
    float wide_x, wide_y; /* the luma to ask with: its mean over so many of the photograph's pixels, 1 to 5 */
} vkp_chroma_lines;

/* The lines of `original` for the planes Cr and Cb (2 x plan->src_h x plan->src_w), finite; `plan` is
 * vkp_unfit_make's for the original's size. With Y the area mean of the original's BT.601 luma (0..1) over
 * each point's pixels, and W the 3x3 window [1 4 1]/6 along both axes, the slope is
 *     C1 = W( (W(Y C) - W(Y) W(C)) / (W(Y Y) - W(Y)^2 + 0.001) )
 * and C0 = S(C) - C1 S(Y). S(X) = 2 X - K(X) undoes what bilinear interpolation does to area means: K is what
 * interpolation to full size and back by area means makes of X ([1 6 1]/8 where many pixels share a point,
 * nothing where each has its own). Low and high are the least and most C of the 3x3 points around, and 0.02
 * more: luma darker or lighter than any that the line was drawn by would lead to colours that are not there.
 * Beyond what the picture fills of the rectangle its border repeats; points that no pixel of the original
 * asks for are zero. The mean over wide_x by wide_y pixels (a quarter of what shares a point) keeps the grain
 * of the luma out of the chroma. vkp_chroma_lines_free afterwards; zeroed on failure. MEMORY. */
VKP_MUST_USE vkp_status vkp_chroma_lines_make(const vkp_fit_plan *plan, const vkp_picture *original,
                                              const float *crcb, vkp_chroma_lines *lines);
/* Frees the points; zeroed lines are fine. */
void vkp_chroma_lines_free(vkp_chroma_lines *lines);

/* Weights of a mean over `wide` pixels (1 to 5): of the middle one, of either neighbour, of either next. */
void vkp_box_weights(float wide, float weights[3]);

#endif
