/* The options by which colorize and eval choose a model and how it is used. */
#ifndef VKPIX_MODEL_OPTIONS_H
#define VKPIX_MODEL_OPTIONS_H

#include "nn/built_in.h"
#include "nn/colorizer.h"
#include "options.h"

/* Rows for a command's table. */
#define VKP_OPTION_MODEL                                                                                    \
    {"model", "NAME|FILE|RUN", "the network: a built-in one (" VKP_BUILT_IN_NAMES "), a "                   \
                               "generator.safetensors, or a run folder (its best checkpoint); "             \
                               VKP_BUILT_IN_DEFAULT " by default"}
#define VKP_MODEL_OPTIONS                                                                                   \
    VKP_OPTION_MODEL,                                                                                       \
    {"size", "N", "side of what the network sees, a multiple of 16, for natural of 32; else the run's, "    \
                  "else 320"},                                                                              \
    {"fit", "WAY", "how a picture becomes what the network sees: wrap, stretch, black, crop or rotate, "    \
                   "or for natural aspect; else the run's, else wrap"},                                     \
    {"flip-average", NULL, "predict for the mirrored picture too and take the mean; takes twice the time"}, \
    {"saturation", "X", "factor for the colours, 0 to 10; 1: as predicted; else the model's own"}

/* Opens the device and the model that the options name, and says on standard error which they are. Both are
 * NULL on failure; else vkp_colorizer_destroy and vkp_options_close afterwards. VKP_USAGE for an option's
 * value, before any device is opened; and as vkp_device_open and vkp_colorizer_create. */
VKP_MUST_USE vkp_status vkp_options_colorizer(const vkp_options *options, vkp_device **device,
                                              vkp_colorizer **colorizer);

/* *chosen = the model as the options name it, for vkp_colorizer_create; *fit is where its `fit` may point.
 * VKP_USAGE for an option's value. */
VKP_MUST_USE vkp_status vkp_options_model(const vkp_options *options, vkp_fit *fit,
                                          vkp_colorizer_options *chosen);

/* *factor = what --saturation says, negative where it is not given. VKP_USAGE. */
VKP_MUST_USE vkp_status vkp_options_saturation(const vkp_options *options, double *factor);
/* That factor, or the model's own where none was given. */
double vkp_saturation(double given, const vkp_colorizer *colorizer);

#endif
