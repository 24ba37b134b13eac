/* A generator with random weights, for tests that need a model but not what it has learned. */
#ifndef VKP_TEST_SMALL_MODEL_H
#define VKP_TEST_SMALL_MODEL_H

#include "nn/params.h"

/* Declares, allocates and initializes it on the test device (device_fixture.h); vkp_params_free afterwards.
 * Its last layer is scaled so that colours come out well visible. */
void small_model_make(vkp_params *generator);

/* The same, written to `path`. */
void small_model_write(const char *path);

#endif
