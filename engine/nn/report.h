/* What a run shows: figures of its log, and previews of its validation pictures. */
#ifndef VKP_NN_REPORT_H
#define VKP_NN_REPORT_H

#include <stdint.h>

#include "base/status.h"

/* Draws RUN/figures/{adversarial,l1,psnr,lr}.png from RUN/log.csv, over the epochs. Errors as
 * vkp_figure_lines and vkp_run_log_read_epochs. */
VKP_MUST_USE vkp_status vkp_report_figures(const char *run);

/* Pairs fake | real collected for one preview: planar RGB (3,h,w) in 0..1, clamped and rounded when added. */
typedef struct vkp_preview {
    uint8_t *fake[16], *real[16];
    int count, width, height;
} vkp_preview;

/* Adds a pair; beyond 16 none is kept. The caller frees with vkp_preview_free. MEMORY. */
VKP_MUST_USE vkp_status vkp_preview_add(vkp_preview *preview, const float *fake, const float *real, int width,
                                        int height);
/* Writes all pairs as one PNG. */
VKP_MUST_USE vkp_status vkp_preview_write(const vkp_preview *preview, const char *path);
void vkp_preview_free(vkp_preview *preview);

#endif
