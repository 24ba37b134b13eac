/* The training step and the evaluation of a batch, each one recorded program.
 *
 * A training step reads a batch of pictures (n,3,h,w) RGB 0..1 that is on the device already, and does in
 * this order: blur, colour conversion, G; D on the real and the fake pictures in one pass, each batch with
 * its own statistics; D's losses and gradients; G's losses and their gradients through D(fake) into G; Adam
 * for G, and for D when it is due. D(fake) of G's step and of D's step are one computation (D has not changed
 * between them), counted twice in D's running statistics, as the published order demands: fake, real,
 * fake.
 *
 * Where the settings have no adversarial loss, or not yet, there is no D in the step. The moving average of
 * G's weights follows Adam. */
#ifndef VKP_NN_STEP_H
#define VKP_NN_STEP_H

#include "image/fit.h"
#include "nn/networks.h"

/* What one batch gave; the losses are means over the batch. */
typedef struct vkp_losses {
    double d_adv;   /* D's adversarial loss; the hinge loss doubled, as it is logged */
    double g_adv;   /* G's */
    double g_l1;    /* lambda_crcb * L1(CrCb) + lambda_rgb * L1(RGB) */
    double l1_crcb; /* mean absolute difference of CrCb, -1..1 */
    double classes; /* cross-entropy of the chroma classes; 0 without them */
    bool adversarial; /* whether there were D's and G's adversarial losses; they are 0 otherwise */
} vkp_losses;

/* Two networks and where they stand. */
typedef struct vkp_model {
    vkp_params generator, discriminator;
    vkp_params average; /* the moving average of all of G's tensors, where the settings have one */
    bool averaged;
    uint64_t g_adam_steps, d_adam_steps;
} vkp_model;

/* The generator that is validated and kept: the average, or G itself. */
vkp_params *vkp_model_result(vkp_model *model);

typedef struct vkp_step vkp_step;

/* What a step is made for. The buffers hold the batch when the step is submitted, laid out as
 * vkp_tensor_activation says. */
typedef struct vkp_step_options {
    uint32_t batch, h, w;   /* sides that the generator takes */
    const vkp_buffer *rgb;  /* (batch,3,h,w) in 0..1 */
    const vkp_buffer *gray; /* (batch,1,h,w) in -1..1, what G sees; NULL: the luma of rgb */
    bool adversarial;       /* with D */
    bool keep_all;          /* every value and gradient can be read by name (vkp_step_graph) */
} vkp_step_options;

/* Writes down and builds a step on the device. The memory of activations is `arena`'s, which programs share
 * that do not run at the same time. The caller frees *out with vkp_step_destroy; config, model, arena and the
 * buffers must outlive it. DEVICE_MEMORY says what batch would fit. */
VKP_MUST_USE vkp_status vkp_step_create(vkp_device *device, const vkp_config *config, vkp_model *model,
                                        const vkp_step_options *options, vkp_arena *arena, vkp_step **out);
void vkp_step_destroy(vkp_step *step);

/* Writes such a step down and throws it away: *bytes is the memory of activations that it would need. Nothing
 * large is allocated, but whoever chooses between variants (ops/variant.h) has been asked about all its
 * shapes. options->rgb and gray are not used. */
VKP_MUST_USE vkp_status vkp_step_plan(vkp_device *device, const vkp_config *config, vkp_model *model,
                                      const vkp_step_options *options, uint64_t *bytes);

/* What may differ from picture to picture and step to step. */
typedef struct vkp_step_inputs {
    const float *blur;     /* batch x 9 weights, or NULL: no blur at all */
    const vkp_rect *valid; /* batch rectangles that count for PSNR */
    double lr;
    bool first_of_d; /* this batch begins a new sum of D's gradients */
    bool update_d;   /* D's Adam steps after this batch */
} vkp_step_inputs;

/* Starts a step and returns; vkp_step_finish waits for it, counts it in the model and gives its losses and
 * the PSNR in dB of each picture (batch of them, valid pixels only). NOT_FINITE when a loss, a parameter or
 * one of Adam's moments is NaN or infinite after it; the text names the tensor where one can be found. */
VKP_MUST_USE vkp_status vkp_step_submit(vkp_step *step, const vkp_step_inputs *inputs);
VKP_MUST_USE vkp_status vkp_step_finish(vkp_step *step, vkp_losses *losses, double *psnr);

/* For tests and benchmarks: the graph (values by name, see networks.h) and program behind it, and the bytes
 * of device memory planned for activations. */
vkp_graph *vkp_step_graph(const vkp_step *step);
vkp_program *vkp_step_program(const vkp_step *step);
uint64_t vkp_step_memory(const vkp_step *step);

/* G in evaluation mode on a batch, with the figures of a validation. */
typedef struct vkp_evaluation vkp_evaluation;

/* For the batch in `rgb` (batch,3,h,w), as a step's. */
VKP_MUST_USE vkp_status vkp_evaluation_create(vkp_device *device, const vkp_config *config,
                                              const vkp_params *generator, uint32_t batch, uint32_t h,
                                              uint32_t w, const vkp_buffer *rgb, vkp_arena *arena,
                                              vkp_evaluation **out);
void vkp_evaluation_destroy(vkp_evaluation *evaluation);

/* Colours the batch in `rgb`. Each of the outputs may be NULL: losses (g_l1 and l1_crcb alone), PSNR of each
 * picture in dB, CrCb planes (batch,2,h,w) and RGB planes (batch,3,h,w), dense and not clamped. */
VKP_MUST_USE vkp_status vkp_evaluation_run(vkp_evaluation *evaluation, const vkp_rect *valid,
                                           vkp_losses *losses, double *psnr, float *crcb, float *rgb);

/* Its program, and that program's sections: norms folded into weights; colour conversion and G; RGB, losses
 * and errors. A run needs the first only after the parameters changed, or another program used the arena. */
enum { VKP_EVALUATION_FOLD, VKP_EVALUATION_COLORIZE, VKP_EVALUATION_FIGURES, VKP_EVALUATION_SECTIONS };
vkp_program *vkp_evaluation_program(const vkp_evaluation *evaluation);
uint64_t vkp_evaluation_memory(const vkp_evaluation *evaluation);

/* Makes and frees a model's two networks for training: declared, allocated, first values from `seed`. */
VKP_MUST_USE vkp_status vkp_model_create(vkp_device *device, const vkp_config *config, uint64_t seed,
                                         vkp_model *out);
void vkp_model_free(vkp_model *model);

#endif
