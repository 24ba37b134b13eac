/* Which network a list of tensors belongs to, told from their names and shapes alone: files from elsewhere do
 * not say. */
#ifndef VKP_NN_RECOGNIZE_H
#define VKP_NN_RECOGNIZE_H

#include "nn/networks.h"

typedef enum vkp_network_kind {
    VKP_NETWORK_UNET,       /* the generators */
    VKP_NETWORK_NATURAL,
    VKP_NETWORK_D_BATCH,    /* the discriminator, by its norm */
    VKP_NETWORK_D_INSTANCE,
} vkp_network_kind;

/* "the published U-Net", for messages. */
const char *vkp_network_kind_name(vkp_network_kind kind);

/* Declares the tensors of that network. */
VKP_MUST_USE vkp_status vkp_network_kind_declare(vkp_network_kind kind, vkp_params *params);

/* *kind = the network that has exactly these tensors; their data are not looked at, and BatchNorm's counters
 * may be missing. VKP_FORMAT: none has; the text names the nearest one and the first tensor that is missing,
 * of another shape or too many. `name` is the file's. */
VKP_MUST_USE vkp_status vkp_recognize(const vkp_safetensor *list, size_t count, const char *name,
                                      vkp_network_kind *kind);

#endif
