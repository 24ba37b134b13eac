#include "sheet.h"

#include <stdio.h>

#include "image/grid.h"
#include "image/thumbnail.h"
#include "model_options.h"
#include "report.h"

/* Multiples of 64, which suit every network there is. */
static const uint32_t sizes[VKP_SHEET_SIZES] = {128, 192, 256, 384, 512};

static vkp_status open_all(const vkp_options *options, vkp_sheet *sheet)
{
    vkp_fit fit;
    vkp_colorizer_options chosen;
    VKP_TRY(vkp_options_model(options, &fit, &chosen));
    VKP_TRY(vkp_options_device(options, &sheet->device));
    for (size_t i = 0; i < VKP_SHEET_SIZES; i++) {
        chosen.size = sizes[i];
        const vkp_status status =
            vkp_colorizer_create(sheet->device, &chosen, &sheet->colorizers[sheet->count]);
        if (status == VKP_OK) {
            sheet->count++;
            continue;
        }
        if (status != VKP_DEVICE_MEMORY || !sheet->count) return status;
        vkp_report("size %u is left out: %s", sizes[i], vkp_error());
        break;
    }
    vkp_report("model: %s (fit %s)", vkp_colorizer_model(sheet->colorizers[0]),
               vkp_fit_name(vkp_colorizer_fit(sheet->colorizers[0])));
    return VKP_OK;
}

vkp_status vkp_sheet_open(const vkp_options *options, vkp_sheet *sheet)
{
    *sheet = (vkp_sheet){.count = 0};
    const vkp_status status = open_all(options, sheet);
    if (status != VKP_OK) vkp_sheet_close(sheet);
    return status;
}

void vkp_sheet_close(vkp_sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++) vkp_colorizer_destroy(sheet->colorizers[i]);
    if (sheet->device) vkp_options_close(sheet->device);
    *sheet = (vkp_sheet){.count = 0};
}

static vkp_status make_version(vkp_colorizer *colorizer, vkp_sheet_colour colour, const void *user,
                               const vkp_picture *original, vkp_picture *small)
{
    vkp_picture colored;
    VKP_TRY(colour(user, colorizer, original, &colored));
    const vkp_status status = vkp_thumbnail(&colored, VKP_SHEET_SIDE, small);
    vkp_picture_free(&colored);
    return status;
}

/* `pictures` has `count`, all of one size. */
static vkp_status lay_out(const vkp_sheet *sheet, const vkp_picture *pictures, size_t count, vkp_picture *out)
{
    const uint8_t *pixels[VKP_SHEET_SIZES + 1];
    const char *captions[VKP_SHEET_SIZES + 1] = {"original"};
    char numbers[VKP_SHEET_SIZES + 1][16];
    for (size_t i = 0; i < count; i++) {
        pixels[i] = pictures[i].rgba;
        if (!i) continue;
        snprintf(numbers[i], sizeof numbers[i], "%u", vkp_colorizer_size(sheet->colorizers[i - 1]));
        captions[i] = numbers[i];
    }
    vkp_grid grid;
    VKP_TRY(vkp_grid_captioned(pixels, captions, (int)count, 0, pictures->width, pictures->height, &grid));
    *out = (vkp_picture){.width = grid.width, .height = grid.height, .rgba = grid.rgba};
    return VKP_OK;
}

vkp_status vkp_sheet_make(const vkp_sheet *sheet, vkp_sheet_colour colour, const void *user,
                          const vkp_picture *original, vkp_picture *out)
{
    vkp_picture pictures[VKP_SHEET_SIZES + 1] = {{0}};
    *out = (vkp_picture){0};
    vkp_status status = vkp_thumbnail(original, VKP_SHEET_SIDE, &pictures[0]);
    for (size_t i = 0; i < sheet->count && status == VKP_OK; i++)
        status = make_version(sheet->colorizers[i], colour, user, original, &pictures[i + 1]);
    if (status == VKP_OK) status = lay_out(sheet, pictures, sheet->count + 1, out);
    for (size_t i = 0; i <= sheet->count; i++) vkp_picture_free(&pictures[i]);
    return status;
}
