/* The page of vkpix eval: gray | result | truth of each picture with its figures, for people to look at. */
#ifndef VKPIX_EVAL_PAGE_H
#define VKPIX_EVAL_PAGE_H

#include "image/scores.h"

/* One picture: with the model's colours, and with none at all. */
typedef struct vkp_eval_row {
    const char *name;
    int width, height;
    vkp_scores model, none;
} vkp_eval_row;

typedef struct vkp_eval_page {
    const char *folder;
    size_t count; /* pictures shown so far */
} vkp_eval_page;

/* Begins a page in `folder`, which is made where it is missing and must stay valid. An index.html that was
 * there is removed: the folder has one only when it is whole. Errors as vkp_folder_make; VKP_IO. */
VKP_MUST_USE vkp_status vkp_eval_page_begin(const char *folder, vkp_eval_page *page);

/* Writes the next picture, made small, as three JPEG files. VKP_IO, VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_eval_page_add(vkp_eval_page *page, const vkp_picture *gray,
                                          const vkp_picture *result, const vkp_picture *truth);

/* Writes index.html about the pictures added, of which rows[0..count) are the figures, in the same order.
 * `title` heads it, `settings` says below how the result was made. VKP_IO, VKP_MEMORY. */
VKP_MUST_USE vkp_status vkp_eval_page_finish(const vkp_eval_page *page, const vkp_eval_row *rows,
                                             const char *title, const char *settings);

#endif
