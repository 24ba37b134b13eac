/* Sheets: one picture coloured at several working sizes, side by side, for a person to choose from. */
#ifndef VKPIX_SHEET_H
#define VKPIX_SHEET_H

#include "nn/colorizer.h"
#include "options.h"

enum { VKP_SHEET_SIZES = 5, VKP_SHEET_SIDE = 512 };

/* One colorizer a working size, the smallest first. */
typedef struct vkp_sheet {
    vkp_device *device;
    size_t count;
    vkp_colorizer *colorizers[VKP_SHEET_SIZES];
} vkp_sheet;

/* Opens the device and the model that the options name, at working sizes of 128, 192, 256, 384 and 512. Sizes
 * that the device has no memory for are left out, which is said on standard error, but for the smallest.
 * Errors as vkp_options_colorizer; *sheet is empty then. vkp_sheet_close afterwards. */
VKP_MUST_USE vkp_status vkp_sheet_open(const vkp_options *options, vkp_sheet *sheet);
void vkp_sheet_close(vkp_sheet *sheet);

/* Makes one coloured version of `original`, at its size, with this colorizer. */
typedef vkp_status (*vkp_sheet_colour)(const void *user, vkp_colorizer *colorizer,
                                       const vkp_picture *original, vkp_picture *colored);

/* The original and, as `colour` makes them, all versions, each with its working size below; their longer side
 * is VKP_SHEET_SIDE at most. *out is a new picture (vkp_picture_free), zeroed on failure. Errors are colour's
 * and vkp_grid_captioned's. */
VKP_MUST_USE vkp_status vkp_sheet_make(const vkp_sheet *sheet, vkp_sheet_colour colour, const void *user,
                                       const vkp_picture *original, vkp_picture *out);

#endif
