/* A run of the training step as PyTorch made it (tests/reference/make_steps.py, make_natural.py), and the
 * same steps by vkpix. Everything fails the test rather than return an error. */
#ifndef VKP_TESTS_TORCH_RUN_H
#define VKP_TESTS_TORCH_RUN_H

#include <cJSON.h>

#include "batch.h"
#include "nn/step.h"

/* A model with PyTorch's first weights, its pictures and its step. */
typedef struct torch_run {
    const char *label; /* begins what is printed */
    char folder[4096];
    cJSON *expected; /* expected.json */
    vkp_config config;
    vkp_model model;
    batch pictures, seen; /* seen: what G sees instead of the pictures' luma, if anything */
    vkp_arena arena;
    vkp_step *step;
    vkp_rect valid[8];
    double *psnr;
} torch_run;

/* Reads the run in `folder` for a preset, with the size and batch of expected.json and its list `set` of
 * other settings, if it has one; no flips, no blur, no dropout. torch_run_close afterwards. */
void torch_run_open(torch_run *r, const char *label, const char *preset, const char *folder);
/* Makes the model and the step. keep_all: values and gradients can be read by name; without it the step is
 * the one that trains. seen: step NUMBER shows G the tensor "seen.NUMBER" of seen.safetensors. */
void torch_run_make_step(torch_run *r, bool keep_all, bool seen);
void torch_run_close(torch_run *r);

/* A file of the run, in a static buffer. */
const char *torch_run_path(const torch_run *r, const char *file);
double torch_run_number(const cJSON *object, const char *key);

/* Step `number` of one epoch with the rate of its row in `losses`; the largest relative difference of the
 * losses that the settings have from the row's. */
double torch_run_step(torch_run *r, uint32_t number, const cJSON *row, vkp_losses *losses);
/* All steps; off[i] of step i. Returns their number, at most `room`. */
uint32_t torch_run_steps(torch_run *r, double off[], uint32_t room, const char *what);

/* What was compared, and how far off the worst was. */
typedef struct torch_tally {
    unsigned count;
    double worst;
    char name[64];
} torch_tally;
void torch_tally_add(torch_tally *t, double error, const char *name, double allowed);
void torch_tally_report(const torch_tally *t, const char *label, const char *what);

/* Whether a norm cancels this bias of "generator" or "discriminator": its gradient is zero, PyTorch's the
 * noise of rounding. What vkpix's network says of it must be what PyTorch's side knows. */
bool torch_run_cancelled(const torch_run *r, const char *network, const char *parameter);
void torch_run_check_cancelled(const torch_run *r, const vkp_params *p, const char *network);

/* Compares the gradient "grad.G.enc1.0.weight" of a file: relative L2 within `limit`; one that cancels must
 * be zero, and PyTorch's noise small beside the gradient of its convolution's weights. */
typedef struct torch_gradients {
    torch_tally parameters, cancelled;
} torch_gradients;
void torch_run_compare_gradient(const torch_run *r, const vkp_safetensors *file, const char *name,
                                double limit, torch_gradients *tallies);

/* Compares a network after the steps with final_FILE.safetensors: running statistics, and what the steps
 * added to each parameter of what was NETWORK.safetensors. */
typedef struct torch_finals {
    torch_tally means, variances, updates;
} torch_finals;
void torch_run_compare_network(const torch_run *r, const vkp_params *p, const char *network, const char *file,
                               torch_finals *finals);
void torch_run_report_finals(const torch_run *r, const torch_finals *finals);

/* Compares what a generator in evaluation mode makes of the first batch with expected.safetensors. */
void torch_run_compare_evaluation(torch_run *r, const vkp_params *generator);

#endif
