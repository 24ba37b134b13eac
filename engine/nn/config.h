/* The settings of a training run: presets, a YAML file, --set KEY=VALUE, and the checks between them.
 *
 * Every key stands in one table (config.c), which serves the YAML schema, --set, the ranges, the help and
 * the config.yml of a run alike. */
#ifndef VKP_NN_CONFIG_H
#define VKP_NN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum vkp_config_loss { VKP_CONFIG_LOSS_BCE, VKP_CONFIG_LOSS_HINGE } vkp_config_loss;
typedef enum vkp_config_norm { VKP_CONFIG_NORM_BATCH, VKP_CONFIG_NORM_INSTANCE } vkp_config_norm;
typedef enum vkp_config_schedule {
    VKP_CONFIG_CONSTANT,
    VKP_CONFIG_COSINE,
    VKP_CONFIG_WARMUP_COSINE
} vkp_config_schedule;
typedef enum vkp_config_network { VKP_CONFIG_UNET, VKP_CONFIG_NATURAL } vkp_config_network;
typedef enum vkp_config_fit {
    VKP_CONFIG_FIT_WRAP,
    VKP_CONFIG_FIT_STRETCH,
    VKP_CONFIG_FIT_BLACK,
    VKP_CONFIG_FIT_CROP,
    VKP_CONFIG_FIT_ROTATE
} vkp_config_fit;

enum { VKP_CONFIG_POOLS = 4 };

/* Plain values: copy by assignment. The members' names are the keys' names. */
typedef struct vkp_config {
    vkp_config_network network; /* the generator */
    uint32_t size;   /* side of the square, pixels; a multiple of 16, for natural of 32 */
    uint32_t work_size; /* side at which pictures are validated and coloured; 0: size */
    uint32_t batch;  /* pictures a step */
    uint32_t epochs; /* passes over the training pictures */
    vkp_config_loss loss;
    vkp_config_norm d_norm;
    uint32_t d_pools[VKP_CONFIG_POOLS]; /* D's average pools, outermost first */
    uint32_t d_every;                   /* D's Adam steps on every Nth batch of an epoch */
    double lr;                          /* learning rate; where a cosine begins */
    double lr_min;                      /* where a cosine ends; unused by `constant` */
    vkp_config_schedule schedule;
    uint32_t restart_every; /* epochs of one period of `cosine` */
    uint32_t warmup;        /* steps of `warmup_cosine` in which the rate rises from 0 */
    double beta1;           /* Adam's, of both networks */
    double weight_decay;    /* AdamW's, of G; 0: plain Adam */
    double ema;             /* decay of the average of G's weights, which is validated and kept; 0: none */
    double lambda_crcb;     /* weight of the L1 of Cr and Cb in G's loss */
    double lambda_rgb;      /* weight of the L1 of RGB */
    double lambda_class;    /* weight of the cross-entropy of chroma classes, which `natural` has */
    double lambda_adv;      /* weight of the adversarial loss */
    uint32_t adv_from;      /* epochs without the adversarial loss, and without D, at the start */
    double rare;            /* how much more a saturated colour weighs in the cross-entropy than gray */
    double saturation;      /* of the chroma that G is to predict */
    double boost;           /* factor on its colours in coloured pictures, unless another is asked for */
    double dropout;         /* probability in the global path of `natural` */
    double flip;            /* probability of the mirror image, training only */
    double blur;            /* probability of a 3x3 blur, training only */
    uint32_t view_min, view_max; /* training on crops: the long side of the photograph that a crop is cut of
                                    is scaled to a length between them; 0: whole pictures */
    double jitter;          /* probability of another gamma and contrast of what G sees, training only */
    double degrade;         /* probability that G sees an old photograph's faults, training only */
    vkp_config_fit fit;     /* how a picture becomes a square */
    uint32_t seed;
    uint32_t checkpoint_every; /* epochs */
    uint32_t preview_every;    /* epochs */
} vkp_config;

/* The name of preset `index`, "train01" first; NULL past the last. */
const char *vkp_config_preset_name(size_t index);
/* *config = the preset of that name (MISSION's table); NULL means train01. VKP_USAGE: no such preset. */
VKP_MUST_USE vkp_status vkp_config_preset(vkp_config *config, const char *name);

/* Sets the keys that the YAML file gives; the others stay. VKP_USAGE: not YAML, an unknown key, a value of
 * the wrong kind or out of range (the text names file, key and what is allowed; *config is unchanged then);
 * VKP_INPUT, VKP_IO, VKP_MEMORY. vkp_config_check comes after the last change. */
VKP_MUST_USE vkp_status vkp_config_load(vkp_config *config, const char *path);
/* Sets one key from "KEY=VALUE", lists as "d_pools=4,2,2,2". VKP_USAGE as above. */
VKP_MUST_USE vkp_status vkp_config_set(vkp_config *config, const char *assignment);

/* Whether the values fit together: size a multiple of what the network takes, pools that leave D
 * a patch, normalizations that have more than one element to normalize over, lr_min at most lr. VKP_USAGE
 * names the keys. */
VKP_MUST_USE vkp_status vkp_config_check(const vkp_config *config);

/* Writes every key to `path`, atomically; vkp_config_load reads the same values back, bit for bit. Errors as
 * vkp_file_write. */
VKP_MUST_USE vkp_status vkp_config_save(const vkp_config *config, const char *path);

/* Patches along a side of D's output: size divided by each pool, rounded down each time, as PyTorch's
 * AvgPool2d does; 0 when nothing is left. */
uint32_t vkp_config_patches(const vkp_config *config);

/* The side of the square at which pictures are validated and coloured: work_size, or size. */
uint32_t vkp_config_work_size(const vkp_config *config);
/* Sides that the generator takes are multiples of this: 16, for natural 32. */
uint32_t vkp_config_granularity(const vkp_config *config);
/* Whether steps of `epoch`, counted from 0, train a discriminator and have its loss. */
bool vkp_config_adversarial(const vkp_config *config, uint32_t epoch);

/* The learning rate of step `step` of `steps` in `epoch`, both counted from 0. cosine is SGDR (Loshchilov and
 * Hutter, 2017) as PyTorch's CosineAnnealingWarmRestarts(T_0=restart_every, eta_min=lr_min) gives it when
 * stepped once an epoch: lr_min + (lr - lr_min) (1 + cos(pi (epoch mod restart_every) / restart_every)) / 2.
 * warmup_cosine changes with each step: lr (k + 1) / warmup for step k of the run below warmup, then one such
 * cosine from lr to lr_min over the steps that are left of all epochs. */
double vkp_config_lr(const vkp_config *config, uint32_t epoch, uint32_t step, uint32_t steps);

/* For help and reports: the keys by index, in the order of config.yml. */
size_t vkp_config_key_count(void);
const char *vkp_config_key_name(size_t key);
const char *vkp_config_key_meaning(size_t key);
/* What is allowed, such as "a whole number, 16..4096"; `text` has `room` bytes, returned. */
const char *vkp_config_key_range(size_t key, char *text, size_t room);
/* The key's value as --set takes it; `text` has `room` bytes, returned. */
const char *vkp_config_key_value(const vkp_config *config, size_t key, char *text, size_t room);

/* The number of keys whose values differ, and their names as "batch, lr" in `names` of `room` bytes (cut
 * there). For --resume, which continues only what was begun. */
size_t vkp_config_diff(const vkp_config *a, const vkp_config *b, char *names, size_t room);

#endif
