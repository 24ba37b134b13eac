/* PLplot draws into a memory stream; only a PNG that is whole is then written to the disk. */
#include "image/figure.h"

#include <math.h>
#include <plplot/plplot.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { WHITE, INK, GRID, FIRST_SERIES };

/* The height of a character in pixels. */
#define EM 12.
#define DPI 96.
#define LINE_WIDTH 2
/* The number of a filled disc among PLplot's symbols. */
#define DOT 17

/* PLplot's hooks carry no pointer of the caller's, so what they tell has to be kept here. */
static jmp_buf escape;
static char complaint[256];

/* PLplot writes its warnings here; without a place for them it would print. */
static char warning[4096];
static PLINT warned;

/* Where open_memstream keeps the PNG: static because a stream that PLplot still holds after an error
 * may be flushed as late as at exit. */
static char *png;
static size_t png_size;

typedef struct range {
    double low, high, tick;
    bool log;
} range;

static void keep_complaint(const char *text) { snprintf(complaint, sizeof complaint, "%s", text); }

/* When this returns, PLplot ends the process, so it does not return. */
static int on_exit_wish(const char *text)
{
    keep_complaint(text);
    longjmp(escape, 1);
}

static bool drawable(double v) { return fabs(v) <= 1e100; }

/* The i-th point in the axes' units; false for a gap. */
static bool point(const vkp_figure *figure, const vkp_figure_series *s, size_t i, double *x, double *y)
{
    if (!drawable(s->x[i]) || !drawable(s->y[i]) || (figure->log_y && s->y[i] <= 0)) return false;
    *x = s->x[i];
    *y = figure->log_y ? log10(s->y[i]) : s->y[i];
    return true;
}

static void find_ranges(const vkp_figure *figure, range *rx, range *ry, bool *whole_x)
{
    *rx = (range){.low = INFINITY, .high = -INFINITY};
    *ry = (range){.low = INFINITY, .high = -INFINITY, .log = figure->log_y};
    *whole_x = true;
    for (size_t k = 0; k < figure->series_count; k++) {
        const vkp_figure_series *s = &figure->series[k];
        for (size_t i = 0; i < s->count; i++) {
            double x, y;
            if (!point(figure, s, i, &x, &y)) continue;
            rx->low = fmin(rx->low, x), rx->high = fmax(rx->high, x);
            ry->low = fmin(ry->low, y), ry->high = fmax(ry->high, y);
            if (x != floor(x)) *whole_x = false;
        }
    }
    if (rx->low > rx->high) *rx = (range){.low = 0, .high = 1};
    if (ry->low > ry->high) *ry = (range){.low = figure->log_y ? -1 : 0, .high = 1, .log = figure->log_y};
}

/* Room around the data, and a distance of 1, 2 or 5 times a power of ten between at most `most` ticks. */
static void settle(range *r, int most, bool whole)
{
    double span = r->high - r->low, size = fmax(fabs(r->low), fabs(r->high));
    if (r->log) { /* only decades are labelled: show two of them at least */
        double pad = span < 2 ? 0 : .04 * span;
        r->low = span < 2 ? floor(r->low) : r->low - pad;
        r->high = span < 2 ? ceil(r->high) : r->high + pad;
        if (r->high - r->low < 1) r->low -= 1, r->high += 1;
        r->tick = fmax(1, ceil((r->high - r->low) / most));
        return;
    }
    /* A constant, or nearly one, still gets an interval that the ticks' labels can tell apart. */
    double room = span < 1e-4 * size ? .05 * size : span > 0 ? .04 * span : 1;
    if (whole && span == 0) room = 1;
    r->low -= room, r->high += room;
    double raw = (r->high - r->low) / most, power = pow(10, floor(log10(raw))), rest = raw / power;
    r->tick = power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
    if (whole) r->tick = fmax(r->tick, 1);
}

