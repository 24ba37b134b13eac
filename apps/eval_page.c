/* One HTML file with its style inside, and the pictures beside it. The order of the pictures is chosen on the
 * page by CSS alone: each knows its rank by every figure that says what is better. */
#include "eval_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "image/thumbnail.h"

/* Above 90 JPEG keeps chroma at full size, which is what the page is about. */
enum { LONG_SIDE = 384, QUALITY = 92 };

static const char *const kinds[] = {"gray", "result", "truth"};
static const char index_file[] = "index.html";

static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--card:#f3f3f1;--text:#1b1b1b;--dim:#666}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#161616;--card:#222;--text:#e8e8e6;--dim:#999}}\n"
    "body{margin:0 auto;padding:1rem;max-width:82rem;background:var(--back);color:var(--text);"
    "font:1rem/1.4 system-ui,sans-serif}\n"
    "h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:0 0 .5rem;overflow-wrap:anywhere}\n"
    "p,small,figcaption,.none,.means td:last-child{color:var(--dim)}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.85rem;line-height:1.25}\n"
    "th,td{vertical-align:top}th{font-weight:normal;text-align:left;padding:0}"
    "td{text-align:right;padding:0 0 0 .7rem}\n"
    ".means td:last-child{text-align:left}\n"
    "fieldset{border:0;padding:0;margin:1rem 0 0}legend{padding:0;font-weight:bold}\n"
    "label{display:inline-block;margin:.2rem .9rem .2rem 0;white-space:nowrap}\n"
    "main{display:flex;flex-direction:column;margin-top:1rem}\n"
    "article{background:var(--card);border-radius:.5rem;padding:.8rem;margin-bottom:1rem}\n"
    ".strip{display:grid;grid-template-columns:1fr 1fr 1fr auto;gap:.6rem;align-items:start}\n"
    "figure{margin:0}img{display:block;width:100%;height:auto;max-width:24rem}figcaption{font-size:.8rem}\n"
    "@media(max-width:46rem){body{padding:.5rem}.strip{grid-template-columns:repeat(2,minmax(0,1fr))}"
    ".gray{order:1}.strip table{order:2;font-size:.68rem}.strip td{padding:0 0 0 .35rem}}\n";

static vkp_status join(const vkp_eval_page *page, const char *name, char **path)
{
    return vkp_path_join(page->folder, name, path);
}

vkp_status vkp_eval_page_begin(const char *folder, vkp_eval_page *page)
{
    char *path;
    *page = (vkp_eval_page){.folder = folder};
    VKP_TRY(vkp_folder_make(folder));
    VKP_TRY(join(page, index_file, &path));
    vkp_status status = VKP_OK;
    if (unlink(path) && errno != ENOENT) status = vkp_fail_errno("replace", path, errno);
    free(path);
    return status;
}

static void picture_name(size_t index, int kind, char name[48])
{
    snprintf(name, 48, "%04zu-%s.jpg", index + 1, kinds[kind]);
}

static vkp_status write_small(const vkp_eval_page *page, int kind, const vkp_picture *picture)
{
    char name[48], *path;
    vkp_picture small;
    picture_name(page->count, kind, name);
    VKP_TRY(vkp_thumbnail(picture, LONG_SIDE, &small));
    vkp_status status = join(page, name, &path);
    if (status == VKP_OK) {
        status = vkp_picture_write(path, &small, QUALITY);
        free(path);
    }
    vkp_picture_free(&small);
    return status;
}

vkp_status vkp_eval_page_add(vkp_eval_page *page, const vkp_picture *gray, const vkp_picture *result,
                             const vkp_picture *truth)
{
    VKP_TRY(write_small(page, 0, gray));
    VKP_TRY(write_small(page, 1, result));
    VKP_TRY(write_small(page, 2, truth));
    page->count++;
    return VKP_OK;
}

/* Bytes beyond ASCII go as they are: a browser shows a mark for what is no UTF-8. */
static void put_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        default: fputc(*text, to);
        }
    }
}

/* A row's rank by each figure, 0 for the worst; 0 throughout where the figure does not say what is better. */
typedef struct ranks {
    size_t of[VKP_SCORE_COUNT];
} ranks;

typedef struct contender {
    double value; /* higher is better */
    size_t row;
} contender;

static int compare(const void *a, const void *b)
{
    const contender *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void rank(const vkp_eval_row *rows, size_t count, size_t score, contender *list, ranks *all)
{
    for (size_t i = 0; i < count; i++)
        list[i] = (contender){vkp_score_get(score)->better * rows[i].model.values[score], i};
    qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++) all[list[i].row].of[score] = i;
}

static void put_style(FILE *to)
{
    fprintf(to, "<style>\n%s", style);
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++) {
        const vkp_score_info *info = vkp_score_get(s);
        if (!info->better) continue;
        fprintf(to, "body:has(#by-%s:checked) article{--rank:var(--%s)}\n", info->name, info->name);
    }
    fputs("article{order:var(--rank)}body:has(#best:checked) article{order:calc(-1*var(--rank))}\n</style>\n",
          to);
}

