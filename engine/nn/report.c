#include "nn/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "image/figure.h"
#include "image/grid.h"
#include "image/picture.h"
#include "nn/run_log.h"

typedef struct chart {
    const char *file, *title, *ylabel;
    struct {
        const char *name;
        int column;
        uint8_t color[3];
    } lines[2];
    int line_count;
} chart;

static const chart charts[] = {
    {"adversarial",
     "Adversarial losses",
     "loss",
     {{"D", VKP_LOG_train_D_adv_loss, VKP_FIGURE_BLUE}, {"G", VKP_LOG_train_G_adv_loss, VKP_FIGURE_RED}},
     2},
    {"l1",
     "L1 losses of G",
     "weighted L1",
     {{"train", VKP_LOG_train_G_l1_loss, VKP_FIGURE_BLUE},
      {"validation", VKP_LOG_val_G_l1_loss, VKP_FIGURE_RED}},
     2},
    {"psnr",
     "PSNR",
     "dB",
     {{"train", VKP_LOG_train_psnr, VKP_FIGURE_BLUE}, {"validation", VKP_LOG_val_psnr, VKP_FIGURE_RED}},
     2},
    {"lr", "Learning rate", "learning rate", {{"lr", VKP_LOG_lr, VKP_FIGURE_BLUE}}, 1},
};

static vkp_status draw(const char *run, const chart *c, const vkp_run_table *t)
{
    vkp_figure_series series[2];
    for (int i = 0; i < c->line_count; i++) {
        series[i] =
            (vkp_figure_series){.name = c->lines[i].name,
                                .x = t->values,
                                .count = t->rows,
                                .color = {c->lines[i].color[0], c->lines[i].color[1], c->lines[i].color[2]}};
        if (t->values) series[i].y = t->values + (size_t)c->lines[i].column * t->rows;
    }
    char path[4096];
    if (snprintf(path, sizeof path, "%s/figures/%s.png", run, c->file) >= (int)sizeof path)
        return vkp_fail(VKP_INPUT, "path of a figure is too long (more than %zu bytes; use a shorter --out)",
                        sizeof path);
    return vkp_figure_lines(path, &(vkp_figure){.title = c->title,
                                                .xlabel = "epoch",
                                                .ylabel = c->ylabel,
                                                .series = series,
                                                .series_count = (size_t)c->line_count});
}

vkp_status vkp_report_figures(const char *run)
{
    vkp_run_table table;
    VKP_TRY(vkp_run_log_read_epochs(run, &table));
    vkp_status status = VKP_OK;
    for (size_t i = 0; i < sizeof charts / sizeof *charts && status == VKP_OK; i++)
        status = draw(run, &charts[i], &table);
    vkp_run_table_free(&table);
    return status;
}

static vkp_status to_bytes(const float *planes, size_t pixels, uint8_t **out)
{
    uint8_t *rgba = malloc(pixels * 4);
    if (!rgba)
        return vkp_fail(VKP_MEMORY, "no memory for a preview (host memory ran out; close other programs)");
    for (size_t i = 0; i < pixels; i++) {
        for (size_t c = 0; c < 3; c++) {
            const float v = planes[c * pixels + i];
            rgba[4 * i + c] = (uint8_t)(v > 0 ? v < 1 ? v * 255 + 0.5f : 255 : 0);
        }
        rgba[4 * i + 3] = 255;
    }
    *out = rgba;
    return VKP_OK;
}

vkp_status vkp_preview_add(vkp_preview *p, const float *fake, const float *real, int width, int height)
{
    if (p->count == (int)(sizeof p->fake / sizeof *p->fake)) return VKP_OK;
    p->width = width;
    p->height = height;
    const size_t pixels = (size_t)width * (size_t)height;
    VKP_TRY(to_bytes(fake, pixels, &p->fake[p->count]));
    const vkp_status status = to_bytes(real, pixels, &p->real[p->count]);
    p->count++;
    return status;
}

vkp_status vkp_preview_write(const vkp_preview *p, const char *path)
{
    vkp_grid grid;
    VKP_TRY(vkp_grid_pairs((const uint8_t *const *)p->fake, (const uint8_t *const *)p->real, p->count, 0,
                           p->width, p->height, &grid));
    const vkp_picture picture = {.width = grid.width, .height = grid.height, .rgba = grid.rgba};
    const vkp_status status = vkp_picture_write(path, &picture, 90);
    vkp_grid_free(&grid);
    return status;
}

void vkp_preview_free(vkp_preview *p)
{
    for (int i = 0; i < p->count; i++) {
        free(p->fake[i]);
        free(p->real[i]);
    }
    *p = (vkp_preview){0};
}