static void format_tick(const range *r, double value, char *text, size_t room)
{
    double size = fmax(fabs(r->low), fabs(r->high));
    int first = (int)floor(log10(size)), last = (int)floor(log10(r->tick));
    if (fabs(value) < 1e-6 * r->tick) value = 0; /* zero but for rounding */
    if (r->log) snprintf(text, room, "10#u%.0f", value);
    else if (size >= 1e-3 && size < 1e6) snprintf(text, room, "%.*f", last < 0 ? -last : 0, value);
    else if (value == 0) snprintf(text, room, "0");
    else snprintf(text, room, "%.*e", first > last ? first - last : 0, value);
}

/* PLplot's own labels leave a common power of ten to a corner of the picture; a plain number is easier to
 * read. `data` are the two axes' ranges. */
static void label(PLINT axis, PLFLT value, char *text, PLINT room, PLPointer data)
{
    format_tick((const range *)data + (axis == PL_Y_AXIS), value, text, (size_t)room);
}

/* The longest label's length in characters. */
static int label_length(const range *r)
{
    char text[64];
    size_t longest = 0;
    for (double at = ceil(r->low / r->tick); at * r->tick <= r->high; at++) {
        format_tick(r, at * r->tick, text, sizeof text);
        if (strlen(text) > longest) longest = strlen(text);
    }
    return (int)longest;
}

/* '#' starts PLplot's escape sequences, "##" is the character. Text that is too long ends at a whole one. */
static void literal(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; text && *text && n + 2 < size; text++) {
        if (*text == '#') out[n++] = '#';
        out[n++] = *text;
    }
    if (text && *text) {
        while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80) n--;
        if (n > 0 && (unsigned char)out[n - 1] >= 0xc0) n--;
    }
    out[n] = 0;
}

static void begin_page(FILE *stream, int width, int height)
{
    plsdev("pngcairo");
    plsfile(stream);
    plspage(DPI, DPI, width, height, 0, 0);
}

static void begin_text(void)
{
    plinit();
    plsfont(PL_FCI_SANS, PL_FCI_UPRIGHT, PL_FCI_MEDIUM);
    plschr(EM * 25.4 / DPI, 1);
    pladv(0);
}

static void set_up(const vkp_figure *figure, FILE *stream)
{
    PLINT red[FIRST_SERIES + VKP_FIGURE_MAX_SERIES] = {255, 40, 226};
    PLINT green[FIRST_SERIES + VKP_FIGURE_MAX_SERIES] = {255, 40, 226};
    PLINT blue[FIRST_SERIES + VKP_FIGURE_MAX_SERIES] = {255, 45, 230};
    for (size_t k = 0; k < figure->series_count; k++) {
        red[FIRST_SERIES + k] = figure->series[k].color[0];
        green[FIRST_SERIES + k] = figure->series[k].color[1];
        blue[FIRST_SERIES + k] = figure->series[k].color[2];
    }
    begin_page(stream, figure->width, figure->height);
    plscmap0(red, green, blue, FIRST_SERIES + VKP_FIGURE_MAX_SERIES);
    begin_text();
}

/* label_width and the margins are in pixels. */
static void draw_axes(const vkp_figure *figure, range axes[2], int label_width)
{
    char text[256];
    plwind(axes[0].low, axes[0].high, axes[1].low, axes[1].high);
    plslabelfunc(label, axes);
    plcol0(GRID);
    plwidth(1);
    plbox("g", axes[0].tick, 0, "g", axes[1].tick, 0);
    plcol0(INK);
    plsmaj(1.2, 1);
    plsmin(.7, 1);
    plbox("bc", 0, 0, "bc", 0, 0);
    plbox("unoit", axes[0].tick, 0, figure->log_y ? "ulnoistv" : "unoitv", axes[1].tick, 0);
    literal(figure->xlabel, text, sizeof text);
    plmtex("b", 3.5, .5, .5, text);
    literal(figure->ylabel, text, sizeof text);
    plmtex("l", (label_width + 26.) / (.8 * EM), .5, .5, text);
    plschr(0, 1.15);
    literal(figure->title, text, sizeof text);
    plmtex("t", 1.2, 0, 0, text);
    plschr(0, 1);
}