static void put_choice(FILE *to, const char *group, const char *id, const char *label, bool checked)
{
    fprintf(to, "<label><input type=\"radio\" name=\"%s\" id=\"%s\"%s> ", group, id,
            checked ? " checked" : "");
    put_text(to, label);
    fputs("</label>\n", to);
}

static void put_choices(FILE *to)
{
    fputs("<fieldset><legend>Order</legend>\n", to);
    put_choice(to, "end", "worst", "worst first", true);
    put_choice(to, "end", "best", "best first", false);
    fputs("</fieldset>\n<fieldset><legend>by</legend>\n", to);
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++) {
        const vkp_score_info *info = vkp_score_get(s);
        char id[64];
        snprintf(id, sizeof id, "by-%s", info->name);
        if (info->better) put_choice(to, "by", id, info->heading, s == VKP_SCORE_psnr);
    }
    fputs("</fieldset>\n", to);
}

/* `meanings`: with a column that says what the figures are. */
static void put_figures(FILE *to, const vkp_scores *model, const vkp_scores *none, bool meanings)
{
    fprintf(to, "<table%s>\n<tr><th></th><td>result</td><td class=\"none\">no colour</td>%s</tr>\n",
            meanings ? " class=\"means\"" : "", meanings ? "<td></td>" : "");
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++) {
        const vkp_score_info *info = vkp_score_get(s);
        fputs("<tr><th>", to);
        put_text(to, info->heading);
        fprintf(to, "</th><td>%.*f</td><td class=\"none\">%.*f</td>", info->digits, model->values[s],
                info->digits, none->values[s]);
        if (meanings) {
            fputs("<td>", to);
            put_text(to, info->meaning);
            fputs("</td>", to);
        }
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

static void put_card(FILE *to, const vkp_eval_row *row, size_t index, const ranks *own)
{
    fputs("<article style=\"", to);
    for (size_t s = 0; s < VKP_SCORE_COUNT; s++)
        if (vkp_score_get(s)->better) fprintf(to, "--%s:%zu;", vkp_score_get(s)->name, own->of[s]);
    fputs("\">\n<h2>", to);
    put_text(to, row->name);
    fprintf(to, " <small>%d × %d</small></h2>\n<div class=\"strip\">\n", row->width, row->height);
    for (int kind = 0; kind < 3; kind++) {
        char name[48];
        picture_name(index, kind, name);
        fprintf(to,
                "<figure class=\"%s\"><a href=\"%s\"><img src=\"%s\" loading=\"lazy\" "
                "style=\"aspect-ratio:%d/%d\" alt=\"%s\"></a><figcaption>%s</figcaption></figure>\n",
                kinds[kind], name, name, row->width, row->height, kinds[kind], kinds[kind]);
    }
    put_figures(to, &row->model, &row->none, false);
    fputs("</div>\n</article>\n", to);
}

static void put_page(FILE *to, const vkp_eval_row *rows, size_t count, const ranks *all, const char *title,
                     const char *settings)
{
    const vkp_scores model = vkp_scores_mean(&rows->model, count, sizeof *rows);
    const vkp_scores none = vkp_scores_mean(&rows->none, count, sizeof *rows);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>", to);
    put_text(to, title);
    fputs("</title>\n", to);
    put_style(to);
    fputs("<h1>", to);
    put_text(to, title);
    fputs("</h1>\n<p>", to);
    put_text(to, settings);
    fprintf(to, "</p>\n<p>Means over %zu pictures:</p>\n", count);
    put_figures(to, &model, &none, true);
    put_choices(to);
    fputs("<main>\n", to);
    for (size_t i = 0; i < count; i++) put_card(to, &rows[i], i, &all[i]);
    fputs("</main>\n</html>\n", to);
}

static vkp_status write_page(const vkp_eval_page *page, const vkp_eval_row *rows, const ranks *all,
                             const char *title, const char *settings)
{
    char *text = NULL, *path;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (!to) return vkp_fail(VKP_MEMORY, "no memory for the page (host memory ran out; close programs)");
    put_page(to, rows, page->count, all, title, settings);
    const bool whole = !ferror(to);
    vkp_status status = VKP_OK;
    if (fclose(to) || !whole)
        status = vkp_fail(VKP_MEMORY, "no memory for the page (host memory ran out; close programs)");
    if (status == VKP_OK) status = join(page, index_file, &path);
    if (status == VKP_OK) {
        status = vkp_file_write(path, text, bytes);
        free(path);
    }
    free(text);
    return status;
}

vkp_status vkp_eval_page_finish(const vkp_eval_page *page, const vkp_eval_row *rows, const char *title,
                                const char *settings)
{
    contender *list = calloc(page->count + 1, sizeof *list);
    ranks *all = calloc(page->count + 1, sizeof *all);
    vkp_status status = VKP_OK;
    if (!list || !all)
        status = vkp_fail(VKP_MEMORY, "no memory for the page (host memory ran out; close programs)");
    for (size_t s = 0; s < VKP_SCORE_COUNT && status == VKP_OK; s++)
        if (vkp_score_get(s)->better) rank(rows, page->count, s, list, all);
    if (status == VKP_OK) status = write_page(page, rows, all, title, settings);
    free(all);
    free(list);
    return status;
}
