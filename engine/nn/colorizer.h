/* Colorizer: a trained generator, ready to colour pictures of any size, one after the other. */
#ifndef VKP_NN_COLORIZER_H
#define VKP_NN_COLORIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "image/fit.h"
#include "image/picture.h"
#include "vk/device.h"

enum { VKP_COLORIZER_SIZE = 320, VKP_COLORIZER_MAX_SIZE = 4096 };

typedef struct vkp_colorizer_options {
    const char *model;  /* as vkp_weights_find takes it */
    uint32_t size;      /* setting of the network's rectangle (vkp_fit_output); 0: the run's, else 320, or
                           less where memory is short or, with aspect, the picture is smaller */
    const vkp_fit *fit; /* NULL: aspect for natural, else the run's, else wrap */
    bool flip_average;  /* predict for the mirrored picture too, and take the mean */
} vkp_colorizer_options;

typedef struct vkp_colorizer vkp_colorizer;

/* Loads the model and builds its program on the device. VKP_USAGE: no model, or a size that is no multiple of
 * 16 within 16..4096; VKP_INPUT, VKP_IO, VKP_FORMAT: the model's files; DEVICE_MEMORY and other errors of the
 * device. vkp_colorizer_destroy afterwards, before the device is closed; *out is NULL on failure. */
VKP_MUST_USE vkp_status vkp_colorizer_create(vkp_device *device, const vkp_colorizer_options *options,
                                             vkp_colorizer **out);
void vkp_colorizer_destroy(vkp_colorizer *colorizer);

/* The weights' name (vkp_weights), and what was settled on. */
const char *vkp_colorizer_model(const vkp_colorizer *colorizer);
uint32_t vkp_colorizer_size(const vkp_colorizer *colorizer);
vkp_fit vkp_colorizer_fit(const vkp_colorizer *colorizer);
/* The factor that suits the model's colours (its `boost`); 1 where nothing is said. */
double vkp_colorizer_saturation(const vkp_colorizer *colorizer);

/* Predicts the chroma of a picture, of which only the luma counts, and keeps it until the next prediction.
 * With `aspect`, a picture longer than 1.25 sizes is first brought to that length by means of areas.
 * SHAPE: a side above 2^24 pixels; NOT_FINITE: the prediction has NaN or infinity; INPUT: it is all one
 * strong colour (vkp_chroma_check); MEMORY; errors of the device. */
VKP_MUST_USE vkp_status vkp_colorizer_predict(vkp_colorizer *colorizer, const vkp_picture *picture);

/* Joins the predicted chroma, times `saturation` (1: as predicted, 0: none), with the luma of the picture
 * that it was predicted for, at that picture's own size; see vkp_joiner_run. DEVICE: the result is broken
 * (vkp_result_check). *colored is a new picture, vkp_picture_free afterwards; zeroed on failure. */
VKP_MUST_USE vkp_status vkp_colorizer_join(vkp_colorizer *colorizer, const vkp_picture *picture,
                                           float saturation, vkp_picture *colored);

/* The network's own picture: the predicted chroma joined with the luma that the network saw, cropped to the
 * picture's aspect ratio (vkp_fit_aspect_crop), turned pictures turned back; opaque. *seen is the input at
 * the same size, in its own colours. Both are new pictures, zeroed on failure;
 * vkp_picture_free afterwards. */
VKP_MUST_USE vkp_status vkp_colorizer_join_small(vkp_colorizer *colorizer, const vkp_picture *picture,
                                                 float saturation, vkp_picture *colored, vkp_picture *seen);

#endif