static void draw_run(const double *x, const double *y, size_t count)
{
    if (count > 1) plline((PLINT)count, x, y);
    else if (count == 1) plpoin(1, x, y, DOT);
}

/* The series' runs between gaps, collected in x and y, which hold a piece at a time. */
static void draw_series(const vkp_figure *figure, const vkp_figure_series *s)
{
    double x[1024], y[1024];
    size_t n = 0;
    bool joined = false; /* the run's first point is the last of the piece before */
    for (size_t i = 0; i < s->count; i++) {
        if (point(figure, s, i, &x[n], &y[n])) {
            if (++n < 1024) continue;
            draw_run(x, y, n);
            x[0] = x[n - 1], y[0] = y[n - 1];
            n = 1, joined = true;
        } else {
            if (n > 1 || !joined) draw_run(x, y, n);
            n = 0, joined = false;
        }
    }
    if (n > 1 || !joined) draw_run(x, y, n);
}

/* Beside the title, above the axes, where no line can run under it. */
static void draw_legend(const vkp_figure *figure, const double margin[2])
{
    static char names[VKP_FIGURE_MAX_SERIES][128];
    const char *text[VKP_FIGURE_MAX_SERIES];
    PLINT option[VKP_FIGURE_MAX_SERIES], ink[VKP_FIGURE_MAX_SERIES], color[VKP_FIGURE_MAX_SERIES];
    PLINT style[VKP_FIGURE_MAX_SERIES];
    PLFLT line[VKP_FIGURE_MAX_SERIES], width, height;
    PLINT n = 0;
    for (size_t k = 0; k < figure->series_count; k++) {
        if (!figure->series[k].name || !*figure->series[k].name) continue;
        literal(figure->series[k].name, names[n], sizeof names[n]);
        text[n] = names[n];
        option[n] = PL_LEGEND_LINE, ink[n] = INK;
        color[n] = FIRST_SERIES + (PLINT)k, style[n] = 1, line[n] = LINE_WIDTH;
        n++;
    }
    if (n == 0) return;
    PLINT place = PL_POSITION_TOP | PL_POSITION_RIGHT | PL_POSITION_INSIDE | PL_POSITION_SUBPAGE;
    pllegend(&width, &height, 0, place, margin[0], margin[1], .045, WHITE, WHITE, 1, 1, n, n, option, .6, 1,
             1.5, 0, ink, text, NULL, NULL, NULL, NULL, color, style, line, NULL, NULL, NULL, NULL);
}

static void draw_figure(const void *what, FILE *stream)
{
    const vkp_figure *figure = what;
    int width = figure->width, height = figure->height;
    range axes[2];
    bool whole_x;
    find_ranges(figure, &axes[0], &axes[1], &whole_x);
    settle(&axes[0], width / 60, whole_x);
    settle(&axes[1], height / 56, false);
    set_up(figure, stream);
    int label_width = (int)(.62 * EM * label_length(&axes[1]));
    plvpor((label_width + 52.) / width, 1 - 20. / width, 58. / height, 1 - 44. / height);
    draw_axes(figure, axes, label_width);
    plwidth(LINE_WIDTH);
    for (size_t k = 0; k < figure->series_count; k++) {
        plcol0(FIRST_SERIES + (PLINT)k);
        draw_series(figure, &figure->series[k]);
    }
    draw_legend(figure, (double[]){12. / width, 26. / height});
    plend1();
}

typedef struct caption {
    const char *text;
    int width;
} caption;

static void draw_caption(const void *what, FILE *stream)
{
    const caption *c = what;
    PLINT red[] = {255, 40}, green[] = {255, 40}, blue[] = {255, 45};
    char text[256];
    begin_page(stream, c->width, VKP_FIGURE_CAPTION_HEIGHT);
    plscmap0(red, green, blue, 2);
    begin_text();
    plvpor(0, 1, 0, 1);
    plwind(0, 1, 0, 1);
    plcol0(INK);
    literal(c->text, text, sizeof text);
    plptex(.5, .5, 1, 0, .5, text);
    plend1();
}

/* The device list must be asked first: for a device that it does not know, PLplot asks the user. */
static bool has_cairo(void)
{
    const char *menu[64], *name[64], **menus = menu, **names = name;
    int count = 64;
    plgFileDevs(&menus, &names, &count);
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], "pngcairo") == 0) return true;
    }
    return false;
}

/* Ends the drawing after an escape, which may end in another one. PLplot closes the stream when it got as
 * far as opening the device. */
static void clean_up(FILE *stream)
{
    if (setjmp(escape)) return;
    PLINT level;
    plglevel(&level);
    if (level == 0) fclose(stream);
    plend1();
}

/* Fills png with what `draw` makes of `what`, whatever becomes of it; the caller frees it. */
static vkp_status draw_to_memory(void (*draw)(const void *what, FILE *stream), const void *what,
                                 const char *path)
{
    static const char end[] = "\0\0\0\0IEND\xae\x42\x60\x82";
    static const char remedy[] = "install the package plplot-driver-cairo";
    FILE *stream = open_memstream(&png, &png_size);
    if (!stream) return vkp_fail(VKP_MEMORY, "cannot draw %s (no memory; close other programs)", path);
    *complaint = 0;
    plsError(&warned, warning);
    plsexit(on_exit_wish);
    plsabort(keep_complaint);
    volatile bool found = false;
    if (setjmp(escape) == 0) {
        found = has_cairo();
        if (found) draw(what, stream);
        else fclose(stream);
    } else {
        clean_up(stream);
        return vkp_fail(VKP_IO, "cannot draw %s (PLplot: %s; %s)", path, complaint, remedy);
    }
    if (!found) return vkp_fail(VKP_IO, "cannot draw %s (PLplot has no pngcairo device; %s)", path, remedy);
    if (*complaint)
        return vkp_fail(VKP_INTERNAL, "cannot draw %s (PLplot: %s; report this)", path, complaint);
    if (png_size >= sizeof end && memcmp(png + png_size - 12, end, 12) == 0) return VKP_OK;
    return vkp_fail(VKP_INTERNAL, "cannot draw %s (cairo made no whole PNG; report this)", path);
}

static bool outside(int side) { return side < VKP_FIGURE_MIN_SIDE || side > VKP_FIGURE_MAX_SIDE; }

vkp_status vkp_figure_lines(const char *path, const vkp_figure *figure)
{
    vkp_figure sized = *figure;
    if (sized.width == 0) sized.width = 800;
    if (sized.height == 0) sized.height = 480;
    if (outside(sized.width) || outside(sized.height)) {
        return vkp_fail(VKP_USAGE, "cannot draw %s (%d x %d pixels; sides are %d to %d)", path, sized.width,
                        sized.height, VKP_FIGURE_MIN_SIDE, VKP_FIGURE_MAX_SIDE);
    }
    if (figure->series_count > VKP_FIGURE_MAX_SERIES) {
        return vkp_fail(VKP_USAGE, "cannot draw %s (%zu lines; at most %d)", path, figure->series_count,
                        VKP_FIGURE_MAX_SERIES);
    }
    vkp_status status = draw_to_memory(draw_figure, &sized, path);
    if (status == VKP_OK) status = vkp_file_write(path, png, png_size);
    free(png);
    png = NULL;
    return status;
}

vkp_status vkp_figure_caption(const char *text, int width, vkp_picture *picture)
{
    *picture = (vkp_picture){.rgba = NULL};
    if (width < 16 || width > VKP_FIGURE_MAX_SIDE)
        return vkp_fail(VKP_USAGE, "cannot draw a caption (%d pixels wide; 16 to %d are possible)", width,
                        VKP_FIGURE_MAX_SIDE);
    const caption c = {text, width};
    vkp_status status = draw_to_memory(draw_caption, &c, "a caption");
    if (status == VKP_OK) status = vkp_picture_decode(png, png_size, "a caption", 0, picture);
    free(png);
    png = NULL;
    return status;
}
